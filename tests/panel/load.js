// Loads modules of the panel without a browser. They are ES modules, but their folder has no
// package.json that says so, because all files in it are served.

import { register } from "node:module";

const HOOKS = `
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  return found.url.includes("/src/panel/") ? { ...found, format: "module" } : found;
}`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

// What common/connection.js needs while it is loaded.
globalThis.document ??= { addEventListener() {} };

/** The exports of a file of `src/panel`. */
export const load = (path) => import(new URL(`../../src/panel/${path}`, import.meta.url));
