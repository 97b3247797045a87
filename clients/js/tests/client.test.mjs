// The client against a server that is there, is slow, refuses, loses answers, or is away.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createClient } from "../dist/index.js";
import { exposing, withTracking } from "../dist/openfeature.js";
import { FakeServer, FakeStore, KEY, until } from "./fake_server.mjs";

const SHOWN = {
  experiment: "headline", version: 4, epoch: 2, segment: "everyone", variant: "bold", content: { text: "Start" },
  reason: "assigned", counted: true,
};
let server;
let told;

beforeEach(async () => {
  server = await new FakeServer().start();
  server.assignments.headline = SHOWN;
  told = [];
});
afterEach(() => server.stop());

const client = (changes = {}) =>
  createClient({
    url: `${server.url}/`, key: KEY, intervalMs: 5, retryMs: 5, onProblem: (text) => told.push(text), ...changes,
  });

test("it asks once, with the key, and answers from the cache then", async () => {
  const winnow = client();
  const [one, two] = await Promise.all([1, 2].map(() => winnow.assign("Müller", { b: 1, a: 2 }, "headline")));
  assert.deepEqual([one, two], [SHOWN, SHOWN]);
  assert.deepEqual(await winnow.assign("Müller", { a: 2, b: 1 }, "headline"), SHOWN);
  assert.equal(server.asked.length, 1);
  const [{ path, headers, body }] = server.asked;
  assert.equal(path, "/v1/assignments");
  assert.equal(headers.authorization, `Bearer ${KEY}`);
  assert.deepEqual(body, { unit_id: "Müller", attributes: { b: 1, a: 2 }, experiment: "headline" });
  for (const [unit, attributes] of [["Maier", { a: 2, b: 1 }], ["Müller", { a: 2, b: 2 }], ["Müller", {}]]) {
    await winnow.assign(unit, attributes, "headline");
  }
  assert.equal(server.asked.length, 4);
});

test("an answer that is no longer fresh is asked for again, and serves where the server is away", async () => {
  const store = new FakeStore();
  await client({ store }).assign("u1", {}, "headline");
  const later = client({ store, freshMs: 0 });
  server.assignments.headline = { ...SHOWN, variant: "plain" };
  assert.equal((await later.assign("u1", {}, "headline")).variant, "plain");
  server.status = 503;
  assert.equal((await later.assign("u1", {}, "headline")).variant, "plain");
  assert.deepEqual(told, ["no answer for headline, the server answers 503"]);
  assert.equal((await client({ store, freshMs: 0, staleMs: 0 }).assign("u1", {}, "headline", "mine")).content, "mine");
});

for (const [status, headers] of [[429, { "Retry-After": "1" }], [403, {}], [503, {}], [401, {}], [500, {}]]) {
  test(`after ${status} it is quiet for a while, and answers at once meanwhile`, async () => {
    const winnow = client({ freshMs: 0, retryMs: 1_000 });
    await winnow.assign("u1", {}, "headline");
    Object.assign(server, { status, headers });
    for (let n = 0; n < 50; n++) assert.equal((await winnow.assign("u1", {}, "headline")).variant, "bold");
    assert.equal((await winnow.assign("u2", {}, "headline", "mine")).content, "mine");
    assert.equal(server.asked.length, 2);
    assert.deepEqual(told, [`no answer for headline, the server answers ${status}`]);
    server.status = 200;
    const began = performance.now();
    await until(async () => (await winnow.assign("u2", {}, "headline")).variant === "bold");
    // A second if the server says so; else between the half and the whole of what is waited first.
    assert.ok(performance.now() - began > (status === 429 ? 900 : 400));
    assert.equal(server.asked.length, 3);
  });
}

test("a server that hangs is waited for once, not by everything on the page in turn", async () => {
  server.delayMs = 10_000;
  const winnow = client({ timeoutMs: 100, retryMs: 10_000 });
  for (const unit of ["u1", "u2", "u3", "u4"]) {
    assert.equal((await winnow.assign(unit, {}, "headline", "mine")).content, "mine");
  }
  assert.equal(server.asked.length, 1);
});

test("a server whose answer breaks off is away, too", async () => {
  const stalled = createServer((_, response) => response.writeHead(200, { "Content-Type": "application/json" }).write('{"assign'));
  stalled.listen(0, "127.0.0.1");
  await once(stalled, "listening");
  let asked = 0;
  stalled.on("request", () => asked++);
  const winnow = client({ url: `http://127.0.0.1:${stalled.address().port}`, timeoutMs: 100, retryMs: 10_000 });
  try {
    for (const unit of ["u1", "u2", "u3"]) {
      assert.equal((await winnow.assign(unit, {}, "headline", "mine")).content, "mine");
    }
  } finally {
    stalled.closeAllConnections();
    stalled.close();
  }
  assert.equal(asked, 1);
  assert.deepEqual(told, ["no answer for headline, the server answers nothing"]);
});

