// Applies the events of a followed log to a model.

import { ending, timeOfDay } from "./format.js";

/**
 * Applies events to a model of lines. Returns the final state of the run or service if the log has
 * ended, else null.
 * @param {import("./lines.js").Model} model
 * @param {import("./sse.js").ServerEvent[]} events
 */
export function takeEvents(model, events) {
  /** @type {unknown} */
  let ended = null;
  for (const event of events) {
    if (event.name === "message") {
      /** @type {Api.LoggedLine} */
      const { timestamp, line } = JSON.parse(event.data);
      model.put({ n: lineNumber(event.id), at: timestamp, text: line });
      model.prompt = "";
    } else if (event.name === "prompt") {
      model.prompt = JSON.parse(event.data);
    } else if (event.name === "run") {
      mark(model, JSON.parse(event.data));
    } else if (event.name === "missed") {
      model.miss();
    } else if (event.name === "end") {
      ended = JSON.parse(event.data);
    }
  }
  return ended;
}

/**
 * Parses the line number in the id of an event: `RUN_ID:N`, or `N` for a service.
 * @param {string|null} id
 */
function lineNumber(id) {
  return Number(id?.slice(id.lastIndexOf(":") + 1));
}

/**
 * Marks the start or the end of a run before the next line.
 * @param {import("./lines.js").Model} model
 * @param {Api.RunMark} run
 */
function mark(model, run) {
  const at = timeOfDay(run.at);
  const text = run.event === "started"
    ? `started at ${at}, process ${run.pid}`
    : `ended at ${at}, ${ending(run)}`;
  model.mark(text);
}
