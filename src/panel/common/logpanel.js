// A live log with a toolbar: search, pause, wrap, times, download.

import { ApiError, Unreachable } from "./api.js";
import { onBack, whenBack } from "./connection.js";
import { el, setAttribute, setText } from "./dom.js";
import { count, plural } from "./format.js";
import { Lines } from "./lines.js";
import { LogView } from "./logview.js";
import { Matches, pattern } from "./matches.js";
import { readEvents } from "./sse.js";
import { makeToggle } from "./toggle.js";
import { takeEvents } from "./logevents.js";

const FIRST_LINES = 300;
const FIRST_MATCHES = 1000;
const TYPING_MS = 250;
/** How long a tab may be hidden before its stream is closed. */
const HIDDEN_MS = 20_000;
/** How long output may arrive faster than it is read before lines are skipped. */
const FLOOD_MS = 1500;
/** Delay before a retry if the server has no free stream. */
const FULL_MS = 5000;

/**
 * @typedef {object} LogOptions
 * @property {string} path of the log's route
 * @property {string} name of the run or service
 * @property {string} file name of a download
 * @property {(() => void)|undefined} [onEnd] called when the log has ended
 */

export class LogPanel {
  #options;
  #model = /** @type {import("./lines.js").Model} */ (new Matches());
  #sought = "";
  #isPaused = false;
  #isClosed = false;
  #isOver = false;
  #abort = new AbortController();
  #wake = /** @type {(value?: unknown) => void} */ (() => {});
  #floodSince = 0;
  #view;
  #state = el("span.log-state", { role: "status" });
  #endButton = el("button.small", { type: "button", hidden: true }, "Jump to the end");
  #pause = el("button.small", { type: "button" }, "Pause");

