// The list of runs; the chosen one is shown with its output.

import { byId, el, setAttribute, setText } from "../common/dom.js";
import { lasted, plural, when } from "../common/format.js";
import { short } from "./run.js";
import { outcome } from "./runs.js";

/**
 * Shows the list.
 * @param {import("./runs.js").Runs} runs
 * @param {() => string|null} chosen returns the id of the run that is shown
 * @param {(id: string) => void} onChoose
 * @returns {() => void} updates the list
 */
export function showHistory(runs, chosen, onChoose) {
  const list = byId("history");
  /** @type {Map<string, ReturnType<typeof makeItem>>} */
  const items = new Map();
  return () => {
    const ids = new Set(runs.all.map((run) => run.run_id));
    for (const [id, item] of items) {
      if (ids.has(id)) continue;
      item.element.remove();
      items.delete(id);
    }
    runs.all.forEach((run, place) => {
      const item = items.get(run.run_id) ?? makeItem(() => onChoose(run.run_id));
      items.set(run.run_id, item);
      const [label, style] = outcome(run);
      setText(item.pill, label);
      item.pill.className = `pill ${style}`;
      setText(item.name, short(run.command));
      setText(item.time, run.status === "running" ? `since ${when(run.created_at)}` : `${when(run.created_at)}, ${lasted(run.uptime)}`);
      setAttribute(item.button, "aria-current", run.run_id === chosen() ? "true" : null);
      if (list.children[place] !== item.element) list.insertBefore(item.element, list.children[place] ?? null);
    });
    setText(byId("history-count"), counted(runs));
  };
}

/** Creates the row of a run. @param {() => void} onClick */
function makeItem(onClick) {
  const [pill, name, time] = [el("span.pill"), el("span.history-name.mono"), el("span.muted")];
  const button = el("button.history-item", { type: "button", on: { click: onClick } }, name, pill, time);
  return { pill, name, time, button, element: el("li", {}, button) };
}

/** @param {import("./runs.js").Runs} runs */
function counted(runs) {
  if (runs.all.length === 0) return "Nothing has run yet.";
  return runs.areAll ? plural(runs.all.length, "run") : `the last ${runs.all.length} runs`;
}
