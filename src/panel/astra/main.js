// Puts the page of Astra together.

import { Actions } from "./actions.js";
import { Services } from "./services.js";
import { showSummary } from "./summary.js";
import { Table } from "./table.js";
import { afterPaint, byId } from "../common/dom.js";
import { post } from "../common/api.js";
import { confirm } from "../common/confirm.js";
import { showLogOut } from "../common/logout.js";
import { tellDone, tellFault } from "../common/notices.js";

const services = new Services();
const actions = new Actions(services);

let isFirst = true;
// Heard before the others, so that it is the first thing that is done behind the paint.
services.onChange(() => {
  if (!isFirst) return;
  isFirst = false;
  afterPaint(() => {
    performance.mark("services-painted");
    void beginBulk();
    void beginQuick();
    void beginDetail();
  });
});

let showSelected = () => {};
const table = new Table(services, actions, () => showSelected());
showSummary(services);
showLogOut();

// What is not seen at once is loaded behind the paint.

/** Shows what can be done to those that are selected. */
async function beginBulk() {
  const { makeBulk } = await import("./bulk.js");
  showSelected = makeBulk(actions, () => table.selected, () => {
    table.selected.clear();
    table.update();
  });
  showSelected();
}

/** Shows the buttons that restart. */
async function beginQuick() {
  const { showQuick } = await import("./quick.js");
  showQuick(services, actions);
}

/** Shows the service that the address names, from now on. */
async function beginDetail() {
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

/** The service that the address names. */
function chosen() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

byId("reload").addEventListener("click", async () => {
  const text = "The services file is read again: what is new is started, what is gone is stopped, what has changed is restarted.";
  if (!(await confirm({ title: "Reload all services?", text, action: "Reload" }))) return;
  try {
    const { message } = await post("supervisor/reload", {});
    tellDone(message);
  } catch (error) {
    tellFault(error.message);
  }
  await services.refresh();
});

services.begin();
