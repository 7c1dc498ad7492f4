// What a search finds, and how it is asked for and marked (src/panel/common/matches.js).

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "./load.js";

const { Matches, pattern, places } = await load("common/matches.js");

describe("places", () => {
  const marked = (text, sought) => places(text, sought).map(([begin, end]) => text.slice(begin, end));

  it("are all that do not overlap, in any case", () => {
    assert.deepEqual(places("aXbx", "x"), [[1, 2], [3, 4]]);
    assert.deepEqual(places("aaaa", "aa"), [[0, 2], [2, 4]]);
    assert.deepEqual(marked("Ärger ärger", "ärger"), ["Ärger", "ärger"]);
  });

  it("are none of nothing", () => {
    assert.deepEqual(places("abc", ""), []);
    assert.deepEqual(places("", "a"), []);
  });

  it("are right behind a character that is longer in lower case", () => {
    assert.deepEqual(marked("İİ error here", "error"), ["error"]);
  });
});

describe("pattern", () => {
  it("finds a text as it stands, in any case", () => {
    assert.equal(pattern("a.b*c"), "(?i)a\\.b\\*c");
    assert.equal(pattern("[x](y){z}^$|?+\\-#&~"), "(?i)\\[x\\]\\(y\\)\\{z\\}\\^\\$\\|\\?\\+\\\\\\-\\#\\&\\~");
  });
});

describe("matches", () => {
  it("are rows in the order in which they came", () => {
    const matches = new Matches();
    for (const n of [3, 70, 71]) matches.put({ n, at: null, text: "" });
    assert.equal(matches.size, 3);
    assert.equal(matches.at(1).n, 70);
    assert.equal(matches.at(3), null);
    assert.equal(matches.rowOf(71), 2);
    assert.equal(matches.rowOf(4), -1);
  });

  it("are counted also when the first of many are forgotten", () => {
    const matches = new Matches();
    for (let n = 1; n <= 12_000; n += 1) matches.put({ n, at: null, text: "" });
    assert.equal(matches.total, 12_000);
    assert.ok(matches.size <= 5000);
    assert.equal(matches.at(matches.size - 1).n, 12_000);
  });
});
