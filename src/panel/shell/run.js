// The run that is shown: its state, actions on it, and its output.

import { post } from "../common/api.js";
import { confirm } from "../common/confirm.js";
import { offline } from "../common/connection.js";
import { byId, el, isBusy, setBusy, setText } from "../common/dom.js";
import { count, duration, ending, lasted, memory, percent, when } from "../common/format.js";
import { LogPanel } from "../common/logpanel.js";
import { showError } from "../common/notices.js";
import { makeInput } from "../common/input.js";
import { may, onScope } from "../common/scope.js";
import { outcome } from "./runs.js";

const IN_PROGRESS = { Kill: "Killing...", Restart: "Restarting..." };
const NAME_MAX = 60;
/** Height of a new terminal, in lines. */
export const ROWS = 40;
const RESIZE_MS = 300;

export class RunView {
  #runs;
  #onAgain;
  #place = byId("run");
  #id = /** @type {string|null|undefined} */ (undefined);
  #log = /** @type {LogPanel|null} */ (null);
  #inputKey = "";
  #pill = el("span.pill");
  #facts = el("p.run-facts.muted");
  #command = el("pre.run-command", { tabindex: "0", "aria-label": "Command of this run" });
  #input = el("div.run-talk");
  #body = el("div.run-log");
  #kill = this.#button("Kill", () => this.#end());
  #restart = this.#button("Restart", () => this.#startAgain());
  #again = el("button.small", { type: "button", "data-needs": "run" }, "Edit and run again");

  /**
   * @param {import("./runs.js").Runs} runs
   * @param {(run: Api.Run) => void} onAgain called to edit a run
   */
  constructor(runs, onAgain) {
    this.#runs = runs;
    this.#onAgain = onAgain;
    this.#again.addEventListener("click", () => this.#shown && this.#onAgain(this.#shown));
    runs.onChange(() => this.#update());
    onScope(() => this.#update());
    setInterval(() => document.hidden || offline() || this.#update(), 1000);
    addEventListener("resize", () => this.#resizeSoon());
    this.show(null);
  }

  /** Width of a terminal in this page, in characters. */
  get columns() {
    return this.#log?.columns ?? 100;
  }

  /** Shows a run. @param {string|null} id */
  show(id) {
    if (id === this.#id) return;
    this.#id = id;
    this.#log?.close();
    this.#log = null;
    this.#inputKey = "";
    const run = this.#shown;
    if (run === null) {
      const hint = "No command has been started yet. Its output will appear here.";
      this.#place.replaceChildren(el("p.empty.muted", {}, hint));
      return;
    }
    const file = run.log_file.replace(/^.*\//, "").replace(/\.log$/, ".txt");
    this.#log = new LogPanel({
      path: `runs/${encodeURIComponent(run.run_id)}/logs`, name: short(run.command), file,
      onEnd: () => void this.#runs.refresh(),
    });
    this.#body.replaceChildren(this.#log.element);
    this.#place.replaceChildren(
      el("div.run-head", {}, el("h2", {}, "Output"), this.#pill, el("span.grow"), this.#restart, this.#kill, this.#again),
      this.#command, this.#facts, this.#body, this.#input);
    this.#update();
  }

  /** The run that is shown, if the server has it. */
  get #shown() {
    return this.#runs.find(this.#id ?? null);
  }

  /** @param {string} label @param {() => Promise<void>} act */
  #button(label, act) {
    const button = el("button.small", { type: "button", "data-asks": true, "data-needs": "operate" }, label);
    button.addEventListener("click", async () => {
      if (isBusy(button)) return;
      try {
        await act();
      } catch (error) {
        showError(error.message);
      }
      setBusy(button, false);
      setText(button, label);
      await this.#runs.refresh();
    });
    return button;
  }

  /** @param {HTMLElement} button @param {keyof typeof IN_PROGRESS} label */
  #setInProgress(button, label) {
    setBusy(button, true);
    setText(button, IN_PROGRESS[label]);
  }

  async #end() {
    const run = this.#shown;
    if (!run) return;
    const left = run.status !== "running";
    const title = left ? `End the processes left by ${short(run.command)}?` : `Kill ${short(run.command)}?`;
    const text = left
      ? `${run.leftover_pids.length === 1 ? "1 process is" : `${count(run.leftover_pids.length)} processes are`} still running: ${run.leftover_pids.join(", ")}.`
      : `Process ${run.process_pid} and all processes that it started will be ended.`;
    if (!(await confirm({ title, text, action: "Kill" }))) return;
    this.#setInProgress(this.#kill, "Kill");
    const answer = await post("kill");
    if (answer.left) showError(answer.left.map((it) => `Process ${it.pid} could not be ended: ${it.why}.`).join(" "));
  }

  async #startAgain() {
    const run = this.#shown;
    if (!run) return;
    const text = `Process ${run.process_pid} and all processes that it started will be ended, and the command started again.`;
    const question = { title: `Restart ${short(run.command)}?`, text, action: "Restart" };
    if (run.status === "running" && !(await confirm(question))) return;
    this.#setInProgress(this.#restart, "Restart");
    await post("restart");
  }

