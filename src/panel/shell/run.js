// The run that is shown: how it is, what can be done to it, and its output.

import { post } from "../common/api.js";
import { confirm } from "../common/confirm.js";
import { away } from "../common/connection.js";
import { byId, el, isBusy, setBusy, setText } from "../common/dom.js";
import { duration, ending, lasted, memory, percent, plural, when } from "../common/format.js";
import { LogPanel } from "../common/logpanel.js";
import { tellFault } from "../common/notices.js";
import { makeTalk } from "../common/talk.js";
import { outcome } from "./runs.js";

const LASTING = { Kill: "Killing...", Restart: "Restarting..." };
const NAME_MAX = 60;
/** How many lines a terminal has. */
export const ROWS = 40;
const RESIZE_MS = 300;

export class RunView {
  #runs;
  #onAgain;
  #place = byId("run");
  #id = /** @type {string|null|undefined} */ (undefined);
  #log = /** @type {LogPanel|null} */ (null);
  #talkKey = "";
  #pill = el("span.pill");
  #facts = el("p.run-facts.muted");
  #command = el("pre.run-command", { tabindex: "0", "aria-label": "Command of this run" });
  #talk = el("div.run-talk");
  #body = el("div.run-log");
  #kill = this.#button("Kill", () => this.#end());
  #restart = this.#button("Restart", () => this.#startAgain());
  #again = el("button.small", { type: "button" }, "Edit and run again");

  /**
   * @param {import("./runs.js").Runs} runs
   * @param {(run: Api.Run) => void} onAgain called to have a run edited
   */
  constructor(runs, onAgain) {
    this.#runs = runs;
    this.#onAgain = onAgain;
    this.#again.addEventListener("click", () => this.#shown && this.#onAgain(this.#shown));
    runs.onChange(() => this.#update());
    setInterval(() => document.hidden || away() || this.#update(), 1000);
    addEventListener("resize", () => this.#resizeSoon());
    this.show(null);
  }

  /** How wide a terminal is here, in characters. */
  get columns() {
    return this.#log?.columns ?? 100;
  }

  /** Shows a run. @param {string|null} id */
  show(id) {
    if (id === this.#id) return;
    this.#id = id;
    this.#log?.close();
    this.#log = null;
    this.#talkKey = "";
    const run = this.#shown;
    if (run === null) {
      const words = "Nothing was started yet. Give a command, and its output is here as it comes.";
      this.#place.replaceChildren(el("p.empty.muted", {}, words));
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
      this.#command, this.#facts, this.#body, this.#talk);
    this.#update();
  }

  /** The run that is shown, while the server has it. */
  get #shown() {
    return this.#runs.find(this.#id ?? null);
  }

  /** @param {string} label @param {() => Promise<void>} act */
  #button(label, act) {
    const button = el("button.small", { type: "button", "data-asks": true }, label);
    button.addEventListener("click", async () => {
      if (isBusy(button)) return;
      try {
        await act();
      } catch (error) {
        tellFault(error.message);
      }
      setBusy(button, false);
      setText(button, label);
      await this.#runs.refresh();
    });
    return button;
  }

  /** @param {HTMLElement} button @param {keyof typeof LASTING} label */
  #lasts(button, label) {
    setBusy(button, true);
    setText(button, LASTING[label]);
  }

  async #end() {
    const run = this.#shown;
    if (!run) return;
    const left = run.status !== "running";
    const title = left ? `End what ${short(run.command)} left behind?` : `Kill ${short(run.command)}?`;
    const text = left
      ? `${plural(run.leftover_pids.length, "process")} of it still live: ${run.leftover_pids.join(", ")}.`.replace("processs", "processes")
      : `Process ${run.process_pid} and all that it has started will be ended.`;
    if (!(await confirm({ title, text, action: "Kill" }))) return;
    this.#lasts(this.#kill, "Kill");
    const answer = await post("kill");
    if (answer.left) tellFault(answer.left.map((it) => `Process ${it.pid} could not be ended: ${it.why}.`).join(" "));
  }

  async #startAgain() {
    const run = this.#shown;
    if (!run) return;
    const text = `Process ${run.process_pid} and all that it has started will be ended and started again.`;
    const question = { title: `Restart ${short(run.command)}?`, text, action: "Restart" };
    if (run.status === "running" && !(await confirm(question))) return;
    this.#lasts(this.#restart, "Restart");
    await post("restart");
  }

  #update() {
    const run = this.#shown;
    if (!run) return;
    const isNewest = run === this.#runs.newest;
    const runs = run.status === "running";
    const [word, look] = outcome(run);
    setText(this.#pill, word);
    this.#pill.className = `pill ${look}`;
    setText(this.#command, run.command);
    setText(this.#facts, facts(run, (performance.now() - this.#runs.at) / 1000));
    this.#kill.hidden = !isNewest || (!runs && run.leftover_pids.length === 0);
    this.#restart.hidden = !isNewest;
    this.#again.hidden = runs;
    this.#showTalk(run, isNewest && runs);
    if (runs) this.#log?.reopenIfOver();
  }

  /** Gives a terminal the width of its log, once the window is as it is to be. */
  #resizeSoon() {
    clearTimeout(this.#resizing);
    this.#resizing = setTimeout(async () => {
      const run = this.#shown;
      if (!run?.pty || run.status !== "running" || run !== this.#runs.newest) return;
      try {
        await post("resize", { rows: ROWS, cols: this.columns });
      } catch {
        // It has ended meanwhile, or is of no other width than before.
      }
    }, RESIZE_MS);
  }

  #resizing = 0;

  /** @param {Api.Run} run @param {boolean} canTalk */
  #showTalk(run, canTalk) {
    const key = canTalk ? `${run.run_id} ${run.stdin_open}` : "";
    if (key === this.#talkKey) return;
    this.#talkKey = key;
    this.#talk.replaceChildren(...(canTalk ? [makeTalk({
      canType: run.stdin_open,
      isTerminal: run.pty,
      signal: (type) => post(`signal?type=${type}`),
      type: (data, eof) => post("stdin", { data, eof }),
      what: short(run.command),
    })] : []));
  }
}

/**
 * What is known of a run, in one line.
 * @param {Api.Run} run
 * @param {number} since how many seconds ago the server was asked
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

/** A command as its own name. @param {string} command */
export function short(command) {
  const [line = ""] = command.trim().split("\n");
  return line.length > NAME_MAX ? `${line.slice(0, NAME_MAX)}…` : line;
}
