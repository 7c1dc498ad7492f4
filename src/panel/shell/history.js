// The list of runs: one that is chosen is shown with its output.

import { byId, el, setAttribute, setText } from "../common/dom.js";
import { lasted, plural, when } from "../common/format.js";
import { short } from "./run.js";
import { outcome } from "./runs.js";

/**
 * Shows the list, and keeps it true.
 * @param {import("./runs.js").Runs} runs
 * @param {() => string|null} chosen the id of the run that is shown
 * @param {(id: string) => void} onChoose
 */
export function showHistory(runs, chosen, onChoose) {
  const list = byId("history");
  const items = new Map();
  const make = (run) => {
    const item = {
      pill: el("span.pill"), name: el("span.history-name.mono"), time: el("span.muted"),
    };
    item.button = el("button.history-item", { type: "button", on: { click: () => onChoose(run.run_id) } },
      item.name, item.pill, item.time);
    item.element = el("li", {}, item.button);
    return item;
  };
  return () => {
    const ids = new Set(runs.all.map((run) => run.run_id));
    for (const [id, item] of items) {
      if (ids.has(id)) continue;
      item.element.remove();
      items.delete(id);
    }
    runs.all.forEach((run, place) => {
      const item = items.get(run.run_id) ?? make(run);
      items.set(run.run_id, item);
      const [word, look] = outcome(run);
      setText(item.pill, word);
      item.pill.className = `pill ${look}`;
      setText(item.name, short(run.command));
      setText(item.time, run.status === "running" ? `since ${when(run.created_at)}` : `${when(run.created_at)}, ${lasted(run.uptime)}`);
      setAttribute(item.button, "aria-current", run.run_id === chosen() ? "true" : null);
      if (list.children[place] !== item.element) list.insertBefore(item.element, list.children[place] ?? null);
    });
    setText(byId("history-count"), counted(runs));
  };
}

function counted(runs) {
  if (runs.all.length === 0) return "Nothing has run yet.";
  return runs.areAll ? plural(runs.all.length, "run") : `the last ${runs.all.length} runs`;
}
