/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export type Attributes = { readonly [name: string]: Json | undefined };

/** What a unit sees; `counted`: the unit is part of the results once it is exposed. */
export interface Assignment {
  readonly experiment: string;
  readonly version: number;
  readonly epoch: number;
  readonly segment: string | null;
  /** null where nobody could say: then `content` is the caller's default. */
  readonly variant: string | null;
  readonly content: Json;
  /**
   * Winnow's: assigned, forced, holdout, other_experiment, not_in_traffic, paused, stopped; no_consent where the server
   * decides; or `default` where no answer was to be had, or the server knows no such experiment.
   */
  readonly reason: string;
  readonly counted: boolean;
}

const UNFIT = /[\x00-\x1f\x7f\ud800-\udfff]/u;

/** A text of 1 to 512 characters, or a whole number: 12345 and "12345" are one unit. */
export type UnitId = string | number;

/** The id of a unit as the server would take it, null where it would not. */
export function asId(given: unknown): string | null {
  const text = Number.isSafeInteger(given) ? String(given) : given;
  const fit =
    typeof text === "string" && text !== "" && !UNFIT.test(text) && (text.length <= 512 || [...text].length <= 512);
  return fit ? text : null;
}

/**
 * A new id for an event: a UUID of version 7 (RFC 9562), which begins with the time in milliseconds. Ids in the order of
 * time meet in one place of the server's index, where random ones are all over it.
 */
export function newId(): string {
  // Not there on very old pages, and not in every Node 18.
  const web = globalThis.crypto as Crypto | undefined;
  const bytes = new Uint8Array(16);
  if (web) web.getRandomValues(bytes);
  else bytes.forEach((_, at) => (bytes[at] = Math.random() * 256));
  for (let at = 5, rest = Date.now(); at >= 0; at--, rest = Math.floor(rest / 256)) bytes[at] = rest % 256;
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
