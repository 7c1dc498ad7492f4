// How a line with escape sequences is shown (src/panel/common/ansi.js).

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "./load.js";

const { parseAnsi } = await load("common/ansi.js");

const ESC = "\u001b";

/** The pieces of a line in short: `text`, or `text[classes]` with the colours behind. */
function shown(line) {
  return parseAnsi(line).map(({ text, classes, fg, bg }) => {
    const style = [classes, fg && `fg ${fg}`, bg && `bg ${bg}`].filter(Boolean).join(", ");
    return style ? `${text}[${style}]` : text;
  });
}

const text = (line) => parseAnsi(line).map((piece) => piece.text).join("");
const sgr = (parameters) => shown(`${ESC}[${parameters}mx`);

describe("plain text", () => {
  it("is one piece without a style", () => {
    assert.deepEqual(parseAnsi("a b"), [{ text: "a b", classes: "", fg: null, bg: null }]);
  });

  it("keeps tabs and all of Unicode", () => {
    assert.equal(text("a\tb ä 漢 👩‍💻 <b>&amp;"), "a\tb ä 漢 👩‍💻 <b>&amp;");
  });

  it("is nothing where the line is empty or only styles", () => {
    assert.deepEqual(parseAnsi(""), []);
    assert.deepEqual(parseAnsi(`${ESC}[31m${ESC}[0m`), []);
  });
});

describe("SGR", () => {
  it("sets the 8 colours of text and background", () => {
    for (let colour = 0; colour < 8; colour += 1) {
      assert.deepEqual(sgr(30 + colour), [`x[a-fg-${colour}]`]);
      assert.deepEqual(sgr(40 + colour), [`x[a-bg-${colour}]`]);
    }
  });

  it("sets the 8 bright colours", () => {
    for (let colour = 0; colour < 8; colour += 1) {
      assert.deepEqual(sgr(90 + colour), [`x[a-fg-${colour + 8}]`]);
      assert.deepEqual(sgr(100 + colour), [`x[a-bg-${colour + 8}]`]);
    }
  });

  it("sets each weight and line", () => {
    const names = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 9: "strike", 21: "underline" };
    for (const [code, name] of Object.entries(names)) assert.deepEqual(sgr(code), [`x[a-${name}]`]);
  });

  it("unsets each of them alone", () => {
    const pairs = { "1;22": [1, 22], "2;22": [2, 22], "3;23": [3, 23], "4;24": [4, 24], "9;29": [9, 29] };
    for (const codes of Object.keys(pairs)) assert.deepEqual(sgr(codes), ["x"], codes);
    assert.deepEqual(sgr("1;3;31;23"), ["x[a-bold a-fg-1]"]);
    assert.deepEqual(sgr("31;42;39"), ["x[a-bg-2]"]);
    assert.deepEqual(sgr("31;42;49"), ["x[a-fg-1]"]);
  });

  it("resets all with 0, with an empty parameter and with none", () => {
    for (const reset of ["0", "", "1;", ";"]) assert.deepEqual(sgr(`1;31;44m${ESC}[${reset}`), ["x"], reset);
  });

  it("lasts until it is changed, and not into the next line", () => {
    assert.deepEqual(shown(`a${ESC}[31mb${ESC}[1mc${ESC}[0md`), ["a", "b[a-fg-1]", "c[a-bold a-fg-1]", "d"]);
    assert.deepEqual(shown("next"), ["next"]);
  });

  it("swaps text and background when inverse, also where they have their defaults", () => {
    assert.deepEqual(sgr("7"), ["x[a-fg-page a-bg-text]"]);
    assert.deepEqual(sgr("7;31"), ["x[a-fg-page a-bg-1]"]);
    assert.deepEqual(sgr("7;31;42"), ["x[a-fg-2 a-bg-1]"]);
    assert.deepEqual(sgr("7;27;31"), ["x[a-fg-1]"]);
  });

  it("ignores codes that it does not know", () => {
    assert.deepEqual(sgr("5;8;10;26;51;73;99;999;31"), ["x[a-fg-1]"]);
  });
});

