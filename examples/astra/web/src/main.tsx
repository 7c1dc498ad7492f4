/** The page: quick actions above, the panel below. */
import { createRoot } from "react-dom/client";
import { SupervisorClient } from "./api.js";
import { QuickActions } from "./QuickActions.js";
import { ServicePanel } from "./ServicePanel.js";

declare global {
  interface Window {
    /** Where the supervisor is, as config.js says; this page's own server where it is not set. */
    ASTRA_URL?: string;
  }
}

const client = new SupervisorClient(`${window.ASTRA_URL ?? ""}/api/supervisor`);
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <>
      <QuickActions client={client} />
      <ServicePanel client={client} />
    </>,
  );
}
