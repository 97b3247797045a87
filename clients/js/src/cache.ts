import { type Assignment, type Attributes, newId } from "./json.js";
import { digest, read, type Store, write } from "./store.js";

const NAME = "winnow.answers";
const ERA = `${NAME}.era`;
const MOST = 200;

interface Kept {
  readonly at: number;
  readonly answer: Assignment;
}

/** Answers by what was asked, in memory and in the store. Attributes stand in it only as a hash. */
export class Cache {
  private kept: Map<string, Kept>;
  private current: unknown;

  constructor(private readonly store: Store | null) {
    this.current = read(store, ERA);
    this.kept = this.stored();
  }

  /** Another one once all was cleared, be it by another tab. */
  get era(): unknown {
    this.latest();
    return this.current;
  }

  /** An answer that is no older, or undefined. */
  get(question: string, maxAgeMs: number): Assignment | undefined {
    const found = this.latest().get(question);
    // A clock that was set back makes nothing young for ever.
    return found && Math.abs(Date.now() - found.at) < maxAgeMs ? found.answer : undefined;
  }

  delete(question: string): void {
    if (this.latest().delete(question)) write(this.store, NAME, [...this.kept]);
  }

  clear(): void {
    this.kept.clear();
    write(this.store, NAME, []);
    write(this.store, ERA, (this.current = newId()));
  }

  set(question: string, answer: Assignment): void {
    this.latest().delete(question);
    this.kept.set(question, { at: Date.now(), answer });
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MOST) break;
      this.kept.delete(oldest);
    }
    write(this.store, NAME, [...this.kept]);
  }

  /** Where another tab has cleared all, what this one remembers is not to be given or written any more. */
  private latest(): Map<string, Kept> {
    const era = read(this.store, ERA);
    if (era && era !== this.current) {
      this.current = era;
      this.kept = this.stored();
    }
    return this.kept;
  }

  private stored(): Map<string, Kept> {
    const stored = read(this.store, NAME);
    return new Map(Array.isArray(stored) ? (stored.filter(isEntry) as [string, Kept][]) : []);
  }
}

const isEntry = (entry: unknown): boolean =>
  Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1]?.answer?.experiment === "string";

/** The name of a question: a hash, the same for attributes in any order. */
export function question(url: string, unitId: string, attributes: Attributes, experiment: string): string {
  // As JSON has it: a Date, for one, is an object without members until then.
  return digest(ordered(JSON.parse(JSON.stringify([url, unitId, attributes, experiment]))));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (value === null || typeof value !== "object") return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, part]) => [name, ordered(part)]);
}