describe("SGR with 256 colours", () => {
  it("takes the first 16 from the page's palette", () => {
    assert.deepEqual(sgr("38;5;1"), ["x[a-fg-1]"]);
    assert.deepEqual(sgr("48;5;15"), ["x[a-bg-15]"]);
  });

  it("takes 216 from a cube", () => {
    assert.deepEqual(sgr("38;5;16"), ["x[fg rgb(0, 0, 0)]"]);
    assert.deepEqual(sgr("38;5;196"), ["x[fg rgb(255, 0, 0)]"]);
    assert.deepEqual(sgr("38;5;110"), ["x[fg rgb(135, 175, 215)]"]);
    assert.deepEqual(sgr("48;5;231"), ["x[bg rgb(255, 255, 255)]"]);
  });

  it("takes 24 greys", () => {
    assert.deepEqual(sgr("38;5;232"), ["x[fg rgb(8, 8, 8)]"]);
    assert.deepEqual(sgr("38;5;255"), ["x[fg rgb(238, 238, 238)]"]);
  });

  it("goes on with the codes behind the colour", () => {
    assert.deepEqual(sgr("38;5;1;1;48;5;2;3"), ["x[a-bold a-italic a-fg-1 a-bg-2]"]);
  });
});

describe("SGR with 24-bit colours", () => {
  it("takes red, green and blue", () => {
    assert.deepEqual(sgr("38;2;1;20;255"), ["x[fg rgb(1, 20, 255)]"]);
    assert.deepEqual(sgr("48;2;1;20;255;1"), ["x[a-bold, bg rgb(1, 20, 255)]"]);
  });

  it("limits each to 255, and takes a missing one as 0", () => {
    assert.deepEqual(sgr("38;2;300;4"), ["x[fg rgb(255, 4, 0)]"]);
  });

  it("swaps them when inverse", () => {
    assert.deepEqual(sgr("7;38;2;1;2;3"), ["x[a-fg-page, bg rgb(1, 2, 3)]"]);
  });
});

describe("SGR with colons", () => {
  it("takes a colour with its parts behind colons", () => {
    assert.deepEqual(sgr("38:5:1"), ["x[a-fg-1]"]);
    assert.deepEqual(sgr("38:2:1:2:3"), ["x[fg rgb(1, 2, 3)]"]);
  });

  it("skips the colour space that ISO 8613-6 has before red", () => {
    assert.deepEqual(sgr("38:2::1:2:3"), ["x[fg rgb(1, 2, 3)]"]);
    assert.deepEqual(sgr("38:2:0:31:32:33;1"), ["x[a-bold, fg rgb(31, 32, 33)]"]);
  });

  it("takes what is behind the colon of an underline as its form, not as a code", () => {
    assert.deepEqual(sgr("4:3"), ["x[a-underline]"]);
    assert.deepEqual(sgr("1;4;4:0"), ["x[a-bold]"]);
  });
});

describe("the colour of an underline", () => {
  it("is skipped with all its parts", () => {
    assert.deepEqual(sgr("4;58;5;1"), ["x[a-underline]"]);
    assert.deepEqual(sgr("58;2;1;3;4;31"), ["x[a-fg-1]"]);
    assert.deepEqual(sgr("58:2::1:3:4;31"), ["x[a-fg-1]"]);
    assert.deepEqual(sgr("31;59"), ["x[a-fg-1]"]);
  });
});