test("who asks for what is being asked already is answered alike, whatever else is refused meanwhile", async () => {
  server.assignments.slow = { ...SHOWN, experiment: "slow" };
  const winnow = client({ retryMs: 10_000 });
  server.delayMs = 150;
  const first = winnow.assign("u1", {}, "slow");
  await until(() => server.asked.length === 1);
  Object.assign(server, { status: 503, delayMs: 0 });
  await winnow.assign("u1", {}, "headline");
  server.status = 200;
  assert.deepEqual([await winnow.assign("u1", {}, "slow", "mine"), await first].map((one) => one.variant), ["bold", "bold"]);
});

test("a question that is refused for itself keeps no other from being asked", async () => {
  const winnow = client({ retryMs: 10_000 });
  for (const status of [404, 422, 400]) {
    server.status = status;
    await winnow.assign(`u${status}`, {}, "headline");
  }
  server.status = 200;
  assert.equal((await winnow.assign("u1", {}, "headline")).variant, "bold");
});

test("the store keeps neither ids nor attributes in clear", async () => {
  const store = new FakeStore();
  await client({ store }).assign("someone@example.com", { iban: "NL00" }, "headline");
  const text = JSON.stringify([...store.kept]);
  assert.ok(text.includes("headline"));
  assert.ok(!text.includes("someone") && !text.includes("NL00"));
});

test("an experiment that is gone is not answered from the cache", async () => {
  const winnow = client({ freshMs: 0 });
  await winnow.assign("u1", {}, "headline");
  server.assignments = {};
  assert.equal((await winnow.assign("u1", {}, "headline", "mine")).content, "mine");
});

test("who is identified is asked about again, also where an answer was under way", async () => {
  const store = new FakeStore();
  const winnow = client({ store });
  await winnow.assign("customer", {}, "headline");
  server.delayMs = 100;
  const underWay = winnow.assign("customer", { late: 1 }, "headline");
  await until(() => server.asked.length === 2);
  server.delayMs = 0;
  assert.equal(await winnow.identify("device", 42), true);
  assert.deepEqual(server.posted("/v1/identify"), [{ anonymous_id: "device", unit_id: "42" }]);
  await underWay;
  server.assignments.headline = { ...SHOWN, variant: "plain" };
  for (const attributes of [{}, { late: 1 }]) {
    assert.equal((await winnow.assign("customer", attributes, "headline")).variant, "plain");
  }
  assert.ok(!JSON.stringify([...store.kept]).includes("bold"));
});

test("who is identified in one tab is so in all of them", async () => {
  const store = new FakeStore();
  const [one, other] = [client({ store }), client({ store })];
  for (const tab of [one, other]) await tab.assign("customer", {}, "headline");
  server.delayMs = 100;
  const underWay = other.assign("customer", { late: 1 }, "headline");
  await until(() => server.asked.length === 2);
  server.delayMs = 0;
  await one.identify("device", "customer");
  await underWay;
  server.assignments.headline = { ...SHOWN, variant: "plain" };
  // The other tab writes, and that brings nothing back.
  server.assignments.two = { ...SHOWN, experiment: "two", variant: "third" };
  await other.assign("customer", {}, "two");
  assert.ok(!JSON.stringify([...store.kept]).includes("bold"));
  for (const tab of [other, client({ store })]) {
    for (const attributes of [{}, { late: 1 }]) {
      assert.equal((await tab.assign("customer", attributes, "headline")).variant, "plain");
    }
  }
});

test("who is refused is told, and nothing is forgotten", async () => {
  const winnow = client();
  await winnow.assign("customer", {}, "headline");
  server.identified = [409, {}, { code: "identity_taken" }];
  assert.equal(await winnow.identify("device", "customer"), false);
  assert.equal(await winnow.identify("device", ""), false);
  await server.stop();
  assert.equal(await winnow.identify("device", "customer"), false);
  assert.equal(told[0], "not identified, the server answers identity_taken");
  assert.equal(told.at(-1), "not identified, the server answers 0");
  assert.equal((await winnow.assign("customer", {}, "headline")).variant, "bold");
  await server.start();
});

