// Puts the page of Astra together.

import { Actions } from "./actions.js";
import { makeBulk } from "./bulk.js";
import { Detail } from "./detail.js";
import { showQuick } from "./quick.js";
import { Services } from "./services.js";
import { showSummary } from "./summary.js";
import { Table } from "./table.js";
import { byId } from "../common/dom.js";
import { post } from "../common/api.js";
import { confirm } from "../common/confirm.js";
import { tellDone, tellFault } from "../common/notices.js";

const services = new Services();
const actions = new Actions(services);
let table;
const showSelected = makeBulk(actions, () => table.selected, () => {
  table.selected.clear();
  table.update();
});
table = new Table(services, actions, () => showSelected());
showSummary(services);
showQuick(services, actions);

const detail = new Detail(services, actions, () => {
  const name = chosen();
  history.replaceState(null, "", location.pathname + location.search);
  follow();
  if (name) table.focus(name);
});

/** The service that the address names. */
function chosen() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

function follow() {
  const name = chosen();
  const known = name !== null && services.all.has(name) ? name : null;
  table.setOpen(known);
  detail.open(known);
}

addEventListener("hashchange", follow);
let isFirst = true;
services.onChange(() => {
  if (isFirst && services.all.size > 0) {
    isFirst = false;
    follow();
    requestAnimationFrame(() => setTimeout(() => performance.mark("services-painted"), 0));
  }
});

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
