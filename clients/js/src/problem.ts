/** Told in words what went wrong; nothing is ever thrown into the page. */
export type Tell = (problem: string) => void;

/** Somebody else's function, which may throw without harm. */
export const quietly =
  (tell: Tell | undefined): Tell =>
  (problem) => {
    try {
      tell?.(problem);
    } catch {
      // Theirs.
    }
  };
