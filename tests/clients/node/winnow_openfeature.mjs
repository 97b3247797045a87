// Winnow's tracking and exposures with OpenFeature's own SDK for servers; prints what its client queued.
import { OpenFeature } from "@openfeature/server-sdk";
import { createClient } from "../../../clients/js/dist/index.js";
import { exposing, withTracking } from "../../../clients/js/dist/openfeature.js";

const sent = [];
const fetch = async (_, { body }) => {
  const { items } = JSON.parse(body);
  sent.push(...items);
  return new Response(JSON.stringify({ items: items.map(() => ({ status: "accepted" })) }), { status: 202 });
};
const winnow = createClient({ url: "http://winnow.test", key: "wk_a_b", fetch });

// What OFREP's provider gives of one of Winnow's answers.
const flagMetadata = { experiment: "headline", version: 4, segment: "everyone", variant: "bold", counted: true };
const resolve = async () => ({ value: { text: "Start" }, variant: "bold", reason: "SPLIT", flagMetadata });
const provider = {
  metadata: { name: "served" },
  resolveObjectEvaluation: resolve,
  resolveStringEvaluation: resolve,
  resolveNumberEvaluation: resolve,
  resolveBooleanEvaluation: resolve,
};

await OpenFeature.setProviderAndWait(withTracking(provider, winnow));
OpenFeature.addHooks(exposing(winnow));
const client = OpenFeature.getClient();
const context = { targetingKey: "u1", country: "NL" };
const value = await client.getObjectValue("headline", {}, context);
await client.getObjectValue("headline", {}, context);
client.track("purchase", context, { value: 12.5, currency: "EUR" });
client.track("signup", context);
await winnow.flush();
await OpenFeature.close();
process.stdout.write(JSON.stringify({ value, sent }));
