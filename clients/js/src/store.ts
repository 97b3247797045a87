/** What is kept between pages; `localStorage` is one. */
export interface Store {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
  readonly length?: number;
  key?(index: number): string | null;
}

/** `localStorage` where there is one: merely asking for it throws where a browser forbids it. */
export function localStore(): Store | null {
  try {
    // Node 22 and newer have one that warns unless it is configured: there the memory does.
    return typeof document === "undefined" ? null : globalThis.localStorage;
  } catch {
    return null;
  }
}

export function read(store: Store | null, name: string): unknown {
  try {
    return JSON.parse(store?.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

/** 64 bits of hash over a JSON value. */
export function digest(value: unknown): string {
  const text = JSON.stringify(value);
  return [0x811c9dc5, 0x9747b28c].map((seed) => fnv(text, seed).toString(36)).join("-");
}

function fnv(text: string, state: number): number {
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  return state >>> 0;
}

/** A full or forbidden store keeps nothing, and that is all. */
export function write(store: Store | null, name: string, value: unknown): void {
  try {
    if (value === null) store?.removeItem(name);
    else store?.setItem(name, JSON.stringify(value));
  } catch {
    // As said.
  }
}

export function names(store: Store | null, prefix: string): string[] {
  const found: string[] = [];
  try {
    for (let at = 0; at < (store?.length ?? 0); at++) {
      const name = store?.key?.(at);
      if (name?.startsWith(prefix)) found.push(name);
    }
  } catch {
    // As said.
  }
  return found;
}
