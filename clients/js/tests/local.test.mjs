// The golden vectors are the contract; GrowthBook's vectors are those of the condition language.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Catalog, compileCondition, Follower } from "../dist/local.js";
import { catalog, CONDITIONS, everyone, experiment, fromGolden, GOLDEN } from "./documents.mjs";
import { FakeServer, KEY, until } from "./fake_server.mjs";

const only = (document) => Catalog.of(catalog(document));

// A layer whose holdout and slots are all around the bucket tells it, through nothing but the public way in.
function bucketOf(salt, unitId, bucketing) {
  const inside = (start, end) => {
    const layer = { bucketing, salt, holdout_bp: 0, slots: [{ start, end }] };
    return only(experiment({ layer })).assign(unitId, {}, "banner").reason === "assigned";
  };
  let [low, high] = [0, 10000];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (inside(low, middle)) high = middle;
    else low = middle;
  }
  return low;
}

for (const [version, golden] of GOLDEN) {
  test(`golden buckets of version ${version}`, () => {
    assert.equal(golden.hashes.length, version === 1 ? 54 : 72);
    for (const { salt, unit_id, bucket } of golden.hashes) {
      assert.equal(bucketOf(salt, unit_id, version), bucket, `${salt}:${unit_id}`);
    }
  });

  test(`golden assignments of version ${version}`, () => {
    assert.equal(golden.assignments.length, version === 1 ? 220 : 335);
    const made = Catalog.of(catalog(...Object.entries(golden.experiments).map(([key, one]) => fromGolden(key, one))));
    for (const { name, experiment, unit_id, segment, variant, reason } of golden.assignments) {
      const answer = made.assign(unit_id, { s: segment }, experiment);
      assert.deepEqual([answer.variant, answer.reason], [variant, reason], `${experiment}/${segment}/${name}`);
    }
  });
}

test("GrowthBook's condition vectors", { skip: !CONDITIONS && "they are not here (../shared/data)" }, () => {
  assert.equal(CONDITIONS.length, 248);
  for (const [name, condition, attributes, expected, groups] of CONDITIONS) {
    assert.equal(compileCondition(condition, groups)(attributes), expected, name);
  }
});

// What Winnow decides where no vector says anything (its ADR 3).
for (const [condition, attributes, expected] of [
  [{ a: 1 }, { a: true }, false],
  [{ a: true }, { a: 1 }, false],
  [{ a: { $in: [1] } }, { a: true }, false],
  [{ a: { $gte: 0 } }, {}, true],
  [{ a: { $gte: 0 } }, { a: undefined }, true],
  [{ a: { $gt: 1 } }, { a: "10" }, true],
  [{ a: { $gt: "9" } }, { a: "10" }, false],
  [{ a: { $gte: 0 } }, { a: "" }, false],
  [{ a: { $gte: 0 } }, { a: true }, false],
  [{ a: { $gt: "\uffff" } }, { a: "𝒳" }, true],
  [{ v: { $vlt: "1.0.0" } }, {}, false],
  [{ v: { $vgt: "99999999999999999999.0.0" } }, { v: "100000000000000000000.0.0" }, true],
  [{ a: { $regex: ".*mail" } }, { a: "gmail" }, true],
  [{ a: { $regex: ".+mail" } }, { a: "mail" }, false],
  [{ a: { $regex: "x" } }, { a: "x".repeat(4097) }, false],
  [{ a: { $regex: "𝒳$" } }, { a: "𝒳".repeat(4096) }, true],
  [{ a: { $eq: [1, { b: null }] } }, { a: [1, { b: null }] }, true],
  [{ a: { $eq: { b: null } } }, { a: { c: null } }, false],
  [{ a: { $nope: 1 } }, { a: 1 }, false],
  [{ a: { $constructor: 1 } }, { a: 1 }, false],
  [{ constructor: null }, {}, true],
  [{ "a.length": { $gt: 0 } }, { a: "abc" }, false],
  [{ "a.b": 1 }, { a: [1] }, false],
]) {
  test(`${JSON.stringify(condition)} of ${JSON.stringify(attributes).slice(0, 60)}`, () => {
    assert.equal(compileCondition(condition)(attributes), expected);
  });
}

