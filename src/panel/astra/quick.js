// A row of buttons, one for each service, that restarts it.

import { afterPaint, byId, setAttribute, setBusy, setText } from "../common/dom.js";
import { verbButton } from "./buttons.js";
import { LASTING, LOOKS } from "./states.js";

/**
 * Shows the buttons, and keeps them true.
 * @param {import("./services.js").Services} services
 * @param {import("./actions.js").Actions} actions
 */
export function showQuick(services, actions) {
  const place = byId("quick");
  /** @type {Map<string, HTMLElement>} */
  const buttons = new Map();
  const update = () => {
    for (const [name, button] of buttons) {
      if (services.all.has(name)) continue;
      button.remove();
      buttons.delete(name);
    }
    for (const [name, service] of services.all) {
      let button = buttons.get(name);
      if (!button) {
        button = verbButton(() => void actions.one("restart", name));
        buttons.set(name, button);
        place.append(button);
      }
      const lasts = services.lasting(name) === "restart";
      setText(button, lasts ? `${LASTING.restart} ${name}` : name);
      setAttribute(button, "aria-label", lasts ? null : `Restart ${name}`);
      setAttribute(button, "data-look", LOOKS[service.status]);
      setBusy(button, lasts);
    }
  };
  update();
  // The table comes first.
  services.onChange(() => afterPaint(update));
}