test("the channel goes on questions, exposures and events", async () => {
  const winnow = client({ channel: "app" });
  const shown = await winnow.assign("u1", {}, "headline");
  winnow.expose("u1", shown);
  winnow.track("u1", "visit");
  await winnow.flush();
  assert.deepEqual(server.posted("/v1/assignments").map((body) => body.channel), ["app"]);
  assert.deepEqual(server.posted().flatMap((body) => body.items).map((item) => item.channel), ["app", "app"]);
});

test("a slow server is not waited for", async () => {
  server.delayMs = 2_000;
  const started = Date.now();
  const shown = await client({ timeoutMs: 50 }).assign("u1", {}, "headline", { text: "Welcome" });
  assert.ok(Date.now() - started < 1_500);
  assert.deepEqual([shown.content, shown.variant, shown.reason, shown.counted], [
    { text: "Welcome" }, null, "default", false,
  ]);
});

test("nothing is thrown into the page", async () => {
  const broken = { getItem() { throw new Error("no"); }, setItem() { throw new Error("no"); }, removeItem() {} };
  const winnow = client({ store: broken, onProblem: () => { throw new Error("theirs"); }, fetch: () => { throw new Error("x"); } });
  for (const id of ["", "a\nb", "\ud800", "x".repeat(513), 4.5, null, undefined, "fine"]) {
    assert.equal((await winnow.assign(id, {}, "headline", "mine")).content, "mine");
    assert.equal(winnow.track(id, "view", NaN), false);
  }
  const circle = {};
  circle.circle = circle;
  assert.equal((await winnow.assign("u1", circle, "headline", "mine")).content, "mine");
  assert.equal(await winnow.flush(), true);
});

test("what JSON cannot write is refused, and blocks nothing", async () => {
  const winnow = client();
  const circle = {};
  circle.circle = circle;
  for (const name of [7n, Symbol("s"), circle, undefined, null, 5]) assert.equal(winnow.track("u1", name), false);
  for (const id of [1001n, Symbol("s"), circle, 1001]) assert.equal(winnow.track("u1", "purchase", 49.9, id), false);
  assert.equal(winnow.track("u1", "purchase", 7n), false);
  for (const shown of [{ ...SHOWN, version: 4n }, { ...SHOWN, segment: circle }, null, undefined]) {
    assert.equal(winnow.expose("u1", shown), false);
  }
  assert.equal(told.length, 15);
  assert.equal(told[6], "event purchase was not taken: its unit id, name, value or event id is unfit");
  assert.equal(winnow.stats().waiting, 0);
  assert.equal(client({ channel: 1n }).track("u1", "view"), false);
  assert.equal(winnow.track("u1", "view"), true);
  await until(() => winnow.stats().accepted === 1);
});

test("what the server takes of nobody is refused at once, and told", () => {
  const winnow = client({ intervalMs: 60_000 });
  for (const name of ["", "last words", "-view", "ü", "x".repeat(101), "x".repeat(3_000_000)]) {
    assert.equal(winnow.track("u1", name), false);
  }
  for (const id of ["", "a\nb", "\ud800", "x".repeat(513)]) assert.equal(winnow.track("u1", "view", null, id), false);
  assert.equal(told.length, 10);
  for (const name of ["7", "A-b._c", "x".repeat(100)]) assert.equal(winnow.track("u1", name), true);
  assert.equal(winnow.track("u1", "view", null, "😀".repeat(512)), true);
  assert.equal(winnow.stats().waiting, 4);
});

test("a batch stays below a megabyte", async () => {
  const sizes = [];
  const spy = (url, init) => {
    sizes.push(Buffer.byteLength(init.body));
    return fetch(url, init);
  };
  const winnow = client({ batchSize: 100, intervalMs: 60_000, fetch: spy });
  for (let number = 0; number < 90; number++) winnow.expose("u1", { ...SHOWN, segment: `${number}`.padEnd(20_000, "s") });
  assert.equal(await winnow.flush(), true);
  assert.equal(winnow.stats().accepted, 90);
  assert.ok(sizes.length === 2 && sizes[0] > 900_000 && sizes[0] < 1_000_012, String(sizes));
});

test("an exposure that was rejected or dropped is reported again when it is shown again", async () => {
  const winnow = client({ intervalMs: 60_000 });
  server.judge = (item) => (item.unit_id === "u2" ? "no_consent" : undefined);
  winnow.expose("u1", SHOWN);
  winnow.expose("u2", SHOWN);
  await winnow.flush();
  server.judge = () => undefined;
  winnow.expose("u1", SHOWN);
  winnow.expose("u2", SHOWN);
  await winnow.flush();
  server.refusals = [[403]];
  winnow.expose("u3", SHOWN);
  await winnow.flush();
  winnow.expose("u3", SHOWN);
  await winnow.flush();
  assert.deepEqual(winnow.stats(), { accepted: 3, duplicate: 0, rejected: 1, dropped: 1, waiting: 0 });
  assert.deepEqual([...server.stored.values()].map((item) => item.unit_id), ["u1", "u2", "u3"]);
});

