// Numbers, durations and outcomes as text (src/panel/common/format.js).

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "./load.js";

const { count, duration, ending, lasted, memory, percent, plural } = await load("common/format.js");

/** Checks a function against a table of inputs and outputs. */
const table = (name, act, rows) => it(name, () => {
  for (const [input, output] of rows) assert.equal(act(input), output, String(input));
});

describe("format", () => {
  table("counts", count, [[0, "0"], [999, "999"], [12345, "12,345"]]);
  table("lines", (value) => plural(value, "line"), [[0, "0 lines"], [1, "1 line"], [2000, "2,000 lines"]]);
  table("durations", duration, [
    [-1, "0 s"], [0.9, "0 s"], [59.9, "59 s"], [60, "1 min"], [61, "1 min 1 s"], [599, "9 min 59 s"],
    [601, "10 min"], [3600, "1 h"], [3660, "1 h 1 min"], [86_400, "1 d"], [90_000, "1 d 1 h"],
  ]);
  table("lengths of runs", lasted, [
    [0, "0 s"], [0.0014, "0.001 s"], [0.5, "0.5 s"], [0.9999, "1 s"], [9.99, "10 s"], [12.7, "12 s"], [90, "1 min 30 s"],
  ]);
  table("CPU", percent, [[0, "0.0 %"], [9.94, "9.9 %"], [9.96, "10 %"], [10.4, "10 %"], [250, "250 %"]]);
  table("memory", memory, [
    [0, "0.0 MiB"], [9.94, "9.9 MiB"], [9.96, "10 MiB"], [512.4, "512 MiB"], [1023.4, "1023 MiB"],
    [1023.6, "1.0 GiB"], [1024, "1.0 GiB"], [1536, "1.5 GiB"],
  ]);
  table("ends", ([exit_code, signal, ended_by]) => ending({ exit_code, signal, ended_by }), [
    [[0, null, "itself"], "with exit code 0, by itself"],
    [[-9, "SIGKILL", "kill"], "by SIGKILL, stopped by hand"],
    [[null, null, "lost"], "with unknown exit status, while the server was down"],
    [[1, null, null], "with exit code 1"],
  ]);
});
