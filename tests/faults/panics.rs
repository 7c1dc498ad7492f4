//! Panics in our own code: each affects only the request or service concerned.
//!
//! The server under test is this test binary, with a log that panics at the message that a test
//! names, so that a panic happens inside of the production code.

use crate::harness::{Astra, Web};
use llm_shell::app::{self, Services, Startup};
use llm_shell::settings::{Mode, Sources, command_line, load};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

/// The variable with the message at which the server's log panics, once.
const PANIC_AT: &str = "TEST_PANIC_AT";

/// A log on stderr that panics at a message.
struct PanickingLog(Mutex<Option<String>>);

impl log::Log for PanickingLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let message = format!("{} {}", record.target(), record.args());
        let mut panic_at = self.0.lock().unwrap();
        let is_it = panic_at.as_ref().is_some_and(|text| message.contains(text));
        if is_it {
            *panic_at = None;
        }
        drop(panic_at);
        eprintln!("{message}");
        assert!(!is_it, "as the test wants it");
    }

    fn flush(&self) {}
}

/// The server itself, if this process was started as one.
#[test]
fn server_with_injected_panics() {
    let Ok(panic_at) = std::env::var(PANIC_AT) else { return };
    let log = PanickingLog(Mutex::new(Some(panic_at)));
    log::set_boxed_logger(Box::new(log)).expect("there is no other log");
    log::set_max_level(log::LevelFilter::Trace);
    let flags = command_line().get_matches_from(["llm-shell", "astra"]);
    let environment: Vec<_> = std::env::vars_os().collect();
    let sources =
        Sources { flags: &flags, environment: &environment, env_file: None, mode: Mode::Astra };
    let settings = load(&sources).expect("the settings are good").settings;
    let startup = Startup { settings, environment };
    let file = Path::new("services.json");
    let services = app::read_services(file, &startup).expect("the services are good").services;
    let listener = app::listen(&startup.settings).expect("a port");
    let services = Services { file: file.to_owned(), services, exit_on_fatal: false };
    app::supervise(startup, listener, services).expect("it ends well");
}

/// Starts a server of these services whose log panics at this message.
fn astra_that_panics_at(message: &str, services: Value) -> Astra {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    let this = "faults::panics::server_with_injected_panics";
    command.args(["--exact", this, "--nocapture"]).env(PANIC_AT, message);
    command.env("LLM_SHELL_LOG_DIR", "logs").stdout(std::process::Stdio::null());
    Astra::start_bare(command, services)
}

/// Prints a number twenty times a second.
fn counts() -> Value {
    json!({ "cmd": "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done" })
}

/// Returns the numbers that a service has printed, which must be consecutive from 1.
fn expect_counting(astra: &Astra, name: &str) {
    let before = astra.lines(name).len();
    astra.wait_for_line(name, &(before + 5).to_string());
    for (index, line) in astra.lines(name).iter().enumerate() {
        assert_eq!(*line, (index + 1).to_string(), "{name}");
    }
}

#[test]
fn panic_while_reading_one_output_loses_no_other_lines() {
    let services = json!({ "good": counts(), "bad": counts() });
    let astra = astra_that_panics_at("was removed: continuing", services);
    astra.wait_for_line("bad", "3");
    for file in std::fs::read_dir(astra.folder().join("logs/bad")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|end| end == "log") {
            std::fs::remove_file(file).unwrap();
        }
    }
    astra.wait_for_log("The log writer panicked: as the test wants it");
    astra.wait_for_log("lost part of its output");
    expect_counting(&astra, "good");
    astra.wait_for_line(
        "bad",
        "[llm-shell: 1 lines are missing here, because the log could not be \
                                written]",
    );
    // Its end is reported, and it is restarted with all of its output.
    assert_eq!(astra.settle("stop", "bad"), "stopped");
    assert_eq!(astra.settle("start", "bad"), "running");
    assert_eq!(astra.settle("stop", "good"), "stopped");
}

#[test]
fn panic_while_recording_an_end_blocks_no_waiter() {
    let policy = json!({ "mode": "never" });
    let bad = json!({ "cmd": "while [ ! -e go ]; do sleep 0.01; done; exit 3",
                      "restart_policy": policy });
    let astra = astra_that_panics_at("ended by itself", json!({ "good": counts(), "bad": bad }));
    astra.wait_for("bad", "running");
    astra.touch("go");
    let status = astra.wait_until("bad", "down", |status| status["pid"].is_null());
    assert_eq!(status["exit_code"], 3, "{status}");
    astra.wait_for_log("panicked: as the test wants it");
    expect_counting(&astra, "good");
    astra.ask("start", "bad").expect(200);
}

#[test]
fn panic_in_one_service_leaves_the_supervisor_running() {
    let services = json!({ "good": counts(), "bad": counts() });
    let astra = astra_that_panics_at("bad: starting -> running", services);
    astra.wait_for_log("The supervisor panicked: as the test wants it");
    expect_counting(&astra, "good");
    assert_eq!(astra.settle("restart", "good"), "running");
    assert_eq!(astra.settle("stop", "bad"), "stopped");
    assert_eq!(astra.settle("start", "bad"), "running");
}

#[test]
fn panic_in_a_health_check_fails_the_check() {
    let web = Web::start(200);
    let mut bad = counts();
    bad["health_check"] = json!({ "url": web.url("/ok"), "interval": 0.2 });
    let astra = astra_that_panics_at("ureq", json!({ "bad": bad }));
    astra.wait_for_log("A health check panicked: as the test wants it");
    // The next sample is complete.
    astra.wait_until("bad", "healthy", |status| status["health"] == "healthy");
    expect_counting(&astra, "bad");
}

#[test]
fn panic_in_a_request_is_reported_to_its_client() {
    let mut bad = counts();
    bad["autostart"] = json!(false);
    let astra = astra_that_panics_at("bad: stopped -> starting", json!({ "bad": bad }));
    let detail = astra.ask("start", "bad").problem(500, "internal");
    assert!(detail.contains("see its log"), "{detail}");
    assert_eq!(astra.settle("stop", "bad"), "stopped");
    assert_eq!(astra.settle("start", "bad"), "running");
}