test("who did not consent is asked about again", async () => {
  const winnow = client({ freshMs: 0 });
  await winnow.assign("u1", {}, "headline");
  server.assignments.headline = { ...SHOWN, reason: "no_consent", counted: false };
  assert.equal((await winnow.assign("u1", {}, "headline")).reason, "no_consent");
  server.status = 503;
  assert.equal((await winnow.assign("u1", {}, "headline", "mine")).content, "mine");
  server.status = 200;
  const fresh = client();
  assert.equal((await fresh.assign("u1", {}, "headline")).reason, "no_consent");
  server.assignments.headline = SHOWN;
  assert.deepEqual(await fresh.assign("u1", {}, "headline"), SHOWN);
});

test("a date that changed is another question", async () => {
  const winnow = client();
  for (const day of ["2026-01-01", "2026-01-02", "2026-01-02"]) {
    await winnow.assign("u1", { since: new Date(day) }, "headline");
  }
  assert.equal(server.asked.length, 2);
});

test("a whole number is its digits", async () => {
  const winnow = client();
  assert.deepEqual(await winnow.assign(12345, {}, "headline"), SHOWN);
  assert.deepEqual(await winnow.assign("12345", {}, "headline"), SHOWN);
  assert.equal(winnow.expose(12345, SHOWN), true);
  assert.equal(winnow.track(12345, "signup"), true);
  assert.equal(await winnow.flush(), true);
  assert.deepEqual(server.posted("/v1/assignments").map((body) => body.unit_id), ["12345"]);
  assert.deepEqual([...server.stored.values()].map((item) => item.unit_id), ["12345", "12345"]);
  assert.deepEqual(told, []);
});

test("an unfit id is told once", async () => {
  const winnow = client();
  for (const id of ["", 4.5, 2 ** 53, null]) {
    assert.equal((await winnow.assign(id, {}, "headline", "mine")).content, "mine");
    assert.equal(winnow.expose(id, SHOWN), false);
  }
  assert.equal(told.length, 1);
  assert.match(told[0], /a unit id is unfit/);
  assert.equal(server.asked.length, 0);
});

test("events arrive as the API wants them", async () => {
  const winnow = client();
  assert.equal(winnow.expose("Müller", await winnow.assign("Müller", {}, "headline")), true);
  assert.equal(winnow.expose("Müller", SHOWN), true);
  assert.equal(winnow.track("Müller", "purchase", 12.5, "order-7"), true);
  assert.equal(winnow.track("Müller", "signup"), true);
  assert.equal(winnow.expose("Müller", { ...SHOWN, reason: "holdout", counted: false }), false);
  assert.equal(await winnow.flush(), true);
  const items = server.posted().flatMap((body) => body.items);
  const now = Date.now();
  for (const item of items) assert.ok(Math.abs(Date.parse(item.occurred_at) - now) < 60_000);
  assert.match(items[0].event_id, /^[0-9a-f-]{32,36}$/);
  assert.deepEqual(items.map(({ occurred_at, event_id, ...rest }) => rest), [
    { type: "exposure", unit_id: "Müller", experiment: "headline", version: 4, segment: "everyone", variant: "bold" },
    { type: "event", unit_id: "Müller", name: "purchase", value: 12.5 },
    { type: "event", unit_id: "Müller", name: "signup" },
  ]);
  assert.equal(items[1].event_id, "order-7");
  assert.deepEqual(winnow.stats(), { accepted: 3, duplicate: 0, rejected: 0, dropped: 0, waiting: 0 });
});

test("events are batched by size and by time", async () => {
  const winnow = client({ batchSize: 10, intervalMs: 60_000 });
  for (let number = 0; number < 10; number++) winnow.track("u1", "view");
  await until(() => server.stored.size === 10);
  const soon = client({ batchSize: 10, intervalMs: 20 });
  for (let number = 0; number < 3; number++) soon.track("u1", "view");
  await until(() => server.stored.size === 13);
  assert.deepEqual(server.posted().map((body) => body.items.length), [10, 3]);
});

test("refusals and a lost answer are retried with the same ids", async () => {
  server.refusals = [[503], [429, { "Retry-After": "0" }]];
  server.lostAnswers = 1;
  const winnow = client();
  winnow.track("u1", "view");
  await until(() => winnow.stats().waiting === 0);
  const tries = server.posted();
  assert.equal(tries.length, 4);
  for (const body of tries) assert.deepEqual(body, tries[0]);
  assert.equal(server.stored.size, 1);
  assert.equal(winnow.stats().duplicate, 1);
});

