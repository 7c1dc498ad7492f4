//! Promises of the image, tested with the binary run as in a container.

use super::boxed::{Container, TOKEN};
use super::dockerfile::Dockerfile;
use crate::harness::{eventually, processes_in};
use serde_json::{Value, json};

const TOKENS: [(&str, &str); 1] = [("LLM_SHELL_TOKEN", "s3cret-token-0123")];

/// Waits for the end of the command and returns its status.
fn run_to_end(container: &Container, command: &str) -> Value {
    let body = json!({"command": command, "wait": 20}).to_string();
    container.ask_as_owner("POST /start", &body).expect(201).json()
}

fn output(container: &Container, command: &str) -> String {
    run_to_end(container, command)["output"]["content"].as_str().unwrap().to_owned()
}

/// Returns the exit code of the image's health check.
fn health(container: &Container) -> Option<i32> {
    container.exec(&Dockerfile::read().exec("HEALTHCHECK")).status.code()
}

#[test]
fn container_without_token_exits_with_advice() {
    let Some(ended) = Container::run_to_end(&[], &[]) else { return };
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("set LLM_SHELL_TOKEN"), "{stderr}");
}

#[test]
fn container_runs_as_pid_1_unprivileged_with_logs_in_a_volume() {
    let Some(container) = Container::run(&TOKENS, &[]) else { return };
    let text = output(&container, "id -u; id -g; cat /proc/1/comm; pwd; touch here && ls here");
    let file = Dockerfile::read();
    let (user, group) = file.only("USER").split_once(':').unwrap();
    let workdir = file.only("WORKDIR");
    assert_eq!(text, format!("{user}\n{group}\nllm-shell\n{workdir}\nhere"));
    let volume = &file.exec("VOLUME")[0];
    let status = container.ask_as_owner("GET /status", "").expect(200).json();
    let log = status["log_file"].as_str().unwrap();
    assert!(log.starts_with(volume.as_str()), "{log} is not in {volume}");
    assert_eq!(output(&container, "env | grep LLM_SHELL || echo none"), "none");
    assert_eq!(output(&container, "touch /usr/x /etc/x 2>/dev/null || echo refused"), "refused");
}

#[test]
fn a_token_is_needed_and_may_be_in_a_file() {
    let Some(container) = Container::run(&TOKENS, &[]) else { return };
    container.ask("127.0.0.1:8000", "GET /status", &[], "").problem(401, "unauthorized");
    container.ask("127.0.0.1:8000", "GET /health", &[], "").expect(200);
    drop(container);
    let path = [("LLM_SHELL_TOKEN_FILE", "/workspace/token")];
    let container = Container::run_with(("token", "s3cret-token-0123\n"), &path, &[]).unwrap();
    container.ask("127.0.0.1:8000", "GET /status", &[], "").problem(401, "unauthorized");
    container.ask_as_owner("GET /status", "").expect(404);
}

#[test]
fn container_refuses_unknown_host_names() {
    let allowed = [TOKENS[0], ("LLM_SHELL_ALLOWED_HOSTS", "shell.example")];
    let Some(container) = Container::run(&allowed, &[]) else { return };
    for (host, status) in [("shell.example", 404), ("127.0.0.1:8000", 404), ("shell", 403)] {
        container.ask(host, "GET /status", &[TOKEN], "").expect(status);
    }
}

#[test]
fn container_health_check_follows_the_server() {
    let Some(container) = Container::run(&TOKENS, &[]) else { return };
    assert_eq!(health(&container), Some(0));
    drop(container);
    let container = Container::run(&[TOKENS[0], ("LLM_SHELL_PORT", "8080")], &[]).unwrap();
    assert_eq!(health(&container), Some(0), "the port is a variable");
    drop(container);
    let container = Container::run(&TOKENS, &["--port", "8080"]).unwrap();
    assert_eq!(health(&container), Some(1), "the check still uses the default port");
}

#[test]
fn stop_signal_shuts_the_container_down_cleanly() {
    let Some(mut container) = Container::run(&TOKENS, &[]) else { return };
    let command = json!({"command": "(setsid sleep 60 &); trap 'exit 0' TERM; sleep 60 & wait"});
    container.ask_as_owner("POST /start", &command.to_string()).expect(201);
    let signal = Dockerfile::read().only("STOPSIGNAL").to_owned();
    container.signal(signal.trim_start_matches("SIG"));
    assert_eq!(container.wait().code(), Some(0), "{}", container.log());
    container.wait_for_log("ended by the shutdown");
    assert_eq!(processes_in(container.folder()), Vec::<String>::new());
}

#[test]
fn container_reaps_orphans_and_ends_leftovers() {
    let Some(container) = Container::run(&TOKENS, &[]) else { return };
    let arguments = ["sh", "-c", "sleep 0.1 & sleep 61 >/dev/null 2>&1 &"].map(str::to_owned);
    assert!(container.exec(&arguments).status.success());
    let left = run_to_end(&container, "setsid sleep 62 & (sleep 63 &); exit 0");
    assert_eq!(left["leftover_pids"].as_array().map(Vec::len), Some(2), "{left}");
    container.ask_as_owner("POST /kill", "").expect(200);
    let list = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; cut -d' ' -f2,3 /proc/[0-9]*/stat";
    let listing = eventually("the orphan that ended is reaped", || {
        let listing = output(&container, list);
        (!listing.contains("(sleep) Z")).then_some(listing)
    });
    assert!(listing.contains("sleep 61"), "an unrelated process is left alone: {listing}");
    assert!(!listing.contains("sleep 62") && !listing.contains("sleep 63"), "{listing}");
    let arguments = ["sh", "-c", "kill $(grep -l '^sleep' /proc/[0-9]*/comm | cut -d/ -f3)"];
    assert!(container.exec(&arguments.map(str::to_owned)).status.success());
}

#[test]
fn image_runs_astra_and_reports_its_health() {
    let services = json!({
        "web": {"cmd": "exec sleep 60", "start_seconds": 0},
        "fails": {"cmd": "exit 1", "autostart": false, "restart_policy": {"max_restarts": 0}},
    });
    let (arguments, text) = (["astra", "--config", "services.json"], services.to_string());
    let file = ("services.json", &*text);
    let Some(container) = Container::run_with(file, &TOKENS, &arguments) else {
        return;
    };
    let ask = |head, body| container.ask("127.0.0.1:7031", head, &[TOKEN], body);
    eventually("the service is up", || {
        let status = ask("GET /supervisor/status/web", "").expect(200).json();
        (status["status"] == "running").then_some(())
    });
    assert_eq!(health(&container), Some(0));
    ask("POST /supervisor/start?wait=20", r#"{"name":"fails"}"#).expect(200);
    assert_eq!(health(&container), Some(1), "a service that is needed has failed");
}
