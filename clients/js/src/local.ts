import { type Assign, compileExperiment, type LocalAssignment } from "./assignment.js";
import { type ExperimentDocument, SCHEMA } from "./document.js";
import { backoffMs, server } from "./http.js";
import { type Assignment, type Attributes, asId, type Json, type UnitId } from "./json.js";
import { quietly, type Tell, unfitId } from "./problem.js";

export { compileCondition } from "./condition.js";
export type { Assignment, Attributes, Json, LocalAssignment, Tell, UnitId };

/** All live experiments, compiled; never changed, only replaced. */
export class Catalog {
  private constructor(
    /** -1 before there is one. */
    readonly version: number,
    private readonly assigns: ReadonlyMap<string, Assign>,
    private readonly running: readonly Assign[],
    /** Experiments that this client cannot decide, and why. */
    readonly skipped: ReadonlyMap<string, string>,
    private readonly unfit: () => void,
  ) {}

  static readonly EMPTY = new Catalog(-1, new Map(), [], new Map(), () => {});

  /** Throws TypeError for what is no catalog of a schema that is known here: nobody guesses. `unfit`: told of unfit ids. */
  static of(document: unknown, unfit: () => void = () => {}): Catalog {
    const { schema, version, experiments } = (document ?? {}) as { [name: string]: unknown };
    if (schema !== SCHEMA || typeof version !== "number" || !Array.isArray(experiments)) {
      throw new TypeError(`the document is not of the schema ${SCHEMA}`);
    }
    const assigns = new Map<string, Assign>();
    const running: Assign[] = [];
    const skipped = new Map<string, string>();
    for (const experiment of experiments as ExperimentDocument[]) {
      try {
        const assign = compileExperiment(experiment);
        assigns.set(experiment.key, assign);
        if (experiment.status === "running") running.push(assign);
      } catch (problem) {
        skipped.set(String(experiment?.key), String(problem));
      }
    }
    return new Catalog(version, assigns, running, skipped, unfit);
  }

  /** What the unit sees; `content` where there is no such experiment, or the id is unfit to be one. */
  assign(unitId: UnitId, attributes: Attributes, experiment: string, content: Json = null): LocalAssignment {
    const decide = this.assigns.get(experiment);
    const unit = this.unit(unitId);
    if (decide && unit !== null) return decide(unit, attributes);
    return {
      experiment, version: 0, epoch: 0, segment: null, variant: null, content, reason: "default", counted: false,
      exposes: false,
    };
  }

  /** The answers of all running experiments. */
  assignAll(unitId: UnitId, attributes: Attributes = {}): LocalAssignment[] {
    const unit = this.unit(unitId);
    return unit === null ? [] : this.running.map((decide) => decide(unit, attributes));
  }

  private unit(unitId: unknown): string | null {
    const unit = asId(unitId);
    if (unit === null) this.unfit();
    return unit;
  }
}

export interface FollowOptions {
  url: string;
  /** A secret one: the catalog names testers and holds all contents. */
  key: string;
  pollMs?: number;
  timeoutMs?: number;
  retryMs?: number;
  /** A document from elsewhere (a file) to begin with. */
  document?: unknown;
  onProblem?: Tell;
  onCatalog?: (catalog: Catalog) => void;
  fetch?: typeof fetch;
}

/** Keeps a catalog up to date by asking with its ETag, and the last good one whatever happens. For servers. */
export class Follower {
  catalog = Catalog.EMPTY;
  /** The first attempt is over: whether there is a catalog. */
  readonly ready: Promise<boolean>;
  private etag: string | undefined;
  private failures = 0;
  private stopped = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly tell: Tell;
  private readonly unfit: () => void;

  constructor(private readonly options: FollowOptions) {
    this.tell = quietly(options.onProblem);
    this.unfit = unfitId(this.tell);
    if (options.document !== undefined) this.swap(options.document);
    this.ready = this.poll().then(() => this.catalog !== Catalog.EMPTY);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async poll(): Promise<void> {
    const { url, key, timeoutMs = 5_000, pollMs = 5_000, retryMs = 500 } = this.options;
    const ask = server(url, key, timeoutMs, this.options.fetch ?? fetch);
    const reply = await ask("/v1/catalog", this.etag ? { etag: this.etag } : {});
    if (reply.status === 304 || (reply.status === 200 && this.swap(reply.body))) {
      this.failures = 0;
      this.etag = reply.etag ?? this.etag;
    } else if (!this.failures++) {
      const so = this.catalog === Catalog.EMPTY ? "there is none yet" : "the last one stays in use";
      const { status } = reply;
      const wanted = status === 401 || status === 403 ? ", a secret key with the scope `assign` is wanted" : "";
      this.tell(`the catalog could not be read, ${so}: ${status || "no answer"}${wanted}`);
    }
    if (this.stopped) return;
    const wait = this.failures ? Math.max(backoffMs(this.failures, retryMs), reply.retryAfterMs) : pollMs;
    this.timer = setTimeout(() => void this.poll(), wait);
    (this.timer as { unref?: () => void }).unref?.();
  }

  private swap(document: unknown): boolean {
    try {
      this.catalog = Catalog.of(document, this.unfit);
    } catch (problem) {
      this.tell(String(problem));
      return false;
    }
    for (const [key, why] of this.catalog.skipped) this.tell(`experiment ${key} cannot be decided here: ${why}`);
    try {
      this.options.onCatalog?.(this.catalog);
    } catch (problem) {
      this.tell(String(problem));
    }
    return true;
  }
}
