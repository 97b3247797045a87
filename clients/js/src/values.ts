/** JSON values as conditions compare them; a value of an unexpected kind matches nothing. */
export type Test = (value: unknown) => boolean;

type JsonObject = { readonly [name: string]: unknown };

export const never: Test = () => false;
export const negated = (test: Test): Test => (value) => !test(value);
export const isArray: (value: unknown) => value is readonly unknown[] = Array.isArray;
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !isArray(value);
const has = Object.prototype.hasOwnProperty;

/** The member of an object; what is missing, and what is missing in what is no object, is null. */
export const member = (value: unknown, name: string): unknown =>
  isObject(value) && has.call(value, name) ? (value[name] ?? null) : null;

export const kindOf = (value: unknown): string =>
  value === null ? "null" : isArray(value) ? "array" : typeof value;

/** "Is this JSON value": `true`, `1` and `"1"` are three. */
export function equals(wanted: unknown): Test {
  if (isArray(wanted)) {
    const parts = wanted.map(equals);
    return (value) =>
      isArray(value) && value.length === parts.length && parts.every((same, at) => same(value[at] ?? null));
  }
  if (isObject(wanted)) {
    const parts = Object.keys(wanted).map((name) => [name, equals(wanted[name])] as const);
    return (value) =>
      isObject(value) &&
      Object.keys(value).length === parts.length &&
      parts.every(([name, same]) => has.call(value, name) && same(member(value, name)));
  }
  return (value) => value === wanted;
}

/** "Is one of these, or a list that holds one of these". */
export function oneOf(wanted: readonly unknown[]): Test {
  const larger = wanted.filter((element) => isArray(element) || isObject(element)).map(equals);
  const scalars = new Set(wanted.filter((element) => element === element));
  const single: Test = (value) => scalars.has(value) || larger.some((same) => same(value));
  return (value) => (isArray(value) ? value.some((part) => single(part ?? null)) : single(value));
}

/** "Is a list that holds each of these scalars". */
export const holdsAll =
  (wanted: readonly unknown[]): Test =>
  (value) =>
    isArray(value) && wanted.every((one) => value.some((part) => (part ?? null) === one));

const low = (value: unknown): unknown => (typeof value === "string" ? value.toLowerCase() : value);
export const lowered = (value: unknown): unknown => (isArray(value) ? value.map(low) : low(value));

/** What order makes of a value, NaN for what has no order: what is missing is 0, decimal text its number. */
export function asNumber(value: unknown): number {
  if (value === null) return 0;
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.length > 64) return NaN;
  const number = /^[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?$/.test(value) ? Number(value) : NaN;
  return Number.isFinite(number) ? number : NaN;
}

/** The order of texts by code point; JavaScript's own is by UTF-16 unit. */
export function compareTexts(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) {
    const [left, right] = [one.charCodeAt(at), other.charCodeAt(at)];
    if (left !== right) return rank(left) - rank(right);
  }
  return one.length - other.length;
}

/** Surrogates stand for code points above all others. */
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);

/** Whether a text has no more characters than that. */
export const isWithin = (text: string, most: number): boolean =>
  text.length <= most || (text.length <= 2 * most && [...text].length <= most);

type VersionPart = readonly [kind: number, length: number, text: string];

/** A version's place in the order of versions (SemVer, read leniently), null for what is none. */
export function versionKey(value: unknown): VersionPart[] | null {
  if (typeof value !== "string" || !isWithin(value, 256)) return null;
  const parts = (value.replace(/^v/, "").split("+")[0] as string).split(/[-.]/).map(versionPart);
  // A release comes after its own pre-releases, which have more parts.
  return parts.length === 3 ? [...parts, [2, 0, ""]] : parts;
}

function versionPart(part: string): VersionPart {
  if (!/^[0-9]+$/.test(part)) return [1, 0, part];
  const digits = part.replace(/^0+/, "");
  return [0, digits.length, digits];
}

export function compareVersions(one: VersionPart[], other: VersionPart[]): number {
  for (let at = 0; at < Math.min(one.length, other.length); at++) {
    const [left, right] = [one[at] as VersionPart, other[at] as VersionPart];
    const order = left[0] - right[0] || left[1] - right[1] || compareTexts(left[2], right[2]);
    if (order) return order;
  }
  return one.length - other.length;
}
