// OpenFeature's server SDK for Node with `@openfeature/ofrep-provider`, unchanged. Prints one line of JSON per answer.
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const { BASE_URL, KEY } = process.env;
await OpenFeature.setProviderAndWait(
  new OFREPProvider({ baseUrl: BASE_URL, headers: [['Authorization', `Bearer ${KEY}`]] }),
);
const client = OpenFeature.getClient();
const ask = {
  boolean: (key, value, context) => client.getBooleanDetails(key, value, context),
  string: (key, value, context) => client.getStringDetails(key, value, context),
  number: (key, value, context) => client.getNumberDetails(key, value, context),
  object: (key, value, context) => client.getObjectDetails(key, value, context),
};
for (const question of JSON.parse(process.argv[2])) {
  const details = await ask[typeof question.default](question.key, question.default, question.context);
  console.log(JSON.stringify(details));
}
