//! Astra's page: the table, and actions on services.

use crate::driver::Browser;
use crate::harness::Astra;
use crate::page::key;
use serde_json::json;

fn page(astra: &Astra) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("http://{}/", astra.address()));
    browser
}

/// Returns the selector of a service's row.
fn row(name: &str) -> String {
    format!("tr[data-service='{name}']")
}

#[test]
fn table_shows_the_state_of_each_service() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "port": 8080},
        "job": {"cmd": "exit 3", "restart_policy": {"mode": "never"}},
        "flaky": {"cmd": "exit 1", "optional": true,
            "restart_policy": {"backoff_seconds": 300, "max_backoff_seconds": 300}},
    }));
    let browser = page(&astra);
    for (name, state) in [("web", "running"), ("job", "crashed"), ("flaky", "backoff")] {
        browser.wait_for_text(&format!("{} .state", row(name)), state);
    }
    assert_eq!(browser.text(&format!("{} .port", row("web"))).trim(), "8080");
    browser.wait_for_text(&format!("{} .memory", row("web")), "MiB");
    browser.wait_for_text(&format!("{} .message", row("job")), "exit code 3");
    browser.wait_for_text("#summary", "degraded: job");
    browser.wait_for_text("#summary", "1 of 3");
    let next = format!("{} .next", row("flaky"));
    browser.wait_for_text(&next, "in 2");
    let before = browser.text(&next);
    browser.wait_with(
        "the next restart counts down",
        "return document.querySelector(arguments[0]).innerText !== arguments[1]",
        &json!([next, before]),
    );
    let drawn = "return document.querySelectorAll('.spark-line[d^=M]').length >= 2";
    browser.wait("lines of memory are drawn, of one and of all", drawn);
    browser.expect_quiet_console();
}

#[test]
fn unhealthy_required_service_is_not_shown_as_healthy() {
    let unhealthy = json!({"cmd": "exit 1", "interval": 0.1, "retries": 1, "timeout": 5});
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "start_timeout": 0.1, "health_check": unhealthy},
    }));
    let browser = page(&astra);
    browser.wait_for_text("#summary", "degraded: web");
    assert_eq!(astra.get("/health").json()["status"], "degraded");
    browser.expect_quiet_console();
}

#[test]
fn restart_asks_once_and_shows_its_progress() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "start_seconds": 1},
        "front": {"cmd": "exec sleep 60", "depends_on": ["web"]},
    }));
    let pid = astra.pid_of("web");
    astra.wait_for("web", "running");
    let browser = page(&astra);
    browser.click("Restart web");
    browser.wait_for_text("dialog", "Restart web?");
    browser.wait_for_text("dialog", &format!("process {pid}"));
    browser.wait_for_text("dialog", "front depends on it");
    assert_eq!(astra.pid_of("web"), pid);
    browser.click_in("dialog", "Cancel");
    browser.wait_gone("dialog");
    assert_eq!(browser.focused(), "Restart web", "the focus is back where it was");
    browser.click_in("tbody", "Restart web");
    browser.click_in("dialog", "Restart");
    browser.wait_for_text(&format!("{} [data-verb=restart]", row("web")), "Restarting...");
    browser.wait_for_text("#quick", "Restarting... web");
    browser.wait_for_text(&format!("{} .state", row("web")), "running");
    let is_over = "return document.querySelector(arguments[0]).innerText === 'Restart'";
    let button = format!("{} [data-verb=restart]", row("web"));
    browser.wait_with("the button reads Restart", is_over, &json!([button]));
    assert_ne!(astra.pid_of("web"), pid);
    browser.wait_for_text(&format!("{} .restarts", row("web")), "1");
    browser.expect_quiet_console();
}

#[test]
fn a_quick_button_restarts_its_service() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60", "start_seconds": 1}}));
    let pid = astra.pid_of("web");
    let browser = page(&astra);
    browser.click_in("#quick", "Restart web");
    browser.click_in("dialog", "Restart");
    browser.wait_for_text("#quick", "Restarting... web");
    astra.wait_until("web", "another process", |status| {
        status["pid"].as_u64().is_some_and(|now| now != u64::from(pid))
    });
    browser.wait("it is over", "return document.querySelector('#quick').innerText === 'web'");
}

#[test]
fn stop_start_and_reload_buttons_work() {
    let cmd = "trap '' TERM; while :; do sleep 0.1; done";
    let astra = Astra::start(json!({"web": {"cmd": cmd, "stop_timeout": 2}}));
    astra.wait_for("web", "running");
    let browser = page(&astra);
    browser.click("Stop web");
    browser.wait_for_text("dialog", "Stop web?");
    browser.click_in("dialog", "Stop");
    browser.wait_for_text(&row("web"), "Stopping...");
    browser.wait_for_text(&format!("{} .state", row("web")), "stopped");
    astra.wait_for("web", "stopped");
    browser.click("Start web");
    astra.wait_for("web", "running");
    browser.wait_for_text(&format!("{} .state", row("web")), "running");
    let changed = json!({"web": {"cmd": "exec sleep 61"}});
    astra.write(changed);
    browser.click("Reload web");
    browser.wait_for_text("dialog", "Reload web?");
    browser.click_in("dialog", "Reload");
    browser.wait_for_text("#notices", "Restart with its new configuration.");
    astra.wait_until("web", "another one", |status| status["restart_count"] == 1);
    browser.expect_quiet_console();
}

