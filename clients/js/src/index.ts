import { Cache, question } from "./cache.js";
import { type Ask, backoffMs, type Reply, server } from "./http.js";
import { type Assignment, type Attributes, asId, type Json, newId, type UnitId } from "./json.js";
import { type Item, Outbox, type Sent } from "./outbox.js";
import { quietly, type Tell, unfitId } from "./problem.js";
import { digest, localStore, type Store } from "./store.js";

export type { Assignment, Attributes, Json, Sent, Store, Tell, UnitId };

export type Channel = "email" | "web" | "app" | "store" | "call_centre" | "other";

export interface Options {
  /** Where Winnow is, and a key: one for browsers where it stands in a page. */
  url: string;
  key: string;
  /** How long a page may wait for an answer; then the cache or the default answers. */
  timeoutMs?: number;
  /** Where this runs, for results by channel. */
  channel?: Channel;
  /** An answer this young is given without asking again. */
  freshMs?: number;
  /** An answer this young is given where the server does not answer. */
  staleMs?: number;
  /** `localStorage` where there is one; null: memory only. */
  store?: Store | null;
  batchSize?: number;
  intervalMs?: number;
  /** Events that may wait; what comes beyond is dropped, counted and told. */
  capacity?: number;
  retryMs?: number;
  /** For browsers without `fetch(…, {keepalive: true})`: an address of yours that adds the key, as no beacon can. */
  beaconUrl?: string;
  onProblem?: Tell;
  fetch?: typeof fetch;
}

/** What the server takes for the name of an event. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Never throws and never rejects: what goes wrong is told to `onProblem`. */
export class Winnow {
  private readonly ask: Ask;
  private readonly cache: Cache;
  private readonly outbox: Outbox;
  private readonly tell: Tell;
  private readonly unfit: () => void;
  private readonly asking = new Map<string, Promise<Assignment | null>>();
  private readonly exposed = new Set<string>();
  private readonly where: { channel?: Channel };
  private failures = 0;
  private quietUntil = 0;

  constructor(private readonly options: Options) {
    this.tell = quietly(options.onProblem);
    this.unfit = unfitId(this.tell);
    this.where = options.channel === undefined ? {} : { channel: options.channel };
    const store = options.store === undefined ? localStore() : options.store;
    const fetcher: typeof fetch = (...request) => (options.fetch ?? fetch)(...request);
    this.ask = server(options.url, options.key, options.timeoutMs ?? 2_000, fetcher);
    this.cache = new Cache(store);
    this.outbox = new Outbox(this.ask, store, this.tell, {
      owner: digest([options.url.replace(/\/+$/, ""), options.key]),
      batchSize: options.batchSize ?? 50,
      intervalMs: options.intervalMs ?? 2_000,
      capacity: options.capacity ?? 1_000,
      retryMs: options.retryMs ?? 1_000,
      beaconUrl: options.beaconUrl,
      // Who consents later, for one, is exposed then.
      refused: (item) => this.exposed.delete(exposureName(item)),
    });
    if (typeof addEventListener === "function" && typeof document !== "undefined") {
      addEventListener("pagehide", () => this.outbox.leave());
      document.addEventListener("visibilitychange", () => {
        if (document.visibilityState === "hidden") this.outbox.leave();
      });
    }
  }

  /** What the unit sees; without an answer in time what was answered before, and without that `content`. */
  async assign(
    unitId: UnitId,
    attributes: Attributes,
    experiment: string,
    content: Json = null,
  ): Promise<Assignment> {
    const otherwise: Assignment = {
      experiment, version: 0, epoch: 0, segment: null, variant: null, content, reason: "default", counted: false,
    };
    try {
      const unit = this.unit(unitId);
      if (unit === null) return otherwise;
      const name = question(this.options.url, unit, attributes, experiment);
      const young = this.cache.get(name, this.options.freshMs ?? 60_000);
      if (young) return young;
      let asked = this.asking.get(name);
      // Who has just not answered, or said when to come back, is not asked by everything on the page in turn.
      if (!asked && performance.now() < this.quietUntil) return this.before(name) ?? otherwise;
      if (!asked) {
        asked = this.question(name, experiment, unit, attributes).finally(() => this.asking.delete(name));
        this.asking.set(name, asked);
      }
      return (await asked) ?? otherwise;
    } catch (problem) {
      this.tell(String(problem));
      return otherwise;
    }
  }

