// Catalog documents out of the golden vectors, which others made (tests/golden/reference.py).
import { existsSync, readFileSync } from "node:fs";

const ROOT = new URL("../../../", import.meta.url);
const json = (path) => JSON.parse(readFileSync(new URL(path, ROOT), "utf-8"));

export const GOLDEN = new Map([1, 2].map((version) => [version, json(`tests/golden/assignment_v${version}.json`)]));

const VECTORS = "../shared/data/growthbook_vectors.json";
export const CONDITIONS = existsSync(new URL(VECTORS, ROOT)) ? json(VECTORS).evalCondition : null;

export const catalog = (...experiments) => ({ schema: "winnow.catalog/1", version: 1, experiments });

const HALVES = [{ start: 0, end: 5000, variant: "a" }, { start: 5000, end: 10000, variant: "b" }];
export const everyone = { key: "everyone", condition: {}, traffic_bp: 10000, ranges: HALVES, after_stop: "a" };

// Halves of everybody, `a` (the control) and `b`.
export const experiment = (changes = {}) => ({
  key: "banner", status: "running", version: 3, epoch: 2, unit_type: "customer", randomisation: "winnow",
  exposure_policy: "on_event", bucketing: 1, salt: "banner", layer: null, control: "a",
  variants: [{ key: "a", content: { text: "old" } }, { key: "b", content: { text: "new" } }],
  segments: [everyone], forced: {}, ...changes,
});

// The experiment of a golden file; a segment takes the units whose `s` names it.
export const fromGolden = (key, { bucketing = 1, salt, layer, control, variants, forced = {}, segments }) =>
  experiment({
    key, bucketing, salt, control, forced,
    layer: layer ? { key: "l", bucketing: 1, ...layer } : null,
    variants: variants.map((variant) => ({ key: variant, content: null })),
    segments: segments.map(({ segment, traffic_bp, ranges }) => ({
      key: segment, condition: segment === "everyone" ? {} : { s: segment }, traffic_bp, ranges, after_stop: control,
    })),
  });