describe("sequences that are not SGR", () => {
  const dropped = {
    "moves of the cursor": `${ESC}[2A${ESC}[10;20H${ESC}[K`,
    "private modes": `${ESC}[?25l${ESC}[?1049h${ESC}[?2004h`,
    "private sequences that end in m": `${ESC}[>4;2m${ESC}[?4m`,
    "sequences with intermediate bytes": `${ESC}[0 q${ESC}(B${ESC}#8`,
    "titles, ended by BEL or ST": `${ESC}]0;title\u0007${ESC}]2;title${ESC}\\`,
    "links": `${ESC}]8;;http://h/p${ESC}\\${ESC}]8;;${ESC}\\`,
    "device control and application strings": `${ESC}P1$r0m${ESC}\\${ESC}_Gdata${ESC}\\${ESC}^x${ESC}\\`,
    "two-byte sequences": `${ESC}7${ESC}8${ESC}=${ESC}>${ESC}c`,
    "control characters": "\u0000\u0007\b\u000b\f\u000e\u007f",
    "8-bit control characters": "\u0080\u0085\u009f",
  };
  for (const [what, bytes] of Object.entries(dropped)) {
    it(`drops ${what}`, () => assert.deepEqual(shown(`a${bytes}b`).join(""), "ab"));
  }

  it("drops the text of a link's address and keeps its label", () => {
    assert.equal(text(`${ESC}]8;;http://h/p\u0007label${ESC}]8;;\u0007.`), "label.");
  });

  it("drops a sequence that the end of the line cuts, wherever it is cut", () => {
    for (const whole of [`${ESC}[38;5;196m`, `${ESC}[?25l`, `${ESC}]0;title\u0007`, `${ESC}Pq${ESC}\\`, `${ESC}(B`]) {
      for (let length = 1; length < whole.length; length += 1) {
        assert.equal(text(`a${whole.slice(0, length)}`), "a", JSON.stringify(whole.slice(0, length)));
      }
    }
  });

  it("goes on with a sequence that begins within another one", () => {
    assert.deepEqual(shown(`a${ESC}[3${ESC}[31mb`), ["a", "b[a-fg-1]"]);
  });
});

describe("a line that is drawn several times", () => {
  it("shows the last drawing", () => {
    assert.equal(text("10 %\r20 %\r30 %"), "30 %");
  });

  it("shows it also where returns end the line", () => {
    assert.equal(text("text\r"), "text");
    assert.equal(text("10 %\r20 %\r\r"), "20 %");
  });

  it("keeps the style that an earlier drawing has set", () => {
    assert.deepEqual(shown(`${ESC}[32m10 %\r20 %`), ["20 %[a-fg-2]"]);
  });

  it("shows it also where only styles follow", () => {
    assert.equal(text(`100 %\r${ESC}[0m`), "100 %");
  });

  it("is empty where it was cleared behind the return", () => {
    assert.equal(text(`100 %\r${ESC}[K`), "");
    assert.equal(text(`100 %\r${ESC}[2Kdone`), "done");
  });
});

describe("any line", () => {
  it("has no control characters but tabs when it is shown", () => {
    const parts = [ESC, "[", "]", "m", "38", ";", ":", "5", "?", "\r", "\u0007", "\\", "a", "é", "\u009b", "P", " "];
    let seed = 1;
    const next = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
    for (let round = 0; round < 5000; round += 1) {
      const line = Array.from({ length: 12 }, () => parts[Math.floor(next() * parts.length)]).join("");
      const pieces = parseAnsi(line);
      for (const { text, fg, bg } of pieces) {
        assert.doesNotMatch(text, /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/, JSON.stringify(line));
        assert.notEqual(text, "");
        for (const colour of [fg, bg]) assert.doesNotMatch(colour ?? "", /NaN/, JSON.stringify(line));
      }
    }
  });

  it("of a million characters takes linear time", () => {
    for (const part of ["x", ESC, `${ESC}[`, `${ESC}[31m`, `${ESC}]`, "\r", `${ESC}[1;`]) {
      const line = part.repeat(1_000_000 / part.length);
      const begin = performance.now();
      parseAnsi(line);
      assert.ok(performance.now() - begin < 5000, `${JSON.stringify(part)}: ${performance.now() - begin} ms`);
    }
  });
});