test("the server's wish is kept", async () => {
  server.refusals = [[503, { "Retry-After": "1" }]];
  const winnow = client();
  const started = Date.now();
  winnow.track("u1", "view");
  await until(() => winnow.stats().waiting === 0);
  assert.ok(Date.now() - started >= 1_000);
});

test("a wish for weeks is an hour", async () => {
  const waits = mock.method(globalThis, "setTimeout");
  server.refusals = [[503, { "Retry-After": "2592000" }]];
  const winnow = client();
  try {
    winnow.track("u1", "view");
    assert.equal(await winnow.flush(), false);
  } finally {
    waits.mock.restore();
  }
  assert.equal(waits.mock.calls.at(-1).arguments[1], 3_600_000);
});

test("what a fast clock dates in the future is sent again without its time, once", async () => {
  server.judge = (item) => (item.occurred_at || item.name === "odd" ? "occurred_in_future" : undefined);
  const winnow = client({ intervalMs: 60_000 });
  winnow.expose("u1", SHOWN);
  winnow.track("u1", "purchase", 12.5, "order-7");
  winnow.track("u1", "odd");
  assert.equal(await winnow.flush(), true);
  assert.deepEqual(winnow.stats(), { accepted: 2, duplicate: 0, rejected: 1, dropped: 0, waiting: 0 });
  assert.deepEqual(told, ["an event was rejected as occurred_in_future"]);
  const [first, second] = server.posted().map((body) => body.items);
  assert.deepEqual(second, first.map(({ occurred_at, ...rest }) => rest));
  winnow.expose("u1", SHOWN);
  assert.equal(winnow.stats().waiting, 0);
});

test("a batch that is too large is halved", async () => {
  server.refusals = [[413]];
  const winnow = client({ batchSize: 8, intervalMs: 60_000 });
  for (let number = 0; number < 8; number++) winnow.track("u1", "view");
  await winnow.flush();
  assert.deepEqual(server.posted().map((body) => body.items.length), [8, 4, 4]);
});

test("after a batch that was too large, batches grow again", async () => {
  server.refusals = [[413], [413]];
  const winnow = client({ batchSize: 8, intervalMs: 60_000 });
  for (let number = 0; number < 16; number++) winnow.track("u1", "view");
  await winnow.flush();
  assert.deepEqual(server.posted().map((body) => body.items.length), [8, 4, 2, 4, 8, 2]);
});

test("neither full batches nor halves of one that was too large wait for the interval", async () => {
  const winnow = client({ batchSize: 4, intervalMs: 60_000 });
  server.delayMs = 50;
  server.refusals = [[413]];
  for (let number = 0; number < 15; number++) winnow.track("u1", "view");
  await until(() => winnow.stats().accepted === 14);
  assert.deepEqual(server.posted().map((body) => body.items.length), [4, 2, 4, 4, 4]);
  assert.equal(winnow.stats().waiting, 1);
});

test("a refused key drops, rejected items are told, a full queue is told once", async () => {
  server.refusals = [[401]];
  const winnow = client({ capacity: 2, intervalMs: 60_000 });
  assert.deepEqual([1, 2, 3, 4].map(() => winnow.track("u1", "view")), [true, true, false, false]);
  await winnow.flush();
  assert.equal(winnow.stats().dropped, 4);
  winnow.track("u1", "bad");
  await winnow.flush();
  assert.equal(winnow.stats().rejected, 1);
  assert.deepEqual(told, [
    "events are dropped: 2 wait already", "2 events were dropped, the server answers 401",
    "an event was rejected as key_invalid",
  ]);
});

// What a browser has and Node has not: a page that comes and goes.
function page(run) {
  const listeners = {};
  const listen = (name, call) => (listeners[name] = call);
  globalThis.document = { addEventListener: listen, visibilityState: "visible" };
  globalThis.addEventListener = listen;
  return Promise.resolve(run(listeners)).finally(() => {
    delete globalThis.document;
    delete globalThis.addEventListener;
  });
}

test("a page keeps answers in localStorage, and goes on where that is forbidden", () =>
  page(async () => {
    const original = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
    const store = new FakeStore();
    const forbid = () => {
      throw new Error("SecurityError");
    };
    try {
      Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => store });
      await client().assign("u1", {}, "headline");
      assert.deepEqual(await client().assign("u1", {}, "headline"), SHOWN);
      assert.equal(server.asked.length, 1);
      Object.defineProperty(globalThis, "localStorage", { configurable: true, get: forbid });
      assert.deepEqual(await client().assign("u1", {}, "headline"), SHOWN);
      assert.equal(server.asked.length, 2);
    } finally {
      if (original) Object.defineProperty(globalThis, "localStorage", original);
      else delete globalThis.localStorage;
    }
  }));