  #update() {
    const run = this.#shown;
    if (!run) return;
    const isNewest = run === this.#runs.newest;
    const runs = run.status === "running";
    const [label, style] = outcome(run);
    setText(this.#pill, label);
    this.#pill.className = `pill ${style}`;
    setText(this.#command, run.command);
    setText(this.#facts, facts(run, (performance.now() - this.#runs.at) / 1000));
    this.#kill.hidden = !isNewest || (!runs && run.leftover_pids.length === 0);
    this.#restart.hidden = !isNewest;
    this.#again.hidden = runs;
    this.#showInput(run, isNewest && runs);
    if (runs) this.#log?.reopenIfOver();
  }

  /** Sets a terminal to the width of its log, once the window size has settled. */
  #resizeSoon() {
    clearTimeout(this.#resizing);
    this.#resizing = setTimeout(async () => {
      const run = this.#shown;
      if (!may("operate") || !run?.pty || run.status !== "running" || run !== this.#runs.newest) return;
      try {
        await post("resize", { rows: ROWS, cols: this.columns });
      } catch {
        // It may have ended meanwhile.
      }
    }, RESIZE_MS);
  }

  #resizing = 0;

  /** @param {Api.Run} run @param {boolean} acceptsInput */
  #showInput(run, acceptsInput) {
    const canType = run.stdin_open && may("run");
    const key = acceptsInput && may("operate") ? `${run.run_id} ${canType}` : "";
    if (key === this.#inputKey) return;
    this.#inputKey = key;
    this.#input.replaceChildren(...(key ? [makeInput({
      canType,
      isTerminal: run.pty,
      signal: (type) => post(`signal?type=${type}`),
      type: (data, eof) => post("stdin", { data, eof }),
      what: short(run.command),
    })] : []));
  }
}

/**
 * Describes a run in one line.
 * @param {Api.Run} run
 * @param {number} since seconds since the status was read
 */
function facts(run, since) {
  const parts = [`Process ${run.process_pid}`, `in ${run.cwd}`, `started ${when(run.created_at)}`];
  if (run.status === "running") {
    parts.push(`up ${duration(run.uptime + since)}`, `CPU ${percent(run.cpu_percent)}`, memory(run.memory_mb));
  } else {
    parts.push(`ended after ${lasted(run.uptime)}, ${ending(run)}`);
    if (run.leftover_pids.length > 0) parts.push(`left behind: ${run.leftover_pids.join(", ")}`);
  }
  return parts.join(" · ");
}

/** Shortens a command to a name. @param {string} command */
export function short(command) {
  const [line = ""] = command.trim().split("\n");
  return line.length > NAME_MAX ? `${line.slice(0, NAME_MAX)}…` : line;
}
