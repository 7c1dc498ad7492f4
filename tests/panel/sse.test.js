// How the bytes of an event stream become events (src/panel/common/sse.js).

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { load } from "./load.js";

const { Parser, readEvents } = await load("common/sse.js");

const bytes = (text) => new TextEncoder().encode(text);

/** The events of a stream that comes as these pieces. */
function parse(...pieces) {
  const parser = new Parser();
  return pieces.flatMap((piece) => parser.take(typeof piece === "string" ? bytes(piece) : piece));
}

const event = (data, more = {}) => ({ id: null, name: "message", data, ...more });

describe("an event", () => {
  it("has data, and the name message unless it says another", () => {
    assert.deepEqual(parse("data: a\n\n"), [event("a")]);
    assert.deepEqual(parse("event: state\ndata: a\n\n"), [event("a", { name: "state" })]);
  });

  it("has an id where it says one, and does not keep that of the one before", () => {
    assert.deepEqual(parse("id: 7\ndata: a\n\ndata: b\n\n"), [event("a", { id: "7" }), event("b")]);
    assert.deepEqual(parse("id: a\0b\ndata: a\n\n"), [event("a")]);
  });

  it("joins lines of data with a newline, empty ones too", () => {
    assert.deepEqual(parse("data: a\ndata:\ndata: b\ndata\n\n"), [event("a\n\nb\n")]);
  });

  it("loses one space behind the colon, and no other", () => {
    assert.deepEqual(parse("data:a\n\ndata:  b \n\n"), [event("a"), event(" b ")]);
  });

  it("may have colons in its data", () => {
    assert.deepEqual(parse('data: {"a": "b:c"}\n\n'), [event('{"a": "b:c"}')]);
  });

  it("without data is none, and leaves nothing to the next one", () => {
    assert.deepEqual(parse("event: state\nid: 3\n\ndata: a\n\n"), [event("a")]);
  });

  it("ignores comments and fields that it does not know", () => {
    assert.deepEqual(parse(": comment\nretry: 10\nother: x\ndata: a\n:\n\n"), [event("a")]);
  });

  it("comes once it is complete", () => {
    assert.deepEqual(parse("data: a\n"), []);
    assert.deepEqual(parse("data: a\n", "\n"), [event("a")]);
  });

  it("may come with others, in order", () => {
    assert.deepEqual(parse("data: a\n\ndata: b\n\n\n\ndata: c\n\n"), [event("a"), event("b"), event("c")]);
  });
});

describe("the end of a line", () => {
  for (const [name, end] of [["LF", "\n"], ["CR LF", "\r\n"], ["CR", "\r"]]) {
    it(`may be ${name}`, () => {
      const stream = ["event: e", "data: a", "data: b", "", "data: c", "", ""].join(end);
      assert.deepEqual(parse(stream), [event("a\nb", { name: "e" }), event("c")]);
    });
  }

  it("may be of several kinds in one stream", () => {
    assert.deepEqual(parse("data: a\r\ndata: b\rdata: c\n\r\n"), [event("a\nb\nc")]);
  });
});

describe("a stream", () => {
  const streams = {
    "LF": "\ufeffid: 1\nevent: e\ndata: aä漢👩‍💻\ndata: b\n\n: c\n\ndata: d\n\n",
    "CR LF": "id: 1\r\nevent: e\r\ndata: aä漢👩‍💻\r\ndata: b\r\n\r\n: c\r\n\r\ndata: d\r\n\r\n",
    "CR": "id: 1\revent: e\rdata: aä漢👩‍💻\rdata: b\r\r: c\r\rdata: d\r\r",
  };
  const expected = [event("aä漢👩‍💻\nb", { id: "1", name: "e" }), event("d")];

  for (const [name, stream] of Object.entries(streams)) {
    const all = bytes(stream);
    it(`with ${name} may be split at any byte`, () => {
      for (let at = 0; at <= all.length; at += 1) {
        assert.deepEqual(parse(all.slice(0, at), all.slice(at)), expected, `at ${at}`);
      }
    });

    it(`with ${name} may come byte by byte`, () => {
      assert.deepEqual(parse(...Array.from(all, (_, at) => all.slice(at, at + 1))), expected);
    });
  }

  it("with bytes that are not UTF-8 has replacement characters for them", () => {
    assert.deepEqual(parse(bytes("data: a"), new Uint8Array([0xff, 0xc3]), bytes("\n\n")), [event("a\ufffd\ufffd")]);
  });

  it("has ended once it said so", () => {
    const parser = new Parser();
    parser.take(bytes("data: end\n\n"));
    assert.equal(parser.hasEnded, false);
    parser.take(bytes("event: end\ndata: {}\n\n"));
    assert.equal(parser.hasEnded, true);
  });

  it("with a line of a megabyte takes linear time", () => {
    const parser = new Parser();
    const begin = performance.now();
    parser.take(bytes("data: "));
    for (let kilobyte = 0; kilobyte < 1024; kilobyte += 1) parser.take(bytes("x".repeat(1024)));
    const [{ data }] = parser.take(bytes("\n\n"));
    assert.equal(data.length, 1024 * 1024);
    assert.ok(performance.now() - begin < 5000, `${performance.now() - begin} ms`);
  });
});

