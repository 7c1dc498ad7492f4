//! Accessibility of the pages: axe-core rules, window sizes and colour schemes.

use crate::driver::{Browser, DESKTOP, PHONE, Viewport};
use crate::harness::{Astra, Server};
use crate::speed::crowd;
use serde_json::{Value, json};
use std::fs;

const VIEWPORTS: [Viewport; 4] =
    [DESKTOP, PHONE, Viewport { scheme: "dark", ..DESKTOP }, Viewport { scheme: "light", ..PHONE }];

/// Fails if the page breaks a rule, or is wider than its window.
#[track_caller]
fn check(browser: &Browser, view: &str) {
    let path =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/node_modules/axe-core/axe.min.js");
    let axe = fs::read_to_string(path).expect("axe-core: npm --prefix tests/browser ci");
    for viewport in VIEWPORTS {
        browser.set_viewport(viewport);
        browser.run(&format!("if (!window.axe) {{ {axe} }}"));
        let found = browser.run(
            "return axe.run(document, {resultTypes: ['violations']})
            .then((found) => found.violations.map((it) => ({rule: it.id, help: it.help,
                nodes: it.nodes.map((node) => node.html + ' ' + node.failureSummary)})))",
        );
        assert_eq!(found, json!([]), "{view}, {viewport:?}: {found:#}");
        let wide = browser.run(
            "return [...document.querySelectorAll('body *')]
            .filter((it) => document.documentElement.scrollWidth > innerWidth
                && it.getBoundingClientRect().right > innerWidth + 1)
            .map((it) => it.outerHTML.slice(0, 120))",
        );
        assert_eq!(wide, Value::Array(Vec::new()), "{view}, {viewport:?} is too wide");
    }
    browser.set_viewport(DESKTOP);
}

#[test]
fn pages_of_astra_are_accessible() {
    let astra = Astra::start(json!({
        "web": {"cmd": "printf '\\033[31mred \\033[44mon blue\\033[0m\\n'; exec sleep 60",
            "env": {"TOKEN": "x"}, "health_check": {"url": "http://127.0.0.1:1/"}, "pty": true,
            "start_timeout": 0.1, "depends_on": ["db"]},
        "db": {"cmd": "exec sleep 60", "port": 5432},
        "job": {"cmd": "exit 3", "restart_policy": {"mode": "never"}},
        "flaky": {"cmd": "exit 1",
            "restart_policy": {"backoff_seconds": 300, "max_backoff_seconds": 300}},
        "off": {"cmd": "true", "autostart": false},
    }));
    astra.wait_until("web", "unhealthy", |status| status["health"] == "unhealthy");
    let browser = Browser::start();
    browser.open(&format!("http://{}/", astra.address()));
    browser.wait_for_text("tr[data-service=flaky]", "backoff");
    check(&browser, "the table");
    browser.click("Select web");
    browser.click("Stop selected");
    browser.wait_for_text("dialog", "Stop web?");
    check(&browser, "a question");
    browser.click_in("dialog", "Cancel");
    browser.run("location.hash = 'web'");
    browser.wait_for_text(".log", "on blue");
    check(&browser, "a log");
    browser.click("Details");
    browser.wait_for_text(".facts", "TOKEN");
    check(&browser, "the details");
    browser.expect_quiet_console();
}

#[test]
fn two_hundred_services_are_accessible() {
    let astra = crowd(200);
    let browser = Browser::start();
    browser.open(&format!("http://{}/", astra.address()));
    browser.wait("all have rows", "return document.querySelectorAll('tbody tr').length === 200");
    browser.wait_for_text("#summary", "200 of 200");
    check(&browser, "a crowd");
}

#[test]
fn page_of_the_shell_is_accessible() {
    let server = Server::start();
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.address()));
    browser.wait_for_text("#run", "No command has been started yet");
    check(&browser, "an empty page");
    browser.click("Directory, environment, input, timeout");
    browser.fill("Command", "for i in $(seq 0 15); do printf \"\\033[38;5;${i}mcolour $i\\033[0m\\n\"; done; printf 'more? '; read x");
    browser.click("Start");
    browser.wait_for_text(".log", "more?");
    check(&browser, "a run");
    browser.fill("Command", "ls");
    browser.click("Start");
    browser.wait_for_text("#start-fault", "is still running");
    check(&browser, "a fault");
    browser.expect_quiet_console();
}