// Python's regexes mean this in Python: `bool(re.search(pattern, text))`.
for (const [pattern, text, expected] of [
  ["^(?:nl|de)$", "de", true],
  ["^(?P<land>nl|de)$", "nl", true],
  ["^(nl|de)$", "x", false],
  ["^a$", "a\n", true],
  ["^a\\Z", "a\n", false],
  ["^a$", "a\n\n", false],
  ["^.$", "\r", true],
  ["^.$", "\u2028", true],
  ["^.$", "\n", false],
  ["^.$", "😀", true],
  ["^\\d$", "٣", true],
  ["^\\w$", "ü", true],
  ["^\\w$", "²", true],
  ["^\\s$", "\ufeff", false],
  ["^\\s$", "\x1c", true],
  ["\\bcaf", "écaf", false],
  ["\\Bcaf", "écaf", true],
  ["[^\\W\\d_]", "1_ü", true],
  ["[^\\W\\d_]", "1_-", false],
  ["^[\\s\\S]$", "\n", true],
  ["^[]a]$", "]", true],
  ["^[^]a]$", "b", true],
  ["^[a-]$", "-", true],
  ["^[\\b]$", "\b", true],
  ["^a{,2}$", "aa", true],
  ["^a{,2}$", "aaa", false],
  ["^a{2,}$", "a", false],
  ["^{}$", "{}", true],
  ["^a{x}$", "a{x}", true],
  ["^a(?#nothing)b$", "ab", true],
  ["\\x40\\u00fc\\U0001F600", "@ü😀", true],
  ["\\/\\-\\@", "/-@", true],
  ["\\012", "\n", true],
  ["^\\.\\*$", ".*", true],
  ["\\N{DASH}", "-", false],
  ["(", "(", false],
  ["[a", "a", false],
]) {
  test(`regex ${pattern} on ${JSON.stringify(text)}`, () => {
    assert.equal(compileCondition({ a: { $regex: pattern } })({ a: text }), expected);
  });
}

// The same with `re.IGNORECASE`.
for (const [pattern, text, expected] of [
  ["^İ$", "i", true],
  ["^i$", "ı", true],
  ["^[a-z]$", "İ", true],
  ["^[^a-z]$", "ı", false],
  ["^[h]$", "ı", false],
  ["^s$", "ſ", true],
  ["^\u212a$", "k", true],
  ["^ß$", "ss", false],
  ["^σ$", "ς", true],
  ["^MOBILE", "mobile", true],
]) {
  test(`regexi ${pattern} on ${JSON.stringify(text)}`, () => {
    assert.equal(compileCondition({ a: { $regexi: pattern } })({ a: text }), expected);
  });
}

test("paused and stopped experiments", () => {
  const dutch = { ...everyone, key: "dutch", condition: { country: "NL" }, after_stop: "b" };
  const segments = [dutch, everyone];
  const of = (status, attributes) => {
    const { variant, segment, reason } = only(experiment({ status, segments })).assign("u1", attributes, "banner");
    return [variant, segment, reason];
  };
  assert.deepEqual(of("paused", { country: "NL" }), ["a", null, "paused"]);
  assert.deepEqual(of("stopped", { country: "NL" }), ["b", "dutch", "stopped"]);
  assert.deepEqual(of("stopped", { country: "DE" }), ["a", "everyone", "stopped"]);
});

for (const version of [1, 2]) {
  test(`who is held out of a layer of version ${version} sees no winner after a stop either`, () => {
    const hashes = GOLDEN.get(version).hashes.filter(({ salt }) => salt === "salt");
    const seen = new Set();
    for (const holdout_bp of [0, 1000, 5000]) {
      const layer = { key: "l", bucketing: version, salt: "salt", holdout_bp, slots: [] };
      const made = only(experiment({ status: "stopped", segments: [{ ...everyone, after_stop: "b" }], layer }));
      for (const { unit_id, bucket } of hashes) {
        const { variant, reason } = made.assign(unit_id, {}, "banner");
        assert.deepEqual([variant, reason], bucket >= 10000 - holdout_bp ? ["a", "holdout"] : ["b", "stopped"]);
        seen.add(reason);
      }
    }
    assert.equal(seen.size, 2);
  });
}

test("an answer is built once, cannot be changed, and says all", () => {
  const made = only(experiment({ forced: { ann: "b" }, exposure_policy: "on_assignment" }));
  const answers = new Set(Array.from({ length: 200 }, (_, number) => made.assign(`u${number}`, {}, "banner")));
  assert.equal(answers.size, 2);
  assert.ok(Object.isFrozen([...answers][0]));
  assert.deepEqual(made.assign("ann", {}, "banner"), {
    experiment: "banner", version: 3, epoch: 2, segment: null, variant: "b", content: { text: "new" },
    reason: "forced", counted: false, exposes: false,
  });
  assert.equal([...answers][0].exposes, true);
});

