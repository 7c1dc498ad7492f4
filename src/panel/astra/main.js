// The page of Astra.

import { Actions } from "./actions.js";
import { Services } from "./services.js";
import { showSummary } from "./summary.js";
import { Table } from "./table.js";
import { afterPaint, byId } from "../common/dom.js";
import { post } from "../common/api.js";
import { confirm } from "../common/confirm.js";
import { showLogOut } from "../common/logout.js";
import { showDone, showError } from "../common/notices.js";
import { followScope } from "../common/scope.js";

const services = new Services();
const actions = new Actions(services);

let isFirst = true;
// Registered first, so that it runs first after the paint.
services.onChange(() => {
  if (!isFirst) return;
  isFirst = false;
  afterPaint(() => {
    performance.mark("services-painted");
    void loadBulk();
    void loadQuick();
    void loadDetail();
  });
});

let showSelected = () => {};
const table = new Table(services, actions, () => showSelected());
showSummary(services);
showLogOut();

// Modules that are not visible at once are loaded after the first paint.

/** Shows the bar with actions on the selected services. */
async function loadBulk() {
  const { makeBulk } = await import("./bulk.js");
  showSelected = makeBulk(actions, () => table.selected, () => {
    table.selected.clear();
    table.update();
  });
  showSelected();
}

/** Shows the restart buttons. */
async function loadQuick() {
  const { showQuick } = await import("./quick.js");
  showQuick(services, actions);
}

/** Shows the service that the address names, and follows its changes. */
async function loadDetail() {
  const { Detail } = await import("./detail.js");
  const detail = new Detail(services, actions, () => {
    const name = chosen();
    history.replaceState(null, "", location.pathname + location.search);
    follow();
    if (name) table.focus(name);
  });
  const follow = () => {
    const name = chosen();
    const known = name !== null && services.all.has(name) ? name : null;
    table.setOpen(known);
    detail.open(known);
  };
  addEventListener("hashchange", follow);
  follow();
}

/** Returns the service that the address names. */
function chosen() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

byId("reload").addEventListener("click", async () => {
  const text = "Reads the services file again: starts new services, stops removed ones, and restarts changed ones.";
  if (!(await confirm({ title: "Reload all services?", text, action: "Reload" }))) return;
  try {
    const { message } = await post("supervisor/reload", {});
    showDone(message);
  } catch (error) {
    showError(error.message);
  }
  await services.refresh();
});

services.start();
followScope();
