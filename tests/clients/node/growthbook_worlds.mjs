// Evaluates payloads for units with GrowthBook's own SDK: what is shown, and what is tracked.
import { readFileSync } from "node:fs";
import { GrowthBook } from "@growthbook/growthbook";

const worlds = JSON.parse(readFileSync(0, "utf8"));
const told = worlds.map(({ key, payload, units }) =>
  units.map((attributes) => {
    const tracked = [];
    const client = new GrowthBook({
      attributes,
      trackingCallback: (experiment, result) =>
        tracked.push([experiment.key, experiment.phase, experiment.name, result.key]),
    }).initSync({ payload });
    const { value, source } = client.evalFeature(key);
    client.destroy();
    return { value, source, tracked };
  }),
);
process.stdout.write(JSON.stringify(told));
