// Winnow's own client against a running server: what it shows, remote and local, and what became of its reports.
import { readFileSync } from "node:fs";
import { createClient } from "../../../clients/js/dist/index.js";
import { Follower } from "../../../clients/js/dist/local.js";

const { url, clientKey, secretKey, keys, units } = JSON.parse(readFileSync(0, "utf8"));
const problems = [];
const onProblem = (problem) => problems.push(problem);

const winnow = createClient({ url, key: clientKey, onProblem, timeoutMs: 10_000 });
const follower = new Follower({ url, key: secretKey, onProblem, timeoutMs: 10_000 });
if (!(await follower.ready)) throw new Error(problems.join("; "));

const [remote, local] = [[], []];
for (const { id, ...attributes } of units) {
  const unitId = String(id);
  for (const key of keys) {
    const shown = await winnow.assign(unitId, attributes, key);
    remote.push(shown);
    winnow.expose(unitId, shown);
    const { exposes, ...decided } = follower.catalog.assign(unitId, attributes, key);
    local.push(decided);
  }
  winnow.track(unitId, "visit", 1.5);
}
const flushed = await winnow.flush();
follower.stop();
process.stdout.write(JSON.stringify({ remote, local, flushed, stats: winnow.stats(), problems }));
