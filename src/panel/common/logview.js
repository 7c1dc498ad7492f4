// A virtual list of any length: only the visible rows are on the page.
//
// The scroller holds a space as high as all rows would be, and in it a window that stays in view.
// The scroll position of the space selects the first row of the window. At the end of the space the
// window is filled from its bottom, and stays at the end as rows arrive.

import { el } from "./dom.js";
import { Row } from "./row.js";

/** The highest space, in pixels: browsers do not support much more. */
const SPACE_MAX = 8_000_000;

/** Number of rows loaded around the visible ones. */
const AROUND = 50;

export class LogView {
  follows = true;
  #model = /** @type {import("./lines.js").Model|undefined} */ (undefined);
  #sought = "";
  #rows = /** @type {Row[]} */ ([]);
  #space = el("div.log-space");
  #window = el("div.log-window");
  #unit = 20;
  #setTop = 0;
  #top = 0;
  #isDrawPending = false;
  #onFollow;

  /**
   * @param {string} label the log's name for screen readers
   * @param {(follows: boolean) => void} onFollow called when the user leaves the end or returns to it
   */
  constructor(label, onFollow) {
    this.#onFollow = onFollow;
    this.#space.append(this.#window);
    this.element = el("div.log", { tabindex: "0", role: "region", "aria-label": label }, this.#space);
    this.element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.element.addEventListener("wheel", (event) => event.deltaY < 0 && this.#leaveEnd(), { passive: true });
    this.#watch = new ResizeObserver(() => this.draw());
    this.#watch.observe(this.element);
  }

  #watch;

  /**
   * Shows these lines, with matches marked.
   * @param {import("./lines.js").Model} model
   * @param {string} sought
   */
  show(model, sought) {
    this.#model = model;
    this.#sought = sought.toLowerCase();
    this.draw();
  }

  /** Draws with the next frame. */
  draw() {
    if (this.#isDrawPending) return;
    this.#isDrawPending = true;
    requestAnimationFrame(() => {
      this.#isDrawPending = false;
      if (this.#model && this.element.isConnected) this.#draw(this.#model);
    });
  }

  /** Scrolls to the end and stays there. */
  toEnd() {
    this.#setFollows(true);
    this.draw();
  }

  /** Scrolls a row to the middle. @param {number} index */
  toRow(index) {
    this.#setFollows(false);
    this.#top = Math.max(0, index - Math.floor(this.#visibleRows() / 2));
    this.#setTop = -1;
    this.draw();
  }

  /** Number of characters that fit in a line. */
  get columns() {
    const probe = el("span.log-probe", {}, "0".repeat(100));
    this.#window.append(probe);
    const width = probe.getBoundingClientRect().width / 100;
    probe.remove();
    return Math.max(40, Math.floor((this.element.clientWidth - 32) / (width || 8)));
  }

  /** Returns the number of the line that an event occurred on. @param {Event} event */
  lineAt(event) {
    const { target } = event;
    const row = this.#rows.find((it) => target instanceof Node && it.element.contains(target));
    return row?.lineNumber ?? 0;
  }

  close() {
    this.#watch.disconnect();
  }

  #visibleRows() {
    return Math.ceil(this.element.clientHeight / this.#unit) + 1;
  }

  /** Returns the pixels of the space per row. @param {number} size */
  #pixels(size) {
    return Math.min(this.#unit, SPACE_MAX / Math.max(1, size));
  }

  /** @param {import("./lines.js").Model} model */
  #draw(model) {
    const { size } = model;
    const height = this.element.clientHeight;
    const pixels = this.#pixels(size);
    const isLong = size * this.#unit > height;
    this.#space.style.setProperty("height", `${Math.max(height, size * pixels + (height - height * (pixels / this.#unit)))}px`);
    this.#window.style.setProperty("height", `${height}px`);
    const visible = this.#visibleRows();
    const lastTop = Math.max(0, size - height / this.#unit);
    const atEnd = this.follows || this.#top >= lastTop;
    const first = atEnd ? Math.max(0, size - visible) : Math.floor(this.#top);
    this.#fill(model, first, Math.min(size, first + visible));
    this.#window.classList.toggle("at-end", atEnd && (isLong || this.#overflows(height)));
    this.#shift(atEnd ? 0 : this.#top - first);
    if (atEnd) this.#scrollTo(this.element.scrollHeight);
    else if (this.#setTop < 0 || pixels < this.#unit) this.#scrollTo(this.#top * pixels);
  }

  /** @param {import("./lines.js").Model} model @param {number} first @param {number} until */
  #fill(model, first, until) {
    while (this.#rows.length < until - first) {
      const row = new Row();
      this.#rows.push(row);
      this.#window.append(row.element);
    }
    model.need(Math.max(0, first - AROUND), until + AROUND);
    this.#rows.forEach((row, place) => {
      const index = first + place;
      row.element.hidden = index >= until;
      if (index >= until) return;
      const line = model.at(index);
      row.show(line, this.#sought, model.marks.get(line?.n || index + 1));
    });
  }

  /** @param {number} height */
  #overflows(height) {
    return this.#rows.reduce((sum, row) => sum + row.element.offsetHeight, 0) > height;
  }

  /** Moves the window up by a part of its first row. @param {number} part */
  #shift(part) {
    const height = part > 0 ? this.#rows[0]?.element.offsetHeight ?? 0 : 0;
    this.#window.style.setProperty("--shift", `${-Math.round(part * height)}px`);
  }

  /** @param {number} top */
  #scrollTo(top) {
    this.element.scrollTop = top;
    this.#setTop = this.element.scrollTop;
  }

  #scrolled() {
    const top = this.element.scrollTop;
    // Ignore our own scrolling.
    if (!this.#model || Math.abs(top - this.#setTop) < 1) return;
    const end = this.element.scrollHeight - this.element.clientHeight;
    this.#top = top / this.#pixels(this.#model.size);
    this.#setTop = top;
    this.#setFollows(top >= end - 2);
    this.draw();
  }

  #leaveEnd() {
    if (!this.follows || this.element.scrollHeight <= this.element.clientHeight) return;
    this.#top = this.element.scrollTop / this.#pixels(this.#model?.size ?? 1);
    this.#setFollows(false);
  }

  /** @param {boolean} follows */
  #setFollows(follows) {
    if (this.follows === follows) return;
    this.follows = follows;
    this.#onFollow(follows);
  }
}
