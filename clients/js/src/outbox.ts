import { type Ask, backoffMs, type Reply } from "./http.js";
import { newId } from "./json.js";
import type { Tell } from "./problem.js";
import { names, read, type Store, write } from "./store.js";

export interface Item {
  readonly event_id: string;
  readonly [field: string]: unknown;
}

export interface Sent {
  accepted: number;
  duplicate: number;
  rejected: number;
  /** Never reached the server: a full queue, or a refused key. */
  dropped: number;
}

export interface OutboxOptions {
  /** What is kept belongs to one server and key: no other is sent it. */
  owner: string;
  batchSize: number;
  intervalMs: number;
  capacity: number;
  retryMs: number;
  beaconUrl: string | undefined;
  /** Told of each item that the server did not take. */
  refused: (item: Item) => void;
}

const KEPT = "winnow.outbox.";
/** Browsers let 64 KiB outlive a page, over all its requests. No event that a server takes has nearly as much. */
const LAST_BYTES = 60_000;
/** A server takes 2 MB, and many a proxy before it 1 MiB. */
const BATCH_BYTES = 1_000_000;

/** A bounded queue; an item leaves it only with the server's verdict, and is sent again with the same id until then. */
export class Outbox {
  readonly sent: Sent = { accepted: 0, duplicate: 0, rejected: 0, dropped: 0 };
  private queue: Item[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private sending: Promise<boolean> | undefined;
  private failures = 0;
  /** Of a batch; less than the options say from a 413 until such batches are taken. */
  private size: number;
  private full = false;
  private kept = false;
  private readonly name: string;

  constructor(
    private readonly ask: Ask,
    private readonly store: Store | null,
    private readonly tell: Tell,
    private readonly options: OutboxOptions,
  ) {
    this.size = options.batchSize;
    // What an earlier page could not send: the server knows by the ids what it has already.
    const mine = `${KEPT}${options.owner}.`;
    this.name = mine + newId();
    const before = names(store, mine);
    for (const name of before) {
      const left = read(store, name);
      const items = Array.isArray(left) ? left.filter((item) => item?.event_id && fits(item)) : [];
      this.queue.push(...items.slice(0, options.capacity - this.queue.length));
    }
    if (!before.length) return;
    this.keep();
    for (const name of before) write(store, name, null);
    // A full store has room only now.
    this.keep();
    if (this.queue.length) this.later(options.intervalMs);
  }

  get waiting(): number {
    return this.queue.length;
  }

  /** Throws for what JSON cannot write or no server takes: in the queue it would block all others. */
  put(item: Item): boolean {
    if (!fits(item)) throw new Error("an event is too large");
    if (this.queue.length >= this.options.capacity) {
      this.sent.dropped++;
      if (!this.full) this.tell(`events are dropped: ${this.queue.length} wait already`);
      this.full = true;
      return false;
    }
    this.queue.push(item);
    if (this.failures) return true;
    if (!this.timer || this.queue.length >= this.size) this.later(this.pause());
    return true;
  }

  /** Send what is queued; false where some of it still waits. */
  async flush(): Promise<boolean> {
    while (this.queue.length) if (!(await this.send())) return false;
    return true;
  }

  /** The page is going: keep what is queued for the next one, and try to send it all the same. */
  leave(): void {
    if (!this.queue.length) return;
    this.keep();
    const batch = fitting(this.queue, LAST_BYTES);
    const body = JSON.stringify({ items: batch });
    const beacon = this.options.beaconUrl;
    if (typeof Request === "function" && "keepalive" in Request.prototype) {
      void this.ask("/v1/events", { body, last: true }).then((reply) => {
        // Who answers is there again, however long it had wanted to be left alone.
        if (this.settle(batch, reply)) this.goOn(reply.retryAfterMs);
      });
    } else if (beacon && globalThis.navigator?.sendBeacon?.(beacon, new Blob([body], { type: "application/json" }))) {
      // A beacon has no answer: the items stay kept, and whoever sends them again does no harm.
    }
  }

  /** How long the next batch may fill. */
  private pause(): number {
    return this.queue.length < this.size ? this.options.intervalMs : 0;
  }

  private goOn(atLeast: number): void {
    if (this.queue.length) this.later(Math.max(this.pause(), atLeast));
    else this.stop();
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private later(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.send();
    }, ms);
    // Node need not stay alive for it: `flush` before the end.
    (this.timer as { unref?: () => void }).unref?.();
  }

  private keep(): void {
    this.kept = this.queue.length > 0;
    write(this.store, this.name, this.kept ? this.queue : null);
  }

  private send(): Promise<boolean> {
    this.sending ??= this.sendBatch().finally(() => (this.sending = undefined));
    return this.sending;
  }

  private async sendBatch(): Promise<boolean> {
    this.stop();
    const batch = fitting(this.queue.slice(0, this.size), BATCH_BYTES);
    if (!batch.length) return true;
    const reply = await this.ask("/v1/events", { body: JSON.stringify({ items: batch }) });
    const settled = this.settle(batch, reply);
    // Nothing waits where a page that was hidden has sent it meanwhile.
    if (!settled && this.queue.length && !this.failures++) {
      this.tell(`events wait, the server answers ${reply.status || "nothing"}`);
    }
    if (settled) this.goOn(reply.retryAfterMs);
    else if (this.queue.length) this.later(Math.max(backoffMs(this.failures, this.options.retryMs), reply.retryAfterMs));
    return settled;
  }

  /** Take out what the server has judged; false where it has to be sent again. */
  private settle(batch: Item[], { status, body }: Reply): boolean {
    const verdicts = (body as { items?: unknown } | null)?.items;
    if (status === 413 && batch.length > 1) {
      this.size = batch.length >> 1;
      this.failures = 0;
      return true;
    }
    const gone = new Set<string>();
    const early = new Set<string>();
    if (status >= 200 && status < 300 && Array.isArray(verdicts) && verdicts.length) {
      batch.slice(0, verdicts.length).forEach((item, at) => {
        gone.add(item.event_id);
        // This clock is ahead of the server's, which takes its own time where none is given.
        if (item.occurred_at && verdicts[at]?.code === "occurred_in_future") early.add(item.event_id);
        else this.count(item, verdicts[at]);
      });
    } else if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) {
      this.sent.dropped += batch.length;
      this.tell(`${batch.length} events were dropped, the server answers ${status}`);
      for (const item of batch) {
        gone.add(item.event_id);
        this.options.refused(item);
      }
    } else return false;
    this.queue = this.queue
      .filter(({ event_id }) => !gone.has(event_id) || early.has(event_id))
      .map((item) => (early.has(item.event_id) ? { ...item, occurred_at: undefined } : item));
    this.size = Math.min(this.size * 2, this.options.batchSize);
    this.failures = 0;
    this.full = false;
    if (this.kept) this.keep();
    return true;
  }

  private count(item: Item, verdict: { status?: unknown; code?: unknown } | undefined): void {
    const status = verdict?.status as keyof Sent;
    if (status in this.sent) this.sent[status]++;
    if (status !== "rejected") return;
    this.tell(`an event was rejected as ${String(verdict?.code)}`);
    this.options.refused(item);
  }
}

/** What one request has room for, the oldest first. */
function fitting(items: Item[], room: number): Item[] {
  return items.filter((item) => {
    const rest = room - bytes(item);
    if (rest < 0) return false;
    room = rest;
    return true;
  });
}

/** With a comma. */
const bytes = (item: Item): number => new TextEncoder().encode(JSON.stringify(item)).length + 1;

const fits = (item: Item): boolean => bytes(item) <= LAST_BYTES;
