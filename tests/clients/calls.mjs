// Node's fetch.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

const base = process.env.BASE_URL;
const headers = { authorization: `Bearer ${process.env.DUMMY}` };

async function call(path, options = {}) {
  const answer = await fetch(base + path, { headers, ...options });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer;
}

const first = await (await call("/echo")).json();
assert.equal(first.method, "GET");

const body = Buffer.alloc(300_000, "0123456789");
const digest = createHash("sha256").update(body).digest("hex");
const posted = await (await call("/echo", { method: "POST", body })).json();
assert.equal(posted.sha256, digest);
assert.equal(posted.length, body.length);
// Without a length: in chunks.
const stream = new Blob([body]).stream();
const streamed = await (await call("/echo", { method: "POST", body: stream, duplex: "half" })).json();
assert.equal(streamed.sha256, digest);

// It asks for gzip and unpacks it by itself.
assert.equal(await (await call("/gzip")).text(), '{"packed": true}\n');

// It follows the redirect.
const redirected = await call("/redirect");
assert.equal(redirected.url, `${base}/echo?redirected`);
assert.equal((await redirected.json()).target, "/v1/echo?redirected");

for (let made = 0; made < 50; made++) await (await call("/echo")).arrayBuffer();
console.log("node", process.versions.node, "get, post, chunked, gzip, redirect, 50 more");
