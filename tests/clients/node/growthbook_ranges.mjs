// Which range a bucket falls into, by the SDK's own arithmetic: every bucket of [0, 10000) for each list of ranges.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const { chooseVariation } = require(join(dirname(require.resolve("@growthbook/growthbook")), "util.js"));
const told = JSON.parse(readFileSync(0, "utf8")).map((ranges) =>
  Array.from({ length: 10000 }, (_, bucket) => chooseVariation((bucket % 10000) / 10000, ranges)),
);
process.stdout.write(JSON.stringify(told));
