// Which lines of a log the page has, and which it fetches (src/panel/common/lines.js).

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { load } from "./load.js";

const { Lines } = await load("common/lines.js");

const CHUNK = 500;
const line = (n) => ({ n, at: "2026-01-02T03:04:05Z", text: `line ${n}` });

/** A server with a log, of which lines may have been dropped. */
const server = { first: 1, last: 0, linesMax: Infinity, isAway: false, requests: [] };

globalThis.localStorage = { getItem: () => null };
globalThis.document.documentElement = { classList: { toggle() {} } };
globalThis.fetch = async (path) => {
  const query = new URLSearchParams(path.slice(path.indexOf("?")));
  const [after, limit] = [Number(query.get("after")), Number(query.get("limit"))];
  server.requests.push({ path, after, limit });
  if (server.isAway) return new Response("{}", { status: 503 });
  const first = Math.max(server.first, after + 1);
  const until = Math.min(server.last, first + Math.min(limit, server.linesMax) - 1);
  const entries = [];
  for (let n = first; n <= until; n += 1) {
    entries.push(`${JSON.stringify({ n, timestamp: line(n).at, line: line(n).text })}\n`);
  }
  return new Response(entries.join(""));
};

/** Lines of which the stream has brought the last one. */
function following(last) {
  server.last = last;
  const changes = { count: 0 };
  const lines = new Lines("logs", () => (changes.count += 1));
  if (last > 0) lines.put(line(last));
  return { lines, changes };
}

