//! The page while the server is unreachable, and when it is back.

use crate::driver::Browser;
use crate::harness::{Astra, eventually};
use serde_json::{Value, json};
use std::net::TcpListener;

#[test]
fn page_shows_a_lost_server_and_recovers() {
    // The next server must have the address that the page uses.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let services = json!({"web": {"cmd": "echo ready; exec sleep 60"}});
    let mut astra = Astra::start_with(&["--port", &port], services);
    let browser = Browser::start();
    browser.open(&format!("http://{}/#web", astra.address()));
    browser.wait_for_text(".log", "ready");
    browser.run("window.isStillTheSamePage = true");
    astra.signal("TERM");
    astra.wait();
    browser.wait_for_text("#banner", "The server is unreachable, trying again in");
    // The last state is shown in grey: counters stop and actions are disabled.
    let filter = "return getComputedStyle(document.querySelector('.split')).filter";
    assert_eq!(browser.run(filter), "grayscale(1)");
    let live = "return document.querySelectorAll('[data-asks]:not([aria-disabled=true])').length";
    assert_eq!(browser.run(live), 0);
    let uptime = || browser.text("tr[data-service=web] td[data-label=Uptime]");
    let before = uptime();
    browser.click_in("tbody", "Restart web");
    assert_eq!(browser.run("return document.querySelector('dialog[open]')"), Value::Null);
    browser.wait_for_text("#banner", "trying again in 2 s");
    assert_eq!(uptime(), before);
    astra.start_again();
    eventually("it is up", || astra.get("/health").json()["status"].is_string().then_some(()));
    browser.click("Try now");
    browser.wait_gone("#banner");
    browser.wait_for_text("tr[data-service=web] .state", "running");
    browser.wait_for_text(".log-state", "2 lines");
    astra.settle("stop", "web");
    browser.wait_for_text("tr[data-service=web] .state", "stopped");
    assert_eq!(browser.run("return window.isStillTheSamePage"), true);
    browser.expect_quiet_console();
}
