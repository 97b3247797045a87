/** One bucket is one basis point of units. */
export const BUCKETS = 10_000;

/** Unit id -> its place among `count`. */
export type Place = (unitId: string) => number;

/** A version of bucketing: a contract that never changes. */
export interface Bucketing {
  readonly count: number;
  readonly places: (salt: string) => Place;
}

/** The lowest place in a bucket; comparing places saves making buckets of them. */
export const edge = (bucketing: Bucketing, bucket: number): number => Math.ceil((bucket * bucketing.count) / BUCKETS);

/** The UTF-8 bytes of a code point, the first one lowest. */
function bytes(point: number): number {
  if (point < 0x80) return point;
  const last = 0x80 | (point & 63);
  if (point < 0x800) return 0xc0 | (point >> 6) | (last << 8);
  const third = 0x80 | ((point >> 6) & 63);
  if (point < 0x10000) return 0xe0 | (point >> 12) | (third << 8) | (last << 16);
  return 0xf0 | (point >> 18) | ((0x80 | ((point >> 12) & 63)) << 8) | (third << 16) | (last << 24);
}

const mixed = (block: number): number => {
  block = Math.imul(block, 0xcc9e2d51);
  return Math.imul((block << 15) | (block >>> 17), 0x1b873593);
};

/** MurmurHash3_x86_32 of `salt:unitId` in UTF-8, seed 0, without an array of bytes; the salt is read once. */
function murmur(salt: string): Place {
  let state = 0;
  let block = 0;
  let shift = 0;
  let length = 0;

  function feed(text: string): void {
    for (let at = 0; at < text.length; at++) {
      let point = text.charCodeAt(at);
      if (point >= 0xd800 && point < 0xe000) {
        point = text.codePointAt(at) as number;
        if (point > 0xffff) at++;
        else point = 0xfffd;
      }
      let rest = bytes(point);
      do {
        block |= (rest & 255) << shift;
        length++;
        shift += 8;
        if (shift === 32) {
          state ^= mixed(block);
          state = (Math.imul((state << 13) | (state >>> 19), 5) + 0xe6546b64) | 0;
          block = shift = 0;
        }
        rest >>>= 8;
      } while (rest);
    }
  }

  feed(`${salt}:`);
  const [state0, block0, shift0, length0] = [state, block, shift, length];
  return (unitId) => {
    state = state0;
    block = block0;
    shift = shift0;
    length = length0;
    feed(unitId);
    let hash = state ^ (shift ? mixed(block) : 0) ^ length;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  };
}

/** FNV-1a of 32 bits over UTF-16 units, from a state on. */
export function fnv1a(text: string, state = 0x811c9dc5): number {
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  return state >>> 0;
}

function fnv(salt: string): Place {
  const salted = fnv1a(salt);
  return (unitId) => fnv1a(String(fnv1a(unitId, salted))) % BUCKETS;
}

export const BUCKETINGS: { readonly [version: number]: Bucketing | undefined } = {
  1: { count: 2 ** 32, places: murmur },
  2: { count: BUCKETS, places: fnv },
};
