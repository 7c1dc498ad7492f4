//! The detail view of a service.

use crate::driver::{Browser, PHONE};
use crate::harness::Astra;
use crate::page::key;
use serde_json::json;

#[test]
fn detail_shows_everything_but_secrets() {
    let astra = Astra::start(json!({
        "db": {"cmd": ["sleep", "60"]},
        "web": {
            "cmd": ["sh", "-c", "exit 3"], "depends_on": {"db": "started"},
            "env": {"API_TOKEN": "hunter2", "MODE": "plain"}, "restart_policy": {"mode": "never"},
            "health_checks": {"page": {"url": "http://127.0.0.1:1/"}},
        },
        "front": {"cmd": "exec sleep 60", "autostart": false, "depends_on": ["web"]},
    }));
    astra.wait_for("web", "crashed");
    let browser = Browser::start();
    browser.open(&format!("http://{}/#web", astra.address()));
    browser.click("Details");
    for text in ["sh -c 'exit 3'", "API_TOKEN", "***", "plain", "http://127.0.0.1:1/", "never"] {
        browser.wait_for_text(".facts", text);
    }
    browser.wait_for_text(".facts .exits", "with exit code 3, by itself");
    browser.wait_for_text(".facts", "must be started:");
    browser.wait_for_text(".facts", "front");
    assert!(!browser.text("body").contains("hunter2"));
    browser.click("Check now");
    browser.wait_for_text(".facts", "not run");
    browser.click_in(".facts", "db");
    browser.wait_for_text("#detail h2", "db");
    browser.expect_quiet_console();
}

#[test]
fn service_on_a_terminal_accepts_input() {
    let cmd = "trap 'echo caught' USR1; while read line; do echo \"got $line\"; done; echo over";
    let astra = Astra::start(json!({"web": {"cmd": cmd, "pty": true}}));
    let browser = Browser::start();
    browser.open(&format!("http://{}/#web", astra.address()));
    browser.click("Details");
    browser.fill("Line for its input", "hello");
    browser.click("Send line");
    astra.wait_for_line("web", "got hello");
    browser.choose("Signal", "SIGTERM");
    browser.click("Send signal");
    browser.wait_for_text("dialog", "Send SIGTERM to web?");
    browser.click_in("dialog", "Cancel");
    browser.click("^D ends the input");
    astra.wait_for_line("web", "over");
    browser.click("Log");
    browser.wait_for_text(".log", "got hello");
    browser.expect_quiet_console();
}

#[test]
fn log_continues_across_restarts_with_run_marks() {
    let astra = Astra::start(json!({"web": {"cmd": "echo ready $RUN_ID; exec sleep 60"}}));
    let browser = Browser::start();
    browser.open(&format!("http://{}/#web", astra.address()));
    browser.wait_for_text(".log-state", "1 line");
    astra.settle("restart", "web");
    browser.wait_for_text(".log-state", "2 lines");
    let marks = "return [...document.querySelectorAll('.log-row[data-mark]')]
        .map((row) => row.dataset.mark).join('|')";
    browser.wait(
        "marks of both runs",
        &format!(
            "const all = (() => {{ {marks} }})();
        return all.includes('ended at') && all.includes('for a restart')
            && all.includes('started at') ? all : null"
        ),
    );
    browser.expect_quiet_console();
}

#[test]
fn focus_stays_in_the_detail_dialog_on_a_phone() {
    let astra = Astra::start(json!({"web": {"cmd": "echo ready; exec sleep 60"}}));
    let browser = Browser::start();
    browser.set_viewport(PHONE);
    browser.open(&format!("http://{}/#web", astra.address()));
    browser.wait_for_text(".log", "ready");
    for _ in 0..20 {
        browser.press(&[key::TAB]);
        let inside = browser.run(
            "const it = document.activeElement;
            return it === document.body || it.closest('#detail') !== null",
        );
        assert_eq!(inside, true, "{}", browser.focused());
    }
    browser.fill("Search the log", "ready");
    browser.press(&[key::ESCAPE]);
    browser.wait_for_text("#detail h2", "web");
    browser.click("Close web");
    browser.wait_gone("#detail");
    browser.click("Select web");
    browser.wait_for_text("#bulk", "1 service selected");
    browser.expect_quiet_console();
}
