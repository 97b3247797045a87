import { translated } from "./regex.js";
import {
  asNumber, compareTexts, compareVersions, equals, holdsAll, isArray, isObject, isWithin, kindOf, lowered, member,
  negated, never, oneOf, type Test, versionKey,
} from "./values.js";

export type Groups = { readonly [name: string]: readonly unknown[] };
type Compile = (operand: unknown, groups: Groups) => Test;

/**
 * The test of attributes that a condition describes: Winnow's language (its ADR 3), compiled once to closures that never
 * throw. Whatever is wrong with an operator makes it match nothing.
 */
export function compileCondition(document: unknown, groups: Groups = {}): Test {
  if (!isObject(document)) return never;
  return all(Object.keys(document).map((name) => entry(name, document[name], groups)));
}

function entry(name: string, wanted: unknown, groups: Groups): Test {
  const logical = own(LOGICAL, name);
  if (logical) return logical(wanted, groups);
  const test = value(wanted, groups);
  if (!name.includes(".")) return (subject) => test(member(subject, name));
  const steps = name.split(".");
  return (subject) => test(steps.reduce(member, subject));
}

function value(wanted: unknown, groups: Groups): Test {
  if (!isOperators(wanted)) return equals(wanted);
  return all(Object.keys(wanted).map((name) => own(OPERATORS, name)?.(wanted[name], groups) ?? never));
}

const isOperators = (wanted: unknown): wanted is { readonly [name: string]: unknown } =>
  isObject(wanted) && Object.keys(wanted).length > 0 && Object.keys(wanted).every((name) => name.startsWith("$"));

const own = <T>(table: { readonly [name: string]: T }, name: string): T | undefined =>
  Object.prototype.hasOwnProperty.call(table, name) ? table[name] : undefined;

function all(tests: Test[]): Test {
  const [first, second] = tests;
  if (!first) return () => true;
  if (!second) return first;
  if (tests.length === 2) return (subject) => first(subject) && second(subject);
  return (subject) => tests.every((test) => test(subject));
}

const any = (tests: Test[]): Test => (subject) => tests.some((test) => test(subject));

/** Operators whose operand is a list. */
const listed =
  (compile: (operand: readonly unknown[], groups: Groups) => Test): Compile =>
  (operand, groups) =>
    isArray(operand) ? compile(operand, groups) : never;

const documents = (parts: readonly unknown[], groups: Groups): Test[] =>
  parts.map((part) => compileCondition(part, groups));
const or = (parts: readonly unknown[], groups: Groups): Test =>
  parts.length ? any(documents(parts, groups)) : () => true;

const LOGICAL: { readonly [name: string]: Compile } = {
  $and: listed((parts, groups) => all(documents(parts, groups))),
  $or: listed(or),
  $nor: listed((parts, groups) => negated(or(parts, groups))),
  $not: (operand, groups) => (isObject(operand) ? negated(compileCondition(operand, groups)) : never),
};

const ordered =
  (holds: (order: number) => boolean): Compile =>
  (operand) => {
    const bound = asNumber(operand);
    return (actual) => {
      if (typeof actual === "string" && typeof operand === "string") return holds(compareTexts(actual, operand));
      const number = asNumber(actual);
      // Not their difference: that of two infinities is none.
      return holds(number === bound ? 0 : number > bound ? 1 : number < bound ? -1 : NaN);
    };
  };

const versions =
  (holds: (order: number) => boolean): Compile =>
  (operand) => {
    const bound = versionKey(operand);
    if (!bound) return never;
    return (actual) => {
      const key = versionKey(actual);
      return key !== null && holds(compareVersions(key, bound));
    };
  };

const [eq, gt, gte, lt, lte] = [
  (order: number) => order === 0,
  (order: number) => order > 0,
  (order: number) => order >= 0,
  (order: number) => order < 0,
  (order: number) => order <= 0,
] as const;

const some =
  (test: Test): Test =>
  (actual) =>
    isArray(actual) && actual.some((part) => test(part ?? null));

const loweredList = (operand: readonly unknown[]): readonly unknown[] => lowered(operand) as readonly unknown[];
const oneOfLowered = (operand: readonly unknown[]): Test => {
  const test = oneOf(loweredList(operand));
  return (actual) => test(lowered(actual));
};
const inGroup = (operand: string, groups: Groups): Test => oneOf(own(groups, operand) ?? []);
const isLarger = (part: unknown): boolean => isArray(part) || isObject(part);

const regex =
  (ignoreCase: boolean): Compile =>
  (operand) => {
    const pattern = typeof operand === "string" ? translated(operand, ignoreCase) : null;
    return pattern
      ? (actual) => typeof actual === "string" && isWithin(actual, 4_096) && pattern.test(actual)
      : never;
  };

const OPERATORS: { readonly [name: string]: Compile } = {
  $eq: equals,
  $ne: (operand) => negated(equals(operand)),
  $gt: ordered(gt),
  $gte: ordered(gte),
  $lt: ordered(lt),
  $lte: ordered(lte),
  $veq: versions(eq),
  $vne: (operand, groups) =>
    versionKey(operand) ? negated(versions(eq)(operand, groups)) : never,
  $vgt: versions(gt),
  $vgte: versions(gte),
  $vlt: versions(lt),
  $vlte: versions(lte),
  $exists: (operand) => (operand ? (actual) => actual !== null : (actual) => actual === null),
  $type: (operand) => (typeof operand === "string" ? (actual) => kindOf(actual) === operand : never),
  $in: listed(oneOf),
  $nin: listed((operand) => negated(oneOf(operand))),
  $ini: listed(oneOfLowered),
  $nini: listed((operand) => negated(oneOfLowered(operand))),
  $inGroup: (operand, groups) => (typeof operand === "string" ? inGroup(operand, groups) : never),
  $notInGroup: (operand, groups) => (typeof operand === "string" ? negated(inGroup(operand, groups)) : never),
  $all: listed((operand, groups) =>
    all([
      holdsAll(operand.filter((part) => !isLarger(part))),
      ...operand.filter(isLarger).map((part) => some(value(part, groups))),
    ]),
  ),
  $alli: listed((operand) => {
    const test = holdsAll(loweredList(operand));
    return (actual) => test(lowered(actual));
  }),
  $elemMatch: (operand, groups) =>
    some(isOperators(operand) ? value(operand, groups) : compileCondition(operand, groups)),
  $size: (operand, groups) => {
    const test = value(operand, groups);
    return (actual) => isArray(actual) && test(actual.length);
  },
  $regex: regex(false),
  $regexi: regex(true),
  $not: (operand, groups) => negated(value(operand, groups)),
};