for (const way of ["pagehide", "visibilitychange"]) {
  test(`on ${way} what is queued is sent by a request that outlives the page, with the key`, () =>
    page(async (listeners) => {
      const options = [];
      const store = new FakeStore();
      const spy = (url, init) => {
        options.push(init);
        return fetch(url, init);
      };
      const winnow = client({ store, intervalMs: 60_000, fetch: spy });
      winnow.track("u1", "last_words");
      document.visibilityState = "hidden";
      listeners[way]();
      assert.equal([...store.kept.keys()].filter((name) => name.startsWith("winnow.outbox.")).length, 1);
      await until(() => winnow.stats().accepted === 1);
      assert.equal(options[0].keepalive, true);
      assert.equal(options[0].headers.Authorization, `Bearer ${KEY}`);
      assert.equal(store.kept.size, 0);
    }));
}

test("what a page could not send, the next one sends: with the same ids", () =>
  page(async (listeners) => {
    const store = new FakeStore();
    const away = client({ store, intervalMs: 60_000, fetch: () => Promise.reject(new Error("offline")) });
    away.track("u1", "last_words", 7, "e-1");
    listeners.pagehide();
    await new Promise((done) => setTimeout(done, 20));
    const next = client({ store });
    await until(() => next.stats().accepted === 1);
    assert.equal(server.stored.get("e-1").value, 7);
    assert.equal(store.kept.size, 0);
  }));

for (const failed of [0, 1]) {
  test(`after a page hide while a request fails, sending goes on; ${failed} failed before`, () =>
    page(async (listeners) => {
      let asked = 0;
      let fail;
      const spy = (url, init) => {
        if (asked++ < failed) return Promise.reject(new Error("offline"));
        return fail ? fetch(url, init) : new Promise((_, refuse) => (fail = refuse));
      };
      const winnow = client({ store: new FakeStore(), fetch: spy });
      winnow.track("u1", "view");
      await until(() => fail);
      // Its timer runs out while the request is under way.
      winnow.track("u1", "view");
      await new Promise((done) => setTimeout(done, 20));
      listeners.pagehide();
      await until(() => winnow.stats().waiting === 0);
      fail(new Error("offline"));
      await new Promise((done) => setTimeout(done, 20));
      winnow.track("u1", "view");
      await until(() => winnow.stats().accepted === 3);
      assert.equal(told.length, failed);
    }));
}

for (const left of [0, 1]) {
  test(`after a page hide that was answered, what the server asked for before is over; ${left} waits then`, () =>
    page(async (listeners) => {
      server.refusals = [[503, { "Retry-After": "3600" }]];
      const winnow = client({ store: new FakeStore() });
      winnow.track("u1", "view");
      assert.equal(await winnow.flush(), false);
      listeners.pagehide();
      if (left) winnow.track("u1", "view");
      await until(() => winnow.stats().accepted === 1);
      if (!left) winnow.track("u1", "view");
      await until(() => winnow.stats().accepted === 2);
    }));
}

test("what is tracked while the last words are under way is not taken for sent", () =>
  page(async (listeners) => {
    const winnow = client({ store: new FakeStore(), intervalMs: 60_000 });
    winnow.track("u1", "view", null, "e-1");
    listeners.pagehide();
    winnow.track("u1", "view", null, "e-2");
    await until(() => winnow.stats().accepted === 1);
    assert.equal(winnow.stats().waiting, 1);
    assert.equal(await winnow.flush(), true);
    assert.deepEqual([...server.stored.keys()], ["e-1", "e-2"]);
  }));

test("what an answer has no verdict for still waits", async () => {
  let short = true;
  const spy = (url, init) => {
    if (!short) return fetch(url, init);
    short = false;
    return Promise.resolve(Response.json({ items: [{ event_id: "e-1", status: "accepted" }] }));
  };
  const winnow = client({ intervalMs: 60_000, fetch: spy });
  for (const id of ["e-1", "e-2"]) winnow.track("u1", "view", null, id);
  assert.equal(await winnow.flush(), true);
  assert.deepEqual([...server.stored.keys()], ["e-2"]);
  assert.deepEqual(winnow.stats(), { accepted: 2, duplicate: 0, rejected: 0, dropped: 0, waiting: 0 });
});