test("an unfit id and an unknown experiment get the default", () => {
  const made = only(experiment());
  for (const id of ["", "a\nb", "\ud800", "x".repeat(513), 4.5, NaN, 2 ** 53, true, null]) {
    assert.equal(made.assign(id, {}, "banner", "mine").content, "mine");
    assert.deepEqual(made.assignAll(id), []);
  }
  assert.equal(made.assign("𝒳".repeat(512), {}, "banner").reason, "assigned");
  assert.equal(made.assign("u1", {}, "other", "mine").reason, "default");
});

test("a whole number is its digits", () => {
  const made = only(experiment({ forced: { 12345: "b" } }));
  assert.equal(made.assign(12345, {}, "banner").reason, "forced");
  assert.deepEqual(made.assignAll(12345), made.assignAll("12345"));
});

test("a refused key and an unfit id are told, each once", async () => {
  const server = await new FakeServer().start();
  const told = [];
  server.status = 403;
  const follower = new Follower({ url: server.url, key: KEY, pollMs: 5, retryMs: 5, onProblem: (text) => told.push(text) });
  try {
    assert.equal(await follower.ready, false);
    assert.deepEqual(told, [
      "the catalog could not be read, there is none yet: 403, a secret key with the scope `assign` is wanted",
    ]);
    server.catalog = catalog(experiment());
    server.status = 200;
    await until(() => follower.catalog.version === 1);
    for (const id of ["", 4.5, null]) assert.equal(follower.catalog.assign(id, {}, "banner").reason, "default");
    server.catalog = { ...server.catalog, version: 2 };
    await until(() => follower.catalog.version === 2);
    assert.deepEqual(follower.catalog.assignAll(""), []);
    assert.equal(told.length, 2);
    assert.match(told[1], /a unit id is unfit/);
  } finally {
    follower.stop();
    await server.stop();
  }
});

test("an experiment that is not understood leaves the others", () => {
  for (const broken of [
    { bucketing: 3 },
    { status: "resting" },
    { layer: { bucketing: 9, salt: "l", holdout_bp: 0, slots: [] } },
    { segments: [] },
    { segments: [{ ...everyone, ranges: [{ start: 0, end: 9999, variant: "a" }] }] },
    { segments: [{ ...everyone, ranges: [{ start: 0, end: 10000, variant: "zz" }] }] },
    { variants: null },
  ]) {
    const made = Catalog.of(catalog(experiment(), experiment({ key: "new", ...broken })));
    assert.deepEqual([...made.skipped.keys()], ["new"], JSON.stringify(broken));
    assert.equal(made.assign("u1", {}, "banner").reason, "assigned");
  }
});

test("what is no catalog is refused", () => {
  for (const document of [null, [], {}, { ...catalog(), schema: "winnow.catalog/2" }, { ...catalog(), version: "1" }]) {
    assert.throws(() => Catalog.of(document), TypeError);
  }
});

test("a follower follows, and keeps the last good catalog", async () => {
  const server = await new FakeServer().start();
  const told = [];
  const seen = [];
  server.catalog = catalog(experiment({ forced: { ann: "b" } }));
  const follower = new Follower({
    url: server.url, key: KEY, pollMs: 5, retryMs: 5, onProblem: (text) => told.push(text),
    onCatalog: (fresh) => seen.push(fresh.version),
  });
  try {
    assert.equal(await follower.ready, true);
    assert.equal(follower.catalog.assign("ann", {}, "banner").variant, "b");
    server.catalog = { ...catalog(experiment({ forced: { ann: "a" } })), version: 2 };
    await until(() => follower.catalog.version === 2);
    server.status = 500;
    await until(() => told.length === 1);
    server.status = 200;
    server.catalog = { schema: "winnow.catalog/9", version: 3 };
    await until(() => told.length >= 2);
    assert.equal(follower.catalog.assign("ann", {}, "banner").variant, "a");
    assert.deepEqual(seen, [1, 2]);
    assert.equal(server.asked[0].headers.authorization, `Bearer ${KEY}`);
    assert.equal(server.asked[1].headers["if-none-match"], '"1"');
  } finally {
    follower.stop();
    await server.stop();
  }
});

test("a follower starts from a document where the server is away", async () => {
  const document = catalog(experiment({ forced: { ann: "b" } }));
  const follower = new Follower({ url: "http://127.0.0.1:9", key: KEY, document });
  assert.equal(await follower.ready, true);
  assert.equal(follower.catalog.assign("ann", {}, "banner").variant, "b");
  follower.stop();
});
