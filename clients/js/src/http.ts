export interface Reply {
  /** 0 where no answer came. */
  readonly status: number;
  readonly body: unknown;
  readonly etag: string | null;
  /** The server's wish (Retry-After), an hour at most, 0 without one. */
  readonly retryAfterMs: number;
}

export type Ask = (path: string, options: { body?: string; etag?: string; last?: boolean }) => Promise<Reply>;

/** A timer holds 24 days at most, and runs at once beyond. */
const LONGEST_WISH_MS = 3_600_000;

const NONE: Reply = { status: 0, body: null, etag: null, retryAfterMs: 0 };

/** Asks one server. The promise always resolves; `last`: the page is going, the request shall outlive it. */
export function server(url: string, key: string, timeoutMs: number, fetcher: typeof fetch): Ask {
  const base = url.replace(/\/+$/, "");
  return async (path, { body, etag, last }) => {
    const gone = new AbortController();
    const timer = last ? undefined : setTimeout(() => gone.abort(), timeoutMs);
    try {
      const answer = await fetcher(base + path, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          Authorization: `Bearer ${key}`,
          ...(body !== undefined && { "Content-Type": "application/json" }),
          ...(etag && { "If-None-Match": etag }),
        },
        // The key goes to no other place than the one that was given.
        redirect: "error",
        credentials: "omit",
        signal: gone.signal,
        ...(body !== undefined && { body }),
        ...(last && { keepalive: true }),
      });
      const document = await answer.json().catch(() => null);
      // In time it began at most.
      if (gone.signal.aborted) return NONE;
      const seconds = Number(answer.headers.get("Retry-After"));
      return {
        status: answer.status,
        body: document,
        etag: answer.headers.get("ETag"),
        retryAfterMs: seconds > 0 ? Math.min(seconds * 1000, LONGEST_WISH_MS) : 0,
      };
    } catch {
      return NONE;
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Doubling waits up to a minute, drawn from their upper half so that many clients do not come back at once. */
export const backoffMs = (failures: number, first: number): number =>
  Math.min(60_000, first * 2 ** Math.min(failures - 1, 16)) * (0.5 + Math.random() / 2);