test("an answer without any verdict is none", async () => {
  const winnow = client({ retryMs: 60_000, fetch: () => Promise.resolve(Response.json({ items: [] })) });
  winnow.track("u1", "view");
  assert.equal(await winnow.flush(), false);
  assert.equal(winnow.stats().waiting, 1);
});

const kept = (store) => [...store.kept.values()].flatMap((text) => JSON.parse(text)).map((item) => item.event_id);

test("what is kept stays kept until the server has judged it", () =>
  page(async (listeners) => {
    const store = new FakeStore();
    let good = 0;
    const spy = (url, init) => (good-- > 0 ? fetch(url, init) : Promise.reject(new Error("offline")));
    const options = { store, batchSize: 2, intervalMs: 60_000, retryMs: 60_000, fetch: spy };
    const winnow = client(options);
    for (const id of ["e-1", "e-2", "e-3", "e-4", "e-5"]) winnow.track("u1", "view", null, id);
    listeners.pagehide();
    good = 1;
    assert.equal(await winnow.flush(), false);
    assert.deepEqual(kept(store), ["e-3", "e-4", "e-5"]);

    const [name] = store.kept.keys();
    let least = Infinity;
    store.removeItem = (gone) => {
      store.kept.delete(gone);
      least = Math.min(least, kept(store).length);
    };
    const next = client(options);
    assert.ok(!store.kept.has(name));
    assert.deepEqual([least, kept(store)], [3, ["e-3", "e-4", "e-5"]]);
    good = 1;
    assert.equal(await next.flush(), false);
    assert.deepEqual(kept(store), ["e-5"]);
    good = 1;
    assert.equal(await next.flush(), true);
    assert.equal(store.kept.size, 0);
  }));

test("what was kept is taken over where the store has no room for two of it, and what is no event is not", () =>
  page(async (listeners) => {
    const store = new FakeStore();
    const options = { store, intervalMs: 60_000, fetch: () => Promise.reject(new Error("offline")) };
    client(options).track("u1", "view", null, "e-1");
    listeners.pagehide();
    store.setItem = (name, value) => {
      if (store.kept.size) throw new Error("QuotaExceededError");
      store.kept.set(name, value);
    };
    const next = client(options);
    assert.equal(next.stats().waiting, 1);
    assert.deepEqual(kept(store), ["e-1"]);
    const [name] = store.kept.keys();
    for (const text of ['[null, 1, {}]', "{}", "null", "["]) {
      store.kept.set(name, text);
      assert.equal(client(options).stats().waiting, 0);
      assert.equal(store.kept.size, 0);
    }
  }));

test("what is kept for one server and key is sent to no other", () =>
  page(async (listeners) => {
    const store = new FakeStore();
    const away = client({ store, intervalMs: 60_000, fetch: () => Promise.reject(new Error("offline")) });
    away.track("u1", "view", null, "e-1");
    listeners.pagehide();
    const others = [{ key: "wk_other" }, { url: "http://127.0.0.1:1" }].map((other) => client({ store, ...other }));
    assert.deepEqual(others.map((other) => other.stats().waiting), [0, 0]);
    assert.deepEqual(kept(store), ["e-1"]);
    assert.ok(![...store.kept.keys()].join().includes(KEY));
    const same = client({ store, url: server.url });
    await until(() => same.stats().accepted === 1);
    assert.equal(store.kept.size, 0);
  }));

test("a request that outlives its page stays below the browsers' limit", () =>
  page(async (listeners) => {
    let bytes = 0;
    const spy = (url, init) => {
      bytes = Buffer.byteLength(init.body);
      return fetch(url, init);
    };
    const store = new FakeStore();
    const winnow = client({ store, intervalMs: 60_000, batchSize: 1_000, fetch: spy });
    for (let number = 0; number < 500; number++) winnow.track("ü".repeat(500), "view");
    listeners.pagehide();
    await until(() => winnow.stats().accepted > 0);
    assert.ok(bytes > 10_000 && bytes < 65_536, String(bytes));
  }));

test("the last words are measured as they are sent, and an event without room keeps no other back", () =>
  page(async (listeners) => {
    const winnow = client({ store: new FakeStore(), intervalMs: 60_000 });
    // Each is sent by the same request: 25 kB twice, and what is small behind what found no room.
    for (const letter of ["a", "b", "c"]) winnow.expose("u1", { ...SHOWN, segment: letter.repeat(25_000) });
    winnow.track("u1", "view");
    listeners.pagehide();
    await until(() => winnow.stats().accepted === 3);
    assert.deepEqual(server.posted()[0].items.map(({ segment, name }) => name ?? segment[0]), ["a", "b", "view"]);
    assert.equal(winnow.stats().waiting, 1);
    assert.deepEqual(told, []);
  }));