/** Waits until nothing is fetched any more. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

beforeEach(() => Object.assign(server, { first: 1, last: 0, linesMax: Infinity, isAway: false, requests: [] }));

describe("the rows of a log", () => {
  it("are none at first", () => {
    const { lines } = following(0);
    assert.equal(lines.size, 0);
    assert.equal(lines.total, 0);
  });

  it("are the lines in the order of their numbers", () => {
    const { lines } = following(0);
    for (const n of [1, 2, 3]) lines.put(line(n));
    assert.deepEqual([0, 1, 2].map((row) => lines.at(row).text), ["line 1", "line 2", "line 3"]);
    assert.equal(lines.size, 3);
    assert.equal(lines.rowOf(3), 2);
  });

  it("count lines that were not here yet", () => {
    const { lines } = following(1000);
    assert.equal(lines.size, 1000);
    assert.equal(lines.at(998), null);
    assert.deepEqual(lines.at(999), line(1000));
  });

  it("do not become fewer where an old line comes again", () => {
    const { lines } = following(1000);
    lines.put(line(10));
    assert.equal(lines.total, 1000);
  });

  it("end with the prompt, which has no number", () => {
    const { lines } = following(2);
    lines.prompt = "name: ";
    assert.equal(lines.size, 3);
    assert.deepEqual(lines.at(2), { n: 0, at: null, text: "name: " });
  });
});

describe("marks", () => {
  it("stand before the next line, and have a row of their own until that comes", () => {
    const { lines } = following(2);
    lines.mark("ended");
    assert.deepEqual([...lines.marks], [[3, "ended"]]);
    assert.equal(lines.size, 3);
    lines.put(line(3));
    assert.equal(lines.size, 3);
  });

  it("of one place are one below the other, each once", () => {
    const { lines } = following(0);
    for (const text of ["started", "ended", "started again"]) lines.mark(text);
    assert.equal(lines.marks.get(1), "started\nended\nstarted again");
    const once = following(0).lines;
    once.mark("started");
    once.mark("started");
    assert.equal(once.marks.get(1), "started");
  });
});

describe("lines that are missing", () => {
  it("are fetched where they are needed, a chunk at a time", async () => {
    const { lines, changes } = following(1200);
    lines.need(510, 560);
    await settled();
    assert.deepEqual(server.requests.map(({ after, limit }) => [after, limit]), [[CHUNK, CHUNK]]);
    assert.equal(changes.count, 1);
    assert.deepEqual(lines.at(510), line(511));
    assert.equal(lines.at(499), null);
  });

  it("are fetched from both chunks that rows are in", async () => {
    const { lines } = following(1200);
    lines.need(490, 510);
    await settled();
    assert.deepEqual(server.requests.map(({ after }) => after), [0, CHUNK]);
    for (let row = 490; row < 510; row += 1) assert.deepEqual(lines.at(row), line(row + 1));
  });

  it("are asked for once while they are on their way, and not where they are here", async () => {
    const { lines } = following(400);
    lines.need(0, 50);
    lines.need(0, 50);
    await settled();
    lines.need(0, 50);
    await settled();
    assert.equal(server.requests.length, 1);
  });

  it("are asked for only up to the last that there is", async () => {
    const { lines } = following(30);
    lines.need(0, 80);
    await settled();
    assert.deepEqual(server.requests.map(({ after, limit }) => [after, limit]), [[0, 30]]);
  });

  it("are asked for from the first that is missing", async () => {
    const { lines } = following(400);
    for (let n = 1; n <= 100; n += 1) lines.put(line(n));
    lines.need(0, 300);
    await settled();
    assert.deepEqual(server.requests.map(({ after }) => after), [100]);
  });

  it("come in several answers where one does not hold them all", async () => {
    const { lines } = following(400);
    server.linesMax = 150;
    for (let round = 0; round < 3; round += 1) {
      lines.need(0, 400);
      await settled();
    }
    assert.deepEqual(server.requests.map(({ after }) => after), [0, 150, 300]);
    for (let row = 0; row < 400; row += 1) assert.deepEqual(lines.at(row), line(row + 1));
  });

  it("are asked for again after a failure, and the page is not drawn for that", async () => {
    const { lines, changes } = following(400);
    server.isAway = true;
    lines.need(0, 50);
    await settled();
    assert.equal(changes.count, 0);
    assert.equal(lines.at(0), null);
    server.isAway = false;
    lines.need(0, 50);
    await settled();
    assert.deepEqual(lines.at(0), line(1));
  });

  it("are not asked for without end where the server has none", async () => {
    server.last = 0;
    const lines = new Lines("logs", () => lines.need(0, 50));
    lines.total = 100;
    lines.need(0, 50);
    await settled();
    assert.equal(server.requests.length, 1);
  });

  it("are asked for with the path's own query", async () => {
    server.last = 10;
    const lines = new Lines("logs?run=1", () => {});
    lines.put(line(10));
    lines.need(0, 10);
    await settled();
    assert.match(server.requests[0].path, /^logs\?run=1&after=0&limit=10&format=ndjson$/);
  });
});

describe("lines that the server no longer has", () => {
  it("say so, and are not asked for again", async () => {
    const { lines } = following(1000);
    server.first = 200;
    lines.need(0, 50);
    await settled();
    assert.equal(lines.oldest, 200);
    assert.match(lines.at(0).text, /no longer kept/);
    assert.equal(lines.at(0).n, 1);
    assert.deepEqual(lines.at(199), line(200));
    server.requests = [];
    lines.need(0, 50);
    await settled();
    assert.deepEqual(server.requests, []);
  });

  it("are those before the next one where the stream has passed over some", () => {
    const { lines } = following(1000);
    lines.miss();
    assert.equal(lines.oldest, 1001);
    lines.put(line(5000));
    assert.match(lines.at(999).text, /no longer kept/);
    assert.equal(lines.at(1001), null);
  });
});

describe("the memory of the page", () => {
  it("holds 24 chunks and evicts the least recently used", async () => {
    const { lines } = following(30 * CHUNK);
    for (let chunk = 0; chunk < 24; chunk += 1) {
      lines.need(chunk * CHUNK, chunk * CHUNK + 10);
      await settled();
      lines.need(0, 10);
    }
    const isHere = (chunk) => lines.at(chunk * CHUNK) !== null;
    assert.equal(isHere(0), true);
    assert.equal(isHere(1), true);
    lines.need(25 * CHUNK, 25 * CHUNK + 10);
    await settled();
    assert.equal(isHere(0), true);
    assert.equal(isHere(1), false);
    assert.equal(isHere(25), true);
  });
});