describe("readEvents", () => {
  let asked;
  globalThis.localStorage = { getItem: () => null };
  globalThis.requestAnimationFrame = (callback) => setTimeout(callback, 0);

  beforeEach(() => {
    asked = [];
  });

  /** Has the server answer with a stream of these pieces; an error among them breaks it. */
  function answerWith(pieces, status = 200) {
    globalThis.fetch = async (path, options) => {
      asked.push({ path, options });
      const body = new ReadableStream({
        start(controller) {
          options.signal.addEventListener("abort", () => controller.error(options.signal.reason));
          for (const piece of pieces) {
            if (piece instanceof Error) return controller.error(piece);
            controller.enqueue(typeof piece === "string" ? bytes(piece) : piece);
          }
          if (!pieces.includes(null)) controller.close();
        },
      });
      return new Response(status === 204 ? null : body, { status });
    };
  }

  async function readAll(pieces, options = {}, status = 200) {
    answerWith(pieces, status);
    const seen = [];
    const signal = options.signal ?? new AbortController().signal;
    const outcome = await readEvents("logs", { signal, onEvents: (events) => seen.push(...events), ...options });
    return { outcome, data: seen.map((it) => it.data) };
  }

  it("returns events and distinguishes an end from a break", async () => {
    assert.deepEqual(await readAll(["data: a\n\n", "event: end\ndata: b\n\n"]), { outcome: "ended", data: ["a", "b"] });
    assert.deepEqual(await readAll(["data: a\n\n"]), { outcome: "broken", data: ["a"] });
    assert.deepEqual((await readAll([new Error("reset")])).outcome, "broken");
  });

  it("reports the opening before any event", async () => {
    const order = [];
    await readAll(["data: a\n\n"], { onOpen: () => order.push("open"), onEvents: () => order.push("events") });
    assert.deepEqual(order, ["open", "events"]);
  });

  it("asks to go on behind the last event", async () => {
    await readAll([], { lastId: "7" });
    assert.equal(asked[0].options.headers["Last-Event-ID"], "7");
    await readAll([]);
    assert.equal("Last-Event-ID" in asked[1].options.headers, false);
  });

  it("has ended where there is nothing left to send", async () => {
    const onOpen = () => assert.fail("it is not open");
    assert.deepEqual(await readAll([], { onOpen }, 204), { outcome: "ended", data: [] });
  });

  it("throws where it was aborted", async () => {
    const abort = new AbortController();
    const reading = readAll(["data: a\n\n", null], { signal: abort.signal, onEvents: () => abort.abort() });
    await assert.rejects(reading, { name: "AbortError" });
  });

  it("is given up where more comes than there is time for, if the page says so", async () => {
    const full = `data: ${"x".repeat(40_000)}\n\n`;
    const slow = () => {
      const begin = performance.now();
      while (performance.now() - begin < 8);
    };
    let floods = 0;
    const onFlood = () => (floods += 1) === 2;
    const { outcome } = await readAll([full, full, full, full], { onEvents: slow, onFlood });
    assert.equal(outcome, "flooded");
    assert.equal(floods, 2);
  });
});
