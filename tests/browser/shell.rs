//! The page of the LLM Shell.

use crate::driver::{Browser, PHONE};
use crate::harness::{Server, eventually};
use serde_json::json;

fn page(server: &Server) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.address()));
    browser.wait_for_text("h1", "LLM Shell");
    browser
}

fn start(browser: &Browser, command: &str) {
    browser.fill("Command", command);
    browser.click("Start");
}

#[test]
fn form_fields_apply_to_the_started_command() {
    let server = Server::start();
    let browser = page(&server);
    browser.wait_for_text("#run", "No command has been started yet");
    browser.click("Directory, environment, input, timeout");
    browser.fill("Directory", "/");
    browser.fill("Environment, one NAME=value per line", "GREETING=hello you\nunset HOME");
    browser.fill("Timeout in seconds", "0.7");
    start(&browser, "test -t 1 && echo \"$GREETING from $PWD ${HOME-nowhere}\"; sleep 60");
    browser.wait_for_text(".log", "hello you from / nowhere");
    browser.wait_for_text(".run-head", "timed out");
    let run = server.ended();
    assert_eq!((&run["pty"], &run["ended_by"]), (&json!(true), &json!("timeout")));
    browser.click("On a terminal: colours, prompts, ^C");
    start(&browser, "test -t 1 || echo on none");
    browser.wait_for_text(".log", "on none");
    browser.wait_for_text(".run-head", "exited 0");
    browser.expect_quiet_console();
}

#[test]
fn invalid_form_is_refused() {
    let server = Server::start();
    let browser = page(&server);
    browser.click("Directory, environment, input, timeout");
    browser.fill("Environment, one NAME=value per line", "NONSENSE");
    start(&browser, "ls");
    browser.wait_for_text("#start-fault", "write NAME=value");
    browser.fill("Environment, one NAME=value per line", " ");
    browser.fill("Directory", "/nowhere");
    start(&browser, "ls");
    browser.wait_for_text("#start-fault", "give a directory that exists");
    browser.fill("Directory", " ");
    start(&browser, "sleep 60");
    browser.wait_for_text(".run-head", "running");
    start(&browser, "ls");
    browser.wait_for_text("#start-fault", "is still running");
    browser.expect_quiet_console();
}

#[test]
fn a_prompt_is_seen_and_answered() {
    let server = Server::start();
    let browser = page(&server);
    start(&browser, "printf 'Name? '; read name; echo \"Hello $name\"; cat");
    browser.wait_for_text(".log", "Name?");
    browser.fill("Line for its input", "Ann");
    browser.click("Send line");
    browser.wait_for_text(".log", "Hello Ann");
    browser.click("^D ends the input");
    browser.wait_for_text(".run-head", "exited 0");
    browser.wait_gone(".talk");
}

#[test]
fn a_command_is_interrupted_signalled_killed_and_restarted() {
    let server = Server::start();
    let browser = page(&server);
    start(
        &browser,
        "trap 'echo interrupted' INT; trap 'echo user' USR1; echo ready; \
        while :; do sleep 0.1; done",
    );
    browser.wait_for_text(".log", "ready");
    browser.click("^C interrupts");
    browser.wait_for_text(".log", "interrupted");
    browser.choose("Signal", "SIGUSR1");
    browser.click("Send signal");
    browser.wait_for_text(".log", "user");
    let pid = server.get("/status").expect(200).json()["process_pid"].clone();
    browser.click("Restart");
    browser.wait_for_text("dialog", "Restart trap");
    browser.click_in("dialog", "Restart");
    eventually("it is restarted", || {
        let now = server.get("/status").expect(200).json();
        (now["process_pid"] != pid && now["status"] == "running").then_some(())
    });
    browser.wait_for_text(".log", "ready");
    browser.wait_for_text("#history-count", "2 runs");
    browser.click("Kill");
    browser.wait_for_text("dialog", "all processes that it started will be ended");
    browser.click_in("dialog", "Kill");
    browser.wait_for_text(".run-head", "killed");
    assert_eq!(server.ended()["ended_by"], "kill");
    browser.expect_quiet_console();
}

#[test]
fn leftovers_are_shown_and_ended() {
    let server = Server::start();
    let browser = page(&server);
    start(&browser, "setsid sleep 60 & sleep 0.2; echo left");
    browser.wait_for_text(".run-head", "exited 0");
    browser.wait_for_text(".run-facts", "left behind:");
    browser.click("Kill");
    browser.wait_for_text("dialog", "1 process is still running");
    browser.click_in("dialog", "Kill");
    eventually("nothing is left", || server.living().is_empty().then_some(()));
}

#[test]
fn old_runs_are_shown_with_their_output_and_run_again() {
    let server = Server::start();
    for word in ["first", "second", "third"] {
        server.run_to_end(&format!("echo the {word} one"));
    }
    let browser = page(&server);
    browser.wait_for_text("#history-count", "3 runs");
    browser.wait_for_text(".log", "the third one");
    let first = "[...document.querySelectorAll('.history-item')].at(-1)";
    browser.run(&format!("{first}.click()"));
    browser.wait_for_text(".log", "the first one");
    assert_eq!(browser.run(&format!("return {first}.getAttribute('aria-current')")), "true");
    browser.click("Edit and run again");
    let command = "return document.querySelector('textarea[name=command]').value";
    assert_eq!(browser.run(command), "echo the first one");
    browser.click("Start");
    browser.wait_for_text("#history-count", "4 runs");
    browser.wait_for_text(".log", "the first one");
    for _ in 0..50 {
        server.run_to_end("true");
    }
    browser.wait_for_text("#history-count", "the last 50 runs");
}

#[test]
fn run_started_elsewhere_appears() {
    let server = Server::start();
    let browser = page(&server);
    server.run("echo from an agent; sleep 60");
    browser.wait_for_text(".log", "from an agent");
    browser.wait_for_text(".run-head", "running");
}

#[test]
fn a_terminal_is_as_wide_as_its_log() {
    let server = Server::start();
    let browser = page(&server);
    start(&browser, "sleep 0.2; trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done");
    browser.wait_for_text(".log", "40 ");
    let columns = |place: usize| -> u32 {
        let text = server.content("");
        let size = text.lines().nth(place).unwrap_or_else(|| panic!("no size in {text}"));
        size.trim().strip_prefix("40 ").unwrap().parse().unwrap()
    };
    assert!((90..140).contains(&columns(0)), "{}", columns(0));
    browser.set_viewport(PHONE);
    eventually("it is notified of its new width", || {
        (server.content("").lines().count() > 1).then_some(())
    });
    assert_eq!(columns(1), 40);
    browser.expect_quiet_console();
}
