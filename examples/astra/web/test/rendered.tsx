/** Components on the page for the length of one test. */
import type { TestContext } from "node:test";
import type { ReactNode } from "react";
import { createRoot } from "react-dom/client";

/** Shows the components, and takes them away when the test ends. */
export function render(context: TestContext, components: ReactNode): void {
  const element = document.body.appendChild(document.createElement("div"));
  const root = createRoot(element);
  root.render(components);
  context.after(() => {
    root.unmount();
    element.remove();
  });
}
