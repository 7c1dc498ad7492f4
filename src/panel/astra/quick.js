// A row of restart buttons, one per service.

import { afterPaint, byId, setAttribute, setBusy, setText } from "../common/dom.js";
import { verbButton } from "./buttons.js";
import { IN_PROGRESS, STATE_STYLES } from "./states.js";

/**
 * Shows the buttons and keeps them up to date.
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
      const isRestarting = services.verbInProgress(name) === "restart";
      setText(button, isRestarting ? `${IN_PROGRESS.restart} ${name}` : name);
      setAttribute(button, "aria-label", isRestarting ? null : `Restart ${name}`);
      setAttribute(button, "data-style", STATE_STYLES[service.status]);
      setBusy(button, isRestarting);
    }
  };
  update();
  // The table is updated first.
  services.onChange(() => afterPaint(update));
}
