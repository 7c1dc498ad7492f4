//! The login page.

use crate::driver::Browser;
use crate::harness::{Astra, Server, binary};
use crate::page::key;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

fn server() -> Server {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token-0123").env("LLM_SHELL_BASIC_AUTH", "ann:wordword");
    Server::start_command(command)
}

fn page(server: &Server) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("http://{}/", server.address()));
    browser.wait_for_text("dialog", "Log in");
    browser
}

#[test]
fn token_logs_in_and_is_not_stored() {
    let server = server();
    let browser = page(&server);
    browser.fill("Token", "wrong");
    browser.click("Log in");
    browser.wait_for_text("dialog", "Wrong credentials");
    browser.fill("Token", "s3cret-token-0123");
    browser.click("Log in");
    browser.wait_gone("dialog");
    browser.fill("Command", "echo after the login");
    browser.click("Start");
    browser.wait_for_text(".log", "after the login");
    let kept = browser.run(
        "return document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)
            + location.href + document.documentElement.outerHTML",
    );
    assert!(!kept.as_str().unwrap().contains("s3cret"), "{kept}");
    assert_eq!(browser.run("return document.cookie"), "");
    browser.open(&format!("http://{}/", server.address()));
    browser.wait_for_text(".log", "after the login");
    browser.expect_quiet_console();
}

#[test]
fn logout_requires_a_new_login() {
    let server = server();
    let browser = page(&server);
    browser.fill("Token", "s3cret-token-0123");
    browser.click("Log in");
    browser.wait_gone("dialog");
    let session = browser.run("return localStorage.getItem('llm-shell.session')");
    let shown = format!("Authorization: Bearer {}", session.as_str().unwrap());
    server.request("GET /runs", &[&shown], b"").expect(200);
    browser.click("Log out");
    browser.wait_for_text("dialog", "Log in");
    server.request("GET /runs", &[&shown], b"").expect(401);
    assert_eq!(browser.run("return localStorage.getItem('llm-shell.session')"), json!(null));
}

#[test]
fn user_and_password_log_in() {
    let server = server();
    let browser = page(&server);
    browser.fill("User", "ann");
    browser.fill("Password", "wordword");
    browser.click("Log in");
    browser.wait_gone("dialog");
    browser.wait_for_text("#run", "No command has been started yet");
}

#[test]
fn page_of_astra_requires_login() {
    let mut command = binary();
    command.env("LLM_SHELL_BASIC_AUTH", "ann:wordword");
    let astra = Astra::start_command(command, json!({"web": {"cmd": "exec sleep 60"}}));
    let browser = Browser::start();
    browser.open(&format!("http://{}/", astra.address()));
    browser.wait_for_text("dialog", "Log in");
    browser.fill("User", "ann");
    browser.fill("Password", "wordword");
    browser.press(&[key::ENTER]);
    browser.wait_gone("dialog");
    browser.wait_for_text("tr[data-service=web]", "running");
    browser.expect_quiet_console();
}

/// Writes a tokens file. Returns its path, with a token of each scope.
fn tokens_file(folder: &std::path::Path) -> (std::path::PathBuf, [String; 3]) {
    let (mut lines, file) = (String::new(), folder.join("tokens"));
    let tokens = ["read", "operate", "run"].map(|scope| {
        let made = binary().args(["token", scope, scope]).output().unwrap();
        let text = String::from_utf8(made.stdout).unwrap();
        let (token, line) = text.split_once('\n').unwrap();
        lines += line;
        token.to_owned()
    });
    std::fs::write(&file, lines).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    (file, tokens)
}

fn log_in(browser: &Browser, token: &str) {
    browser.wait_for_text("dialog", "Log in");
    browser.fill("Token", token);
    browser.click("Log in");
    browser.wait_gone("dialog");
}

/// Returns the labels of the buttons that are shown.
fn buttons(browser: &Browser) -> String {
    let labels = browser.run(
        "return [...document.querySelectorAll('button, input[type=checkbox]')]
            .filter((it) => it.checkVisibility())
            .map((it) => it.getAttribute('aria-label') ?? it.textContent).join('|')",
    );
    labels.as_str().unwrap().to_owned()
}

fn wait_for_scope(browser: &Browser, scope: &str) {
    browser.wait_for_text(&format!("[data-scope={scope}] h1"), "");
}

#[test]
fn page_shows_only_the_buttons_of_the_scope() {
    let folder = tempfile::tempdir().unwrap();
    let (file, [read, operate, run]) = tokens_file(folder.path());
    let mut command = binary();
    command.env("LLM_SHELL_TOKENS_FILE", &file);
    let server = Server::start_command(command);
    let header = format!("Authorization: Bearer {run}");
    let body = json!({"command": "echo up; exec cat", "pty": true}).to_string();
    server.request("POST /start", &[&header], body.as_bytes()).expect(201);
    let browser = Browser::start();
    for (token, scope, shown, hidden) in [
        (&read, "read", vec![], vec!["Start", "Kill", "Restart", "Send signal", "Send line"]),
        (&operate, "operate", vec!["Kill", "Restart", "Send signal"], vec!["Start", "Send line"]),
    ] {
        browser.open(&format!("http://{}/", server.address()));
        log_in(&browser, token);
        wait_for_scope(&browser, scope);
        browser.wait_for_text(".log", "up");
        let buttons = buttons(&browser);
        let has = |label: &str| buttons.split('|').any(|it| it == label);
        assert!(shown.into_iter().all(has), "{scope}: {buttons}");
        assert!(!hidden.into_iter().any(has), "{scope}: {buttons}");
        browser.click("Log out");
    }
    browser.expect_quiet_console();
}

#[test]
fn page_of_astra_shows_only_the_buttons_of_the_scope() {
    let folder = tempfile::tempdir().unwrap();
    let (file, [read, ..]) = tokens_file(folder.path());
    let mut command = binary();
    command.env("LLM_SHELL_TOKENS_FILE", &file);
    let astra = Astra::start_command(command, json!({"web": {"cmd": "exec sleep 60"}}));
    let browser = Browser::start();
    browser.open(&format!("http://{}/", astra.address()));
    log_in(&browser, &read);
    wait_for_scope(&browser, "read");
    browser.wait_for_text("tr[data-service=web]", "running");
    let shown = buttons(&browser);
    for hidden in ["Restart web", "Stop web", "Reload all", "Select web", "Start web"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    browser.open(&format!("http://{}/", astra.address()));
    browser.wait_for_text("tr[data-service=web]", "running");
    wait_for_scope(&browser, "read");
    browser.expect_quiet_console();
}
