// OpenFeature's web SDK with `@openfeature/ofrep-web-provider`, unchanged. Prints one line of JSON per thing it tells.
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const { BASE_URL, KEY } = process.env;
const [mode, given] = process.argv.slice(2);
const { context, flags = [] } = JSON.parse(given);
const tell = (what) => console.log(JSON.stringify(what));

// What browsers have and Node 20 lacks: as much of an EventSource as a provider sees.
globalThis.EventSource = class extends EventTarget {
  constructor(url) {
    super();
    this.readyState = 0;
    this.stopping = new AbortController();
    this.read(url);
  }
  async read(url) {
    const response = await fetch(url, { signal: this.stopping.signal, headers: { Accept: 'text/event-stream' } });
    if (response.status !== 200) {
      this.readyState = 2;
      tell({ refused: response.status });
      this.dispatchEvent(new Event('error'));
      return;
    }
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
    tell({ opened: new URL(url).pathname, type: response.headers.get('Content-Type') });
    let text = '';
    try {
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const blocks = text.split('\n\n');
        text = blocks.pop();
        for (const block of blocks) {
          const lines = block.split('\n').filter((line) => line.startsWith('data: '));
          if (lines.length) {
            const data = lines.map((line) => line.slice(6)).join('\n');
            this.dispatchEvent(new MessageEvent('message', { data }));
          }
        }
      }
    } catch {
      // closed
    }
  }
  close() {
    this.readyState = 2;
    this.stopping.abort();
  }
};

const requests = [];
async function watched(request, options) {
  const response = await fetch(request, options);
  const held = request.headers.get('If-None-Match');
  const { search } = new URL(request.url);
  requests.push({ status: response.status, held, search, tag: response.headers.get('ETag') });
  const unchanged = requests.filter((one) => one.status === 304).length;
  if (mode === 'poll' && response.status === 304 && unchanged === 2) tell({ requests });
  return response;
}

const provider = new OFREPWebProvider({
  baseUrl: BASE_URL,
  headers: [['Authorization', `Bearer ${KEY}`]],
  fetchImplementation: watched,
  cacheMode: 'disabled',
  changeDetection: { poll: 'polling', stream: 'sse' }[mode] ?? 'none',
  pollInterval: mode === 'poll' ? 100 : 0,
});
const client = OpenFeature.getClient();
const ask = {
  boolean: (key, value) => client.getBooleanDetails(key, value),
  string: (key, value) => client.getStringDetails(key, value),
  number: (key, value) => client.getNumberDetails(key, value),
  object: (key, value) => client.getObjectDetails(key, value),
};
const answer = () => flags.forEach((flag) => tell(ask[typeof flag.default](flag.key, flag.default)));

await OpenFeature.setContext(context);
try {
  await OpenFeature.setProviderAndWait(provider);
} catch (error) {
  tell({ failed: error.message, code: error.code, cause: error.cause?.message, requests });
}
answer();
if (mode === 'values') {
  await OpenFeature.close();
} else {
  client.addHandler(ProviderEvents.ConfigurationChanged, async ({ flagsChanged }) => {
    if (!flagsChanged.length) return;
    tell({ changed: flagsChanged, last: requests.at(-1) });
    answer();
    await OpenFeature.close();
    process.exit(0);
  });
}
