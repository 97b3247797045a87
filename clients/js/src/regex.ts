/**
 * Python's regexes, which Winnow's conditions are written in, said in JavaScript's.
 *
 * Look-around, back-references and flags are refused to authors. `\N{…}` is not known here. What is a letter, a digit or
 * a space is the same for all characters that the versions of Unicode on both sides have.
 */
const WORD = "\\p{L}\\p{N}_";
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const CLASSES: { readonly [letter: string]: string } = { d: "\\p{Nd}", w: WORD, s: SPACE };
const CONTROLS: { readonly [letter: string]: number } = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };
const BEFORE = `(?<=[${WORD}])`;
const AFTER = `(?=[${WORD}])`;
const NOT_BEFORE = `(?<![${WORD}])`;
const NOT_AFTER = `(?![${WORD}])`;
const ASSERTIONS: { readonly [letter: string]: string } = {
  A: "^",
  Z: "$",
  b: `(?:${BEFORE}${NOT_AFTER}|${NOT_BEFORE}${AFTER})`,
  B: `(?:${BEFORE}${AFTER}|${NOT_BEFORE}${NOT_AFTER})`,
};

/** One letter where case is ignored; in JavaScript the two Turkish ones are others. */
const LETTER_I = [0x49, 0x69, 0x130, 0x131];

/** The regex, or null for what is none. */
export function translated(pattern: string, ignoreCase: boolean): RegExp | null {
  try {
    return new RegExp(new Translation(searchForm(pattern), ignoreCase ? LETTER_I : []).all(), ignoreCase ? "iu" : "u");
  } catch {
    return null;
  }
}

/** Without a leading `.*`: "anywhere?" has the same answer, in a time that does not grow with the square. */
const searchForm = (pattern: string): string =>
  pattern.replace(/^\.([*+])\??(?![*+?{])/, (_, count: string) => (count === "+" ? "." : ""));

const literal = (point: number): string => `\\u{${point.toString(16)}}`;

class Translation {
  private at = 0;

  constructor(
    private readonly pattern: string,
    private readonly same: readonly number[],
  ) {}

  all(): string {
    let out = "";
    while (this.at < this.pattern.length) out += this.next();
    return out;
  }

  private next(): string {
    const head = this.match(/\(\?#[^)]*\)|\(\?P<\w+>|\(\?:|\{(?!\})\d*,?\d*\}|[()*+?|^]/y);
    if (head) {
      if (head.startsWith("(?#")) return "";
      if (head.startsWith("(?P")) return "(?:";
      return head.replace(/^\{,/, "{0,");
    }
    const point = this.point();
    if (point === 0x5c) return this.escape();
    if (point === 0x5b) return this.charClass();
    if (point === 0x2e) return "[^\\n]";
    if (point === 0x24) return "(?=\\n?$)";
    return this.cased(point);
  }

  private escape(): string {
    const assertion = this.match(/[AZbB]/y);
    if (assertion) return ASSERTIONS[assertion] as string;
    const kind = this.match(/[dwsDWS]/y);
    if (kind) return `[${kind < "a" ? "^" : ""}${CLASSES[kind.toLowerCase()]}]`;
    return this.cased(this.escaped());
  }

  private cased(point: number): string {
    return this.same.includes(point) ? `[${this.same.map(literal).join("")}]` : literal(point);
  }

  /** The character that stands behind a backslash. */
  private escaped(): number {
    const hex = this.match(/x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}/y);
    if (hex) return parseInt(hex.slice(1), 16);
    const octal = this.match(/0[0-7]{0,2}|[0-3][0-7]{2}/y);
    if (octal) return parseInt(octal, 8);
    const letter = this.match(/[A-Za-z0-9]/y);
    if (!letter) return this.point();
    const control = CONTROLS[letter];
    if (control === undefined) throw new SyntaxError(`\\${letter}`);
    return control;
  }

  private charClass(): string {
    const negated = this.match(/\^/y);
    const parts: string[] = [];
    let inside = "";
    for (let first = true; first || !this.match(/\]/y); first = false) {
      const kind = this.match(/\\[dwsDWS]/y)?.[1];
      // A class inside of a class is more than this flavour has: its complement stands beside it.
      if (kind && kind < "a") parts.push(`[^${CLASSES[kind.toLowerCase()]}]`);
      else if (kind) inside += CLASSES[kind];
      else inside += this.range();
    }
    if (!parts.length) return `[${negated ?? ""}${inside}]`;
    const any = [...parts, ...(inside ? [`[${inside}]`] : [])].join("|");
    return negated ? `(?:(?!${any})[^])` : `(?:${any})`;
  }

  private range(): string {
    const from = this.member();
    const to = this.match(/-(?!\])/y) ? this.member() : from;
    const more = this.same.some((point) => from <= point && point <= to) ? this.same.map(literal).join("") : "";
    return `${literal(from)}-${literal(to)}${more}`;
  }

  private member(): number {
    return this.match(/\\/y) ? this.escaped() : this.point();
  }

  private point(): number {
    const point = this.pattern.codePointAt(this.at);
    if (point === undefined) throw new SyntaxError("unterminated");
    this.at += point > 0xffff ? 2 : 1;
    return point;
  }

  private match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.pattern)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }
}
