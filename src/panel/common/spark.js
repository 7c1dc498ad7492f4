// Sparklines of the last five minutes.

import { svg } from "./dom.js";

export const SPAN_MS = 5 * 60 * 1000;
const [WIDTH, HEIGHT] = [100, 24];

/** A time series of the last five minutes. */
export class Series {
  #points = /** @type {[at: number, value: number][]} */ ([]);

  /** @param {number} at in milliseconds @param {number} value */
  add(at, value) {
    this.#points.push([at, value]);
    this.#points = this.#points.filter(([then]) => then >= at - SPAN_MS);
  }

  /**
   * Returns the path of the line, and that of the area below it.
   * @param {number} least smallest top of the scale
   * @returns {[line: string, area: string]}
   */
  paths(least) {
    const points = this.#points;
    // At zero, the baseline drawn by the style sheet is enough.
    const [first, last] = [points[0], points.at(-1)];
    if (!first || !last || first === last || points.every(([, value]) => value === 0)) return ["", ""];
    const [now] = last;
    const top = Math.max(least, ...points.map(([, value]) => value)) * 1.1;
    /** @param {number} at */
    const x = (at) => (WIDTH * (1 - (now - at) / SPAN_MS)).toFixed(1);
    /** @param {number} value */
    const y = (value) => (HEIGHT - 1 - (HEIGHT - 2) * (value / top)).toFixed(1);
    const line = points.map(([at, value]) => `${x(at)} ${y(value)}`).join("L");
    return [`M${line}`, `M${x(first[0])} ${HEIGHT}L${line}L${WIDTH} ${HEIGHT}Z`];
  }
}

/** A sparkline of a series. */
export class Spark {
  #line = svg("path", { class: "spark-line" });
  #area = svg("path", { class: "spark-area" });

  constructor() {
    const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "spark" };
    // Hidden: the number beside it has the value.
    this.element = svg("svg", { ...box, "aria-hidden": "true", focusable: "false" });
    this.element.append(this.#area, this.#line);
  }

  /** @param {Series} series @param {number} least */
  draw(series, least) {
    const [line, area] = series.paths(least);
    this.#line.setAttribute("d", line);
    this.#area.setAttribute("d", area);
  }
}
