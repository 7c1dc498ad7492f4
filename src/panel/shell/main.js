// The page of the LLM Shell.

import { afterPaint } from "../common/dom.js";
import { showLogOut } from "../common/logout.js";
import { followScope } from "../common/scope.js";
import { showHistory } from "./history.js";
import { RunView } from "./run.js";
import { Runs } from "./runs.js";
import { makeStart } from "./start.js";

const runs = new Runs();
let chosen = /** @type {string|null} */ (null);
/** Whether the newest run is shown, also when a newer one starts. */
let followsNewest = true;

const view = new RunView(runs, (run) => fill(run));
const fill = makeStart(() => view.columns, () => {
  followsNewest = true;
  void runs.refresh();
});
const update = showHistory(runs, () => chosen, (id) => {
  followsNewest = id === runs.newest?.run_id;
  choose(id);
  update();
});

/** @param {string|null} id */
function choose(id) {
  chosen = id;
  view.show(id);
}

let isFirst = true;
runs.onChange(() => {
  if (followsNewest || !runs.find(chosen)) choose(runs.newest?.run_id ?? null);
  update();
  if (!isFirst) return;
  isFirst = false;
  afterPaint(() => performance.mark("runs-painted"));
});

showLogOut();
runs.start();
followScope();
