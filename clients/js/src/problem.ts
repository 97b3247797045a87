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

/** Tells of an unfit id, once: whoever sends one sends many. */
export function unfitId(tell: Tell): () => void {
  let told = false;
  return () => {
    if (!told) tell("a unit id is unfit, its answers are the default: a text of 1 to 512 characters is wanted");
    told = true;
  };
}