#[test]
fn changes_by_others_appear_without_a_reload() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    let browser = page(&astra);
    browser.wait_for_text(&format!("{} .state", row("web")), "running");
    browser.run("window.isStillTheSamePage = true");
    astra.settle("stop", "web");
    browser.wait_for_text(&format!("{} .state", row("web")), "stopped");
    let body = json!({"name": "new", "config": {"cmd": "exec sleep 60", "start_seconds": 0}});
    astra.post_json("/supervisor/start?wait=60", &body).expect(200);
    browser.wait_for_text(&format!("{} .state", row("new")), "running");
    assert_eq!(browser.run("return window.isStillTheSamePage"), true);
}

#[test]
fn several_are_selected_and_acted_on_together() {
    let sleep = json!({"cmd": "exec sleep 60"});
    let astra = Astra::start(json!({"a1": sleep, "a2": sleep, "b1": sleep}));
    let browser = page(&astra);
    browser.fill("Filter services", "a");
    browser.wait_for_text("#found", "2 of 3");
    browser.click("Select all that are shown");
    browser.wait_for_text("#bulk", "2 services selected");
    browser.click("Stop selected");
    browser.wait_for_text("dialog", "a1, a2");
    browser.click_in("dialog", "Stop");
    for name in ["a1", "a2"] {
        browser.wait_for_text(&format!("{} .state", row(name)), "stopped");
    }
    astra.wait_for("b1", "running");
    browser.click("Start selected");
    for name in ["a1", "a2"] {
        browser.wait_for_text(&format!("{} .state", row(name)), "running");
    }
    browser.click("Clear selection");
    browser.wait_gone("#bulk");
}

#[test]
fn rows_are_sorted_and_filtered() {
    let sleep = json!({"cmd": "exec sleep 60"});
    let down = json!({"cmd": "exec sleep 60", "autostart": false});
    let astra = Astra::start(json!({"s2": sleep, "s10": sleep, "t1": down}));
    let browser = page(&astra);
    let order = |wanted: &str| {
        let script = "return [...document.querySelectorAll('tbody tr')]
            .filter((it) => !it.hidden).map((it) => it.dataset.service).join() === arguments[0]";
        browser.wait_with(&format!("rows are {wanted}"), script, &json!([wanted]));
    };
    order("s2,s10,t1");
    browser.click("Service");
    order("t1,s10,s2");
    let sort = "return document.querySelector('th.service').getAttribute('aria-sort')";
    assert_eq!(browser.run(sort), "descending");
    browser.click("State");
    order("s2,s10,t1");
    browser.choose("Services in which state", "Down");
    order("t1");
    browser.choose("Services in which state", "All states");
    browser.fill("Filter services", "s1");
    order("s10");
    browser.fill("Filter services", "nothing");
    browser.wait_for_text("#found", "No service matches.");
}

#[test]
fn refusals_show_the_text_of_the_server() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    let browser = page(&astra);
    browser.wait_for_text(&format!("{} .state", row("web")), "running");
    astra.write_text("{\"web\": {\"cmd\": \"x\", \"prot\": 1}}");
    browser.click("Reload all");
    browser.click_in("dialog", "Reload");
    browser.wait_for_text("#notices [role=alert]", "did you mean \"port\"?");
    browser.click("Dismiss");
    browser.wait_gone("#notices [role=alert]");
}

#[test]
fn everything_works_with_the_keyboard() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    let pid = astra.pid_of("web");
    let browser = page(&astra);
    browser.wait_for_text(&format!("{} .state", row("web")), "running");
    let tab_to = |name: &str| {
        for _ in 0..40 {
            if browser.focused() == name {
                return;
            }
            browser.press(&[key::TAB]);
        }
        panic!("no {name:?} by Tab");
    };
    tab_to("Select web");
    browser.press(&[key::SPACE]);
    browser.wait_for_text("#bulk", "1 service selected");
    tab_to("web");
    browser.press(&[key::ENTER]);
    browser.wait_for_text("#detail h2", "web");
    tab_to("Log");
    browser.press(&[key::RIGHT]);
    browser.wait_for_text("#detail", "Command");
    browser.press(&[key::ESCAPE]);
    browser.wait_gone("#detail");
    assert_eq!(browser.focused(), "web", "the focus is back at the service");
    tab_to("Restart web");
    browser.press(&[key::ENTER]);
    browser.wait_for_text("dialog", "Restart web?");
    browser.press(&[key::ESCAPE]);
    browser.wait_gone("dialog");
    browser.press(&[key::ENTER]);
    browser.wait_for_text("dialog", "Restart web?");
    assert_eq!(browser.focused(), "Cancel", "two times Enter ends nothing");
    browser.press(&[key::TAB]);
    browser.press(&[key::ENTER]);
    astra.wait_until("web", "another process", |status| {
        status["pid"].as_u64().is_some_and(|now| now != u64::from(pid))
    });
    browser.expect_quiet_console();
}
