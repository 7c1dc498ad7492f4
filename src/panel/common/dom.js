// Creates elements. Texts are set as text nodes, so output of a command never becomes markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {Node|string|null|undefined|false} Child null, undefined and false are left out
 * @typedef {Record<string, (event: Event) => void>} Listeners by event name
 */

/**
 * Creates an element.
 * @template {string} Tag
 * @param {Tag} tag its name, followed by classes after dots: `div.card.wide`
 * @param {Record<string, string|number|boolean|null|undefined|Listeners>} [props] attributes; `on`
 *   holds listeners; null and false are left out
 * @param {...Child} children
 * @returns {ElementOf<Tag>}
 */
export function el(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name || "div");
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "object") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return /** @type {ElementOf<Tag>} */ (element);
}

/**
 * Creates an SVG element.
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string>} attributes
 */
export function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/**
 * Returns the element with this id, which must be in the page's HTML.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}`);
  return found;
}

/**
 * Sets an element's text, if it differs.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Sets an attribute, or removes it if the value is null.
 * @param {Element} element
 * @param {string} name
 * @param {string|null} value
 */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Marks a button as busy: it does nothing, keeps the focus, and is announced to screen readers.
 * @param {Element} button
 * @param {boolean} isBusy
 */
export function setBusy(button, isBusy) {
  setAttribute(button, "aria-disabled", isBusy ? "true" : null);
}

/**
 * Calls back after the current content of the page was painted.
 * @param {() => void} callback
 */
export function afterPaint(callback) {
  requestAnimationFrame(() => setTimeout(callback, 0));
}

/**
 * Whether a button is busy.
 * @param {Element} button
 */
export function isBusy(button) {
  return button.getAttribute("aria-disabled") === "true";
}
