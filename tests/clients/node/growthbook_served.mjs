// GrowthBook's own SDK against a running server: features and what is tracked, per unit; local or remote evaluation.
import { readFileSync } from "node:fs";
import { GrowthBook, clearCache } from "@growthbook/growthbook";

const { apiHost, clientKey, remoteEval, keys, units, forcedVariations } = JSON.parse(readFileSync(0, "utf8"));
const told = [];
for (const attributes of units) {
  const tracked = [];
  const client = new GrowthBook({
    apiHost,
    clientKey,
    remoteEval,
    attributes,
    forcedVariations,
    trackingCallback: (experiment, result) =>
      tracked.push([experiment.key, experiment.phase, experiment.name, result.key, String(result.hashValue)]),
  });
  const { success } = await client.init({ timeout: 10000, skipCache: remoteEval });
  const features = Object.fromEntries(
    keys.map((key) => [key, { value: client.getFeatureValue(key, "unknown"), source: client.evalFeature(key).source }]),
  );
  told.push({ success, features, tracked });
  client.destroy();
}
await clearCache();
process.stdout.write(JSON.stringify(told));
