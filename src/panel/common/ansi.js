// Understands what a line says to a terminal: colours and weights. Everything else that it says to
// one is dropped. Each line begins anew: what lies before it may not be on the page.

/**
 * A piece of a line in one style.
 * @typedef {{text: string, classes: string, fg: string|null, bg: string|null}} Piece
 * @typedef {number|string|null} Colour one of the page's palette by its number, or `rgb(…)`
 * @typedef {{bold: boolean, dim: boolean, italic: boolean, underline: boolean, inverse: boolean,
 *   strike: boolean, fg: Colour, bg: Colour}} Style
 */

// CSI, OSC (to BEL or ST), other strings, and short sequences.
const SEQUENCE = new RegExp(
  "\\u001b\\[([0-9;:?<=>]*)[ -/]*([@-~])" +
  "|\\u001b\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?" +
  "|\\u001b[PX^_][^\\u001b]*(?:\\u001b\\\\)?" +
  "|\\u001b[ -/]*[0-~]?" +
  "|[\\u0000-\\u0008\\u000b-\\u001f\\u007f]", "g");

/**
 * The pieces of a line.
 * @param {string} line
 * @returns {Piece[]}
 */
export function parseAnsi(line) {
  const drawn = lastDrawing(line);
  /** @type {Piece[]} */
  const pieces = [];
  const style = plain();
  let from = 0;
  /** @param {number} until */
  const push = (until) => {
    if (until > from) pieces.push({ text: drawn.slice(from, until), ...look(style) });
  };
  for (const found of drawn.matchAll(SEQUENCE)) {
    push(found.index);
    from = found.index + found[0].length;
    if (found[2] === "m") apply(style, found[1] ?? "");
  }
  push(drawn.length);
  return pieces;
}

/** What a screen shows of a line that was drawn several times. @param {string} line */
function lastDrawing(line) {
  if (!line.includes("\r")) return line;
  return line.replace(/\r+$/, "").split("\r").pop() ?? "";
}

/** @returns {Style} */
function plain() {
  return { bold: false, dim: false, italic: false, underline: false, inverse: false, strike: false, fg: null, bg: null };
}

/** @param {Style} style @param {string} parameters */
function apply(style, parameters) {
  const codes = parameters.split(/[;:]/).map((code) => Number(code || 0));
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const [colour, used] = extended(codes.slice(at + 1));
      if (colour !== null) style[code === 38 ? "fg" : "bg"] = colour;
      at += used;
    } else {
      applyOne(style, code);
    }
  }
}

/** @type {Record<number, Partial<Style>>} */
const SWITCHES = {
  1: { bold: true }, 2: { dim: true }, 3: { italic: true }, 4: { underline: true },
  7: { inverse: true }, 9: { strike: true }, 21: { underline: true },
  22: { bold: false, dim: false }, 23: { italic: false }, 24: { underline: false },
  27: { inverse: false }, 29: { strike: false }, 39: { fg: null }, 49: { bg: null },
};

/** @param {Style} style @param {number} code */
function applyOne(style, code) {
  if (code === 0) Object.assign(style, plain());
  else if (SWITCHES[code]) Object.assign(style, SWITCHES[code]);
  else if (code >= 30 && code <= 37) style.fg = code - 30;
  else if (code >= 40 && code <= 47) style.bg = code - 40;
  else if (code >= 90 && code <= 97) style.fg = code - 82;
  else if (code >= 100 && code <= 107) style.bg = code - 92;
}

/**
 * The colour behind 38 or 48, and how many parameters it took.
 * @param {number[]} parameters
 * @returns {[Colour, number]}
 */
function extended([kind, ...rest]) {
  if (kind === 5) return [indexed(rest[0] ?? 0), 2];
  if (kind === 2) {
    const [red, green, blue] = [0, 1, 2].map((place) => Math.min(255, rest[place] ?? 0));
    return [`rgb(${red}, ${green}, ${blue})`, 4];
  }
  return [null, 1];
}

/** One of 256: the 16 of the page's own palette, a cube of 6, or a grey. @param {number} index */
function indexed(index) {
  if (index < 16) return index;
  if (index > 231) {
    const grey = 8 + 10 * (Math.min(index, 255) - 232);
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  /** @param {number} part */
  const level = (part) => (part === 0 ? 0 : 55 + 40 * part);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))}, ${level(Math.floor(cube / 6) % 6)}, ${level(cube % 6)})`;
}

/** Those that have a class of their own. */
const NAMED = /** @type {const} */ (["bold", "dim", "italic", "underline", "strike"]);

/** Classes for what the style sheet knows, colours for the rest. @param {Style} style */
function look(style) {
  const [fg, bg] = style.inverse ? [style.bg ?? "page", style.fg ?? "text"] : [style.fg, style.bg];
  /** @type {string[]} */
  const classes = NAMED.filter((name) => style[name]);
  /** @param {Colour} colour */
  const isFree = (colour) => String(colour).startsWith("rgb");
  if (fg !== null && !isFree(fg)) classes.push(`fg-${fg}`);
  if (bg !== null && !isFree(bg)) classes.push(`bg-${bg}`);
  /** @param {Colour} colour */
  const free = (colour) => (isFree(colour) ? String(colour) : null);
  return { classes: classes.map((name) => `a-${name}`).join(" "), fg: free(fg), bg: free(bg) };
}