  /** @param {LogOptions} options */
  constructor(options) {
    this.#options = options;
    this.#view = new LogView(`Log of ${options.name}`, (follows) => {
      this.#endButton.hidden = follows;
    });
    this.element = el("div.log-panel", {},
      this.#tools(), this.#view.element);
    document.addEventListener("visibilitychange", this.#visibility);
    this.#endBack = onBack(() => this.#restart());
    this.#reset();
    void this.#work();
  }

  #endBack;

  get columns() {
    return this.#view.columns;
  }

  /** Follows again if the log was over: a run that was being launched had no log yet. */
  reopenIfOver() {
    if (!this.#isOver) return;
    this.#isOver = false;
    this.#restart();
  }

  /** Closes the stream for good. */
  close() {
    this.#isClosed = true;
    this.#abort.abort();
    this.#wake();
    this.#view.close();
    this.#endBack();
    document.removeEventListener("visibilitychange", this.#visibility);
    clearTimeout(this.#hideTimer);
  }

  #tools() {
    const search = el("input", { type: "search", "aria-label": "Search the log", placeholder: "Search", autocomplete: "off", spellcheck: "false" });
    let timer = 0;
    /** @param {string} value */
    const seek = (value) => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#seek(value), TYPING_MS);
    };
    search.addEventListener("input", () => seek(search.value));
    this.#view.element.addEventListener("click", (event) => this.#showAround(event, search));
    this.#pause.addEventListener("click", () => this.#setPaused(!this.#isPaused));
    this.#endButton.addEventListener("click", () => this.#view.toEnd());
    const { path, file } = this.#options;
    const href = `${path}${path.includes("?") ? "&" : "?"}lines=0&format=text`;
    return el("div.log-tools", {},
      search, this.#state, el("span.grow"), this.#endButton, this.#pause,
      this.#toggle("Wrap", "wrap"), this.#toggle("Times", "times"),
      el("a.button.small", { href, download: file }, "Download"));
  }

  /** Creates a button that toggles a class of the lines. @param {string} label @param {string} name */
  #toggle(label, name) {
    return makeToggle(label, `log.${name}`, (isOn) => {
      this.#view.element.classList.toggle(name, isOn);
      this.#view.draw();
    });
  }

  /** @param {string} sought */
  #seek(sought) {
    if (sought === this.#sought || this.#isClosed) return;
    this.#sought = sought;
    if (this.#isPaused) this.#setPaused(false);
    this.#reset();
    this.#view.toEnd();
    this.#restart();
  }

  /**
   * Shows a clicked match in its context.
   * @param {Event} event
   * @param {HTMLInputElement} search
   */
  #showAround(event, search) {
    const n = this.#view.lineAt(event);
    if (!this.#sought || n === 0 || getSelection()?.toString()) return;
    search.value = "";
    this.#sought = "";
    this.#reset();
    this.#model.total = n;
    this.#view.toRow(this.#model.rowOf(n));
    this.#restart();
  }

  /** @param {boolean} isPaused */
  #setPaused(isPaused) {
    this.#isPaused = isPaused;
    setText(this.#pause, isPaused ? "Resume" : "Pause");
    setAttribute(this.#pause, "aria-pressed", String(isPaused));
    this.#restart();
  }

  #reset() {
    this.#model = this.#sought ? new Matches() : new Lines(this.#options.path, () => this.#view.draw());
    this.#view.show(this.#model, this.#sought);
  }

  /** Closes the stream, so that the next one opens with the current settings. */
  #restart() {
    this.#abort.abort();
    this.#wake();
  }

  #hideTimer = 0;
  #isHidden = false;
  #visibility = () => {
    clearTimeout(this.#hideTimer);
    if (!document.hidden && this.#isHidden) {
      this.#isHidden = false;
      this.#restart();
    } else if (document.hidden) {
      this.#hideTimer = setTimeout(() => {
        this.#isHidden = true;
        this.#restart();
      }, HIDDEN_MS);
    }
  };

  async #work() {
    while (!this.#isClosed) {
      this.#abort = new AbortController();
      const woken = new Promise((resolve) => {
        this.#wake = resolve;
      });
      if (this.#isPaused || this.#isHidden) {
        this.#setState(this.#isPaused ? "Paused" : "");
        await woken;
        continue;
      }
      const outcome = await this.#follow(this.#abort.signal);
      this.#isOver = outcome === "ended";
      if (outcome === "ended" || outcome === "refused") await woken;
      else if (outcome === "unreachable") await Promise.race([whenBack(), woken]);
      else if (outcome === "full") await Promise.race([pause(FULL_MS), woken]);
      else if (outcome === "broken") await pause(500);
    }
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    const { path, onEnd } = this.#options;
    const grep = this.#sought ? `&strip_ansi=false&grep=${encodeURIComponent(pattern(this.#sought))}` : "";
    const lines = this.#sought ? FIRST_MATCHES : FIRST_LINES;
    const url = `${path}${path.includes("?") ? "&" : "?"}follow=true&lines=${lines}${grep}`;
    if (this.#sought) this.#reset();
    const model = this.#model;
    this.#setState("Connecting…");
    this.#floodSince = 0;
    try {
      return await readEvents(url, {
        signal,
        onOpen: () => this.#showCount(),
        onFlood: () => this.#floods(),
        onEvents: (events) => {
          const ended = takeEvents(model, events);
          this.#showCount(ended !== null);
          this.#view.draw();
          if (ended !== null) onEnd?.();
        },
      });
    } catch (error) {
      if (signal.aborted) return "aborted";
      if (error instanceof Unreachable) return "unreachable";
      if (!(error instanceof ApiError)) throw error;
      this.#setState(error.message);
      return error.status === 503 ? "full" : "refused";
    }
  }

  /** Whether output has arrived faster than it is read for longer than `FLOOD_MS`. */
  #floods() {
    const now = performance.now();
    this.#floodSince ||= now;
    return this.#view.follows && !this.#sought && now - this.#floodSince > FLOOD_MS;
  }

  #showCount(isOver = false) {
    const { total } = this.#model;
    // At the limit, only the last matches were sent.
    const cut = total >= FIRST_MATCHES ? "+" : "";
    const lines = this.#sought ? `${count(total)}${cut} found` : plural(total, "line");
    this.#setState(isOver ? `${lines}, ended` : lines);
  }

  /** @param {string} text */
  #setState(text) {
    setText(this.#state, text);
  }
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
