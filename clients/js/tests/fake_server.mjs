// A server that answers as it is told, and remembers what it was asked.
import { createServer } from "node:http";
import { once } from "node:events";

export const KEY = "wk_test_secret";

export class FakeServer {
  // Given first, one per request for events: [status, headers].
  refusals = [];
  lostAnswers = 0;
  delayMs = 0;
  status = 200;
  headers = {};
  assignments = {};
  catalog = null;
  // The code that an item is rejected with, undefined for one that is taken.
  judge = (item) => (item.name === "bad" ? "key_invalid" : undefined);
  identified = [200, {}, { bucketed_by: "anonymous_id" }];
  asked = [];
  stored = new Map();

  async start(port = 0) {
    this.http = createServer((request, response) => void this.#answer(request, response));
    this.http.listen(port, "127.0.0.1");
    await once(this.http, "listening");
    this.url = `http://127.0.0.1:${this.http.address().port}`;
    return this;
  }

  async stop() {
    this.http.closeAllConnections();
    this.http.close();
  }

  posted(path = "/v1/events") {
    return this.asked.filter((asked) => asked.path === path).map((asked) => asked.body);
  }

  async #answer(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body = text ? JSON.parse(text) : null;
    this.asked.push({ path: request.url, headers: request.headers, body });
    if (this.delayMs) await new Promise((done) => setTimeout(done, this.delayMs));
    const [status, headers, answer] = this.#say(request, body);
    if (request.url === "/v1/events" && status === 202 && this.lostAnswers-- > 0) return response.destroy();
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(answer === null ? "" : JSON.stringify(answer));
  }

  #say(request, body) {
    if (request.url === "/v1/events") return this.#events(body.items);
    if (this.status !== 200) return [this.status, this.headers, {}];
    if (request.url === "/v1/catalog") {
      const tag = `"${this.catalog.version}"`;
      if (request.headers["if-none-match"] === tag) return [304, { ETag: tag }, null];
      return [200, { ETag: tag }, this.catalog];
    }
    if (request.url === "/v1/identify") return this.identified;
    const found = this.assignments[body.experiment];
    return found ? [200, {}, { assignments: [found] }] : [404, {}, { status: 404 }];
  }

  #events(items) {
    if (this.refusals.length) {
      const [status, headers = {}] = this.refusals.shift();
      return [status, headers, { status }];
    }
    const verdicts = items.map((item) => {
      const code = this.judge(item);
      if (code) return { event_id: item.event_id, status: "rejected", code };
      const status = this.stored.has(item.event_id) ? "duplicate" : "accepted";
      this.stored.set(item.event_id, item);
      return { event_id: item.event_id, status };
    });
    return [202, {}, { items: verdicts }];
  }
}

export class FakeStore {
  kept = new Map();
  get length() {
    return this.kept.size;
  }
  key = (at) => [...this.kept.keys()][at] ?? null;
  getItem = (name) => this.kept.get(name) ?? null;
  setItem = (name, value) => void this.kept.set(name, value);
  removeItem = (name) => void this.kept.delete(name);
}

export async function until(holds) {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it never came");
    await new Promise((done) => setTimeout(done, 5));
  }
}
