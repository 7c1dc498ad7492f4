//! The login page.

use crate::driver::Browser;
use crate::harness::{Astra, Server, binary};
use crate::page::key;
use serde_json::json;

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