  /**
   * Join the id that a visitor had before to who it is now known to be; call it at every sign-in, then go on with
   * `unitId`. What was answered before is asked for again. False where it was refused, or no answer came.
   */
  async identify(anonymousId: UnitId, unitId: UnitId): Promise<boolean> {
    const [before, now] = [this.unit(anonymousId), this.unit(unitId)];
    if (before === null || now === null) return false;
    const reply = await this.ask("/v1/identify", { body: JSON.stringify({ anonymous_id: before, unit_id: now }) });
    if (reply.status !== 200) {
      this.tell(`not identified, the server answers ${(reply.body as { code?: string } | null)?.code ?? reply.status}`);
      return false;
    }
    this.asking.clear();
    this.cache.clear();
    return true;
  }

  /** Report that the unit was shown it; once for each version, however often it is called. */
  expose(unitId: UnitId, shown: Assignment): boolean {
    return this.reported(() => {
      const { experiment, version, segment, variant } = shown;
      const unit = this.unit(unitId);
      if (!shown.counted || unit === null) return false;
      const once = exposureName({ unit_id: unit, experiment, version, segment, variant });
      if (this.exposed.has(once)) return true;
      const taken = this.put("exposure", unit, { experiment, version, segment, variant });
      // A server sees units without end; one that is forgotten is exposed again, which does no harm.
      if (this.exposed.size >= 10_000) this.exposed.clear();
      if (taken) this.exposed.add(once);
      return taken;
    });
  }

  /** Report what the unit did; an `eventId` of your own (an order number) makes it idempotent beyond this page. */
  track(unitId: UnitId, name: string, value?: number | null, eventId?: string): boolean {
    return this.reported(() => {
      const unit = asId(unitId);
      const named = typeof name === "string" && NAME.test(name);
      const fitId = eventId == null || (typeof eventId === "string" && asId(eventId) !== null);
      if (unit === null || !named || !fitId || (value != null && !Number.isFinite(value))) {
        this.tell(`event ${String(name).slice(0, 100)} was not taken: its unit id, name, value or event id is unfit`);
        return false;
      }
      return this.put("event", unit, { name, ...(value != null && { value }) }, eventId);
    });
  }

  /** Send what is queued; false where some of it still waits. */
  flush(): Promise<boolean> {
    return this.outbox.flush();
  }

  stats(): Sent & { waiting: number } {
    return { ...this.outbox.sent, waiting: this.outbox.waiting };
  }

  private reported(report: () => boolean): boolean {
    try {
      return report();
    } catch (problem) {
      this.tell(String(problem));
      return false;
    }
  }

  private unit(unitId: unknown): string | null {
    const unit = asId(unitId);
    if (unit === null) this.unfit();
    return unit;
  }

  private put(type: string, unitId: string, fields: object, eventId?: string): boolean {
    return this.outbox.put({
      type, event_id: eventId ?? newId(), unit_id: unitId, ...fields, ...this.where, occurred_at: new Date().toISOString(),
    });
  }

  private async question(
    name: string, experiment: string, unitId: string, attributes: Attributes,
  ): Promise<Assignment | null> {
    const body = JSON.stringify({ unit_id: unitId, attributes, experiment, ...this.where });
    const era = this.cache.era;
    const reply = await this.ask("/v1/assignments", { body });
    this.heed(reply);
    const answer = (reply.body as { assignments?: Assignment[] } | null)?.assignments?.[0];
    if (reply.status === 200 && answer?.experiment === experiment) {
      // An answer from before the visitor was known is given to who asked for it, and to nobody else.
      if (era === this.cache.era) {
        // Who consents next is asked about at once.
        if (answer.reason === "no_consent") this.cache.delete(name);
        else this.cache.set(name, answer);
      }
      return answer;
    }
    this.tell(`no answer for ${experiment}, the server answers ${reply.status || "nothing"}`);
    // Archived, or never there: what was answered before is no longer so.
    return reply.status === 404 ? null : (this.before(name) ?? null);
  }

  private before(name: string): Assignment | undefined {
    return this.cache.get(name, this.options.staleMs ?? 7 * 86_400_000);
  }

  /** Be quiet for as long as the server says, or up to 10 s, more each time, where it says nothing. */
  private heed({ status, retryAfterMs }: Reply): void {
    if (status && status < 500 && ![401, 403, 408, 425, 429].includes(status)) {
      this.failures = 0;
    } else if (performance.now() >= this.quietUntil) {
      const wait = Math.min(10_000, backoffMs(++this.failures, this.options.retryMs ?? 1_000));
      this.quietUntil = performance.now() + Math.max(wait, retryAfterMs);
    }
  }
}

const exposureName = ({ unit_id, experiment, version, segment, variant }: Omit<Item, "event_id">): string =>
  JSON.stringify([unit_id, experiment, version, segment, variant]);

export const createClient = (options: Options): Winnow => new Winnow(options);
