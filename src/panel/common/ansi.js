// Parses terminal escape sequences in a line: colours and weights; all others are dropped. Each
// line starts with the default style, because the line before it may not be on the page.

/**
 * Part of a line in one style.
 * @typedef {{text: string, classes: string, fg: string|null, bg: string|null}} Piece
 * @typedef {number|string|null} Colour a number in the page's palette, or `rgb(…)`
 * @typedef {{bold: boolean, dim: boolean, italic: boolean, underline: boolean, inverse: boolean,
 *   strike: boolean, fg: Colour, bg: Colour}} Style
 */

// CSI (parameters, intermediate bytes, final byte), OSC (to BEL or ST), other strings, short
// sequences, and single control characters. Also matches a sequence cut by the end of the line.
const SEQUENCE = new RegExp(
  "\\u001b\\[([0-?]*)([ -/]*)([@-~]?)" +
  "|\\u001b\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?" +
  "|\\u001b[PX^_][^\\u001b]*(?:\\u001b\\\\)?" +
  "|\\u001b[ -/]*[0-~]?" +
  "|[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]", "g");

/**
 * Splits a line into pieces. If the line was drawn several times, like a progress bar, only the last
 * drawing is returned.
 * @param {string} line
 * @returns {Piece[]}
 */
export function parseAnsi(line) {
  /** @type {Piece[]} */
  let pieces = [];
  const style = plain();
  let from = 0;
  // True after a carriage return, until text overwrites the line.
  let isAtStart = false;
  /** @param {number} until */
  const push = (until) => {
    if (until === from) return;
    if (isAtStart) pieces = [];
    isAtStart = false;
    pieces.push({ text: line.slice(from, until), ...appearance(style) });
  };
  for (const found of line.matchAll(SEQUENCE)) {
    push(found.index);
    from = found.index + found[0].length;
    const [whole, parameters = "", between, final] = found;
    if (whole === "\r") isAtStart = true;
    else if (between) continue;
    else if (final === "m") apply(style, parameters);
    else if (final === "K" && clearsAll(parameters, isAtStart)) pieces = [];
  }
  push(line.length);
  return pieces;
}

/** Whether EL erases the whole line. @param {string} parameters @param {boolean} isAtStart */
function clearsAll(parameters, isAtStart) {
  return parameters === "2" || (isAtStart && (parameters === "" || parameters === "0"));
}

/** @returns {Style} */
function plain() {
  return { bold: false, dim: false, italic: false, underline: false, inverse: false, strike: false, fg: null, bg: null };
}

/**
 * Applies SGR. Subparameters follow colons; those of a colour may be separate codes.
 * @param {Style} style
 * @param {string} parameters
 */
function apply(style, parameters) {
  // A private prefix makes it another, terminal-specific sequence.
  if (/[<-?]/.test(parameters)) return;
  const codes = parameters.split(";");
  for (let at = 0; at < codes.length; at += 1) {
    const [code = 0, ...parts] = (codes[at] ?? "").split(":").map(Number);
    if (code === 4 && parts.length > 0) {
      style.underline = parts[0] !== 0;
    } else if (code !== 38 && code !== 48 && code !== UNDERLINE_COLOUR) {
      applyOne(style, code);
    } else {
      const [colour, used] = parts.length > 0
        ? extended(withoutSpace(parts))
        : extended(codes.slice(at + 1, at + 5).map(Number));
      if (colour !== null && code !== UNDERLINE_COLOUR) style[code === 38 ? "fg" : "bg"] = colour;
      if (parts.length === 0) at += used;
    }
  }
}

/** Not shown, but its parameters must be skipped. */
const UNDERLINE_COLOUR = 58;

/** Removes the colour space of a colour after colons: `2::R:G:B`. @param {number[]} parts */
function withoutSpace(parts) {
  return parts[0] === 2 && parts.length > 4 ? [2, ...parts.slice(2)] : parts;
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
 * Returns the colour after 38, 48 or 58, and the number of parameters it took.
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

/** One of 256 colours: the 16 of the page's own palette, a cube of 6, or a grey. @param {number} index */
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

/** Properties with their own class. */
const NAMED = /** @type {const} */ (["bold", "dim", "italic", "underline", "strike"]);

/** Returns classes for what the style sheet defines, colours for the rest. @param {Style} style */
function appearance(style) {
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
