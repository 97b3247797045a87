import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url));

for (const entry of ["index", "local", "openfeature"]) {
  test(`dist/${entry}.js is below 6 kB gzipped, and runs in browsers`, (t) => {
    const code = read(`dist/${entry}.js`);
    const size = gzipSync(code, { level: 9 }).length;
    t.diagnostic(`${size} bytes gzipped`);
    assert.ok(size < 6_000, `${size} bytes`);
    assert.ok(!/\bimport\b|\brequire\(|\bprocess\.|\bBuffer\b/.test(code.toString()));
  });
}

test("nothing is needed at run time, and the lock names no registry", () => {
  assert.equal(JSON.parse(read("package.json")).dependencies, undefined);
  assert.ok(!read("package-lock.json").toString().includes('"resolved"'));
});