test("an event that no request has room for is refused, also one that an earlier page kept", () =>
  page(async (listeners) => {
    const store = new FakeStore();
    const options = { store, intervalMs: 60_000 };
    client(options).track("u1", "view", null, "e-1");
    listeners.pagehide();
    const [name] = store.kept.keys();
    const large = { ...JSON.parse(store.kept.get(name))[0], event_id: "e-0", name: "ü".repeat(40_000) };
    store.kept.set(name, JSON.stringify([large]));
    const winnow = client(options);
    assert.equal(winnow.expose("u1", { ...SHOWN, segment: "ü".repeat(40_000) }), false);
    assert.match(told.join(), /an event is too large/);
    assert.equal(winnow.stats().waiting, 0);
    await until(() => server.stored.size === 1);
    listeners.pagehide();
    winnow.track("u1", "view");
    assert.equal(await winnow.flush(), true);
    assert.deepEqual(server.posted().map((body) => body.items.length), [1, 1]);
  }));

test("without keepalive a beacon goes to an address of one's own", () =>
  page(async (listeners) => {
    const beacons = [];
    const original = globalThis.Request;
    const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    globalThis.Request = class {};
    Object.defineProperty(globalThis, "navigator", {
      configurable: true, value: { sendBeacon: (...beacon) => beacons.push(beacon) > 0 },
    });
    try {
      const store = new FakeStore();
      const winnow = client({ store, intervalMs: 60_000, beaconUrl: "/relay" });
      winnow.track("u1", "last_words", null, "e-1");
      listeners.pagehide();
      assert.equal(beacons[0][0], "/relay");
      assert.equal(JSON.parse(await beacons[0][1].text()).items[0].event_id, "e-1");
      // No answer came, so it is kept: sent twice is stored once.
      assert.equal(store.kept.size, 1);
    } finally {
      globalThis.Request = original;
      if (navigator) Object.defineProperty(globalThis, "navigator", navigator);
      else delete globalThis.navigator;
    }
  }));

test("OpenFeature's track reaches /v1/events, and evaluations can be exposures", async () => {
  const winnow = client();
  const provider = withTracking({ metadata: { name: "ofrep" } }, winnow);
  provider.track("purchase", { targetingKey: "u1", country: "NL" }, { value: 12.5, currency: "EUR" });
  provider.track("signup", { targetingKey: "u1" });
  provider.track("nobody", {});
  const { experiment, version, segment, variant } = SHOWN;
  const hook = exposing(winnow);
  const context = { targetingKey: "u1" };
  hook.after({ context }, { variant, flagMetadata: { experiment, version, segment, variant, counted: true } });
  hook.after({ context }, { variant, flagMetadata: { experiment, version, variant, counted: false } });
  hook.after({ context }, {});
  await winnow.flush();
  assert.deepEqual([...server.stored.values()].map(({ event_id, occurred_at, ...rest }) => rest), [
    { type: "event", unit_id: "u1", name: "purchase", value: 12.5 },
    { type: "event", unit_id: "u1", name: "signup" },
    { type: "exposure", unit_id: "u1", experiment, version, segment, variant },
  ]);
});

test("ids are there without randomUUID, and without any crypto", async () => {
  const original = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  const without = [{ getRandomValues: (bytes) => original.get.call(globalThis).getRandomValues(bytes) }, undefined];
  try {
    for (const value of without) {
      Object.defineProperty(globalThis, "crypto", { configurable: true, value });
      const winnow = client();
      winnow.track("u1", "view");
      winnow.track("u1", "view");
      await winnow.flush();
    }
  } finally {
    Object.defineProperty(globalThis, "crypto", original);
  }
  assert.equal(server.stored.size, 4);
  for (const id of server.stored.keys()) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("events get new ids of version 7, as in appendix A.6 of RFC 9562", async () => {
  const bytes = [0, 0, 0, 0, 0, 0, 0xfc, 0xc3, 0xd8, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
  const winnow = client();
  const clock = mock.method(Date, "now", () => 1_645_557_742_000);
  const chance = mock.method(globalThis.crypto, "getRandomValues", (array) => (array.set(bytes), array));
  try {
    winnow.track("u1", "visit");
  } finally {
    clock.mock.restore();
    chance.mock.restore();
  }
  await winnow.flush();
  assert.deepEqual(server.posted().flatMap((body) => body.items).map((item) => item.event_id), ["017f22e2-79b0-7cc3-98c4-dc0c0c07398f"]);
});
