// Decide for the units of a folder, as tests/clients/agreement/sides.py lays it out.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Catalog } from "../../../clients/js/dist/local.js";

const folder = process.argv[2];
const read = (name) => readFileSync(join(folder, name), "utf-8");
const catalog = Catalog.of(JSON.parse(read("catalog.json")));
if (catalog.skipped.size) throw new Error([...catalog.skipped].join("; "));
const keys = JSON.parse(read("keys.json"));
const lines = read("units.ndjson").split("\n");

const known = new Map();
const numbers = new Uint16Array(lines.length * keys.length);
let at = 0;
for (const line of lines) {
  const [unitId, attributes] = JSON.parse(line);
  for (const key of keys) {
    const answer = catalog.assign(unitId, attributes, key);
    let number = known.get(answer);
    if (number === undefined) known.set(answer, (number = known.size));
    numbers[at++] = number;
  }
}
writeFileSync(join(folder, "numbers.u16"), numbers);
writeFileSync(join(folder, "answers.json"), JSON.stringify([...known.keys()]));
