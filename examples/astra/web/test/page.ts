/** A page without a browser. Import it first: React looks for a document when it is loaded. */
import { EventSource } from "eventsource";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><body></body>", { url: "http://localhost:3000/" });
const browser = { window, document: window.document, navigator: window.navigator, EventSource };
for (const [name, value] of Object.entries(browser)) {
  // Some Node versions have a navigator of their own that cannot be assigned to.
  Object.defineProperty(globalThis, name, { value, configurable: true });
}

/** Waits until the value is there and true, 20 seconds at most; gives it. */
export async function eventually<T>(what: string, value: () => T | undefined): Promise<T> {
  const end = Date.now() + 20_000;
  for (;;) {
    const found = value();
    if (found) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`never came: ${what}\n${document.body.innerHTML}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The first element that the selector finds, once it is there. */
export function found(selector: string): Promise<HTMLElement> {
  return eventually(selector, () => document.querySelector<HTMLElement>(selector) ?? undefined);
}
