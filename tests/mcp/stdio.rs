//! The protocol on stdin and stdout: with an embedded server, and with a remote one.

use super::request;
use super::speaker::Speaker;
use crate::harness::{Server, binary, eventually, processes_in};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

#[test]
fn embedded_server_ends_commands_at_end_of_input() {
    let mut speaker = Speaker::start(binary(), &[]);
    speaker.say(&request("initialize", &json!({"protocolVersion": "2025-11-25"})));
    assert_eq!(speaker.hear()["result"]["protocolVersion"], "2025-11-25");
    speaker.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let text = speaker.call(2, "start_command", &json!({"command": "echo hello"}));
    assert!(text.contains("\nhello\n"), "{text}");
    speaker.call(3, "start_command", &json!({"command": "setsid sleep 60 & sleep 60", "wait": 0}));
    eventually("it runs", || (processes_in(speaker.folder.path()).len() >= 3).then_some(()));
    assert!(speaker.leave().success());
    assert_eq!(processes_in(speaker.folder.path()), Vec::<String>::new());
    assert_eq!(speaker.log_directories().len(), 1);
    assert!(!speaker.folder.path().join("logs").exists());
}

#[test]
fn stdout_has_only_messages_for_any_input() {
    let mut speaker = Speaker::start(binary(), &[]);
    let stdin = speaker.stdin.as_mut().unwrap();
    stdin
        .write_all(b"\n  \nnot json\n{\"jsonrpc\":\"2.0\",\"id\":\"\\n\",\"method\":\"nope\"}\n")
        .unwrap();
    let (first, second) = (speaker.hear(), speaker.hear());
    let (parse, unknown) = if first["id"].is_null() { (first, second) } else { (second, first) };
    assert_eq!((&parse["error"]["code"], &parse["id"]), (&json!(-32700), &Value::Null));
    assert_eq!((&unknown["error"]["code"], &unknown["id"]), (&json!(-32601), &json!("\n")));
    assert!(speaker.leave().success());
    assert!(speaker.lines.as_mut().unwrap().next().is_none());
}

#[test]
fn short_request_overtakes_long_and_cancelled_is_silent() {
    let mut speaker = Speaker::start(binary(), &[]);
    speaker.call(1, "start_command", &json!({"command": "sleep 60", "wait": 0}));
    let mut wait = request("tools/call", &json!({"name": "wait", "arguments": {"wait": 50}}));
    wait["id"] = json!("long");
    speaker.say(&wait);
    let text = speaker.call(2, "list_runs", &json!({}));
    assert!(text.contains(" | running | "), "{text}");
    let cancelled = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "long"},
    });
    speaker.say(&cancelled);
    let text = speaker.call(3, "kill", &json!({}));
    assert!(text.contains("killed (kill)"), "{text}");
    assert!(speaker.leave().success());
    assert!(speaker.lines.as_mut().unwrap().next().is_none(), "the cancelled one was answered");
}

#[test]
fn running_server_is_used_with_its_token() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let server = Server::start_command(command);
    let url = format!("http://{}", server.address());
    let mut speaker = Speaker::start(binary(), &["--url", &url]);
    speaker.say(&request("ping", &json!({})));
    let message = speaker.hear()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("LLM_SHELL_TOKEN") || message.contains("Authorization"), "{message}");
    assert!(speaker.leave().success());
    let mut with_token = binary();
    with_token.env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let mut speaker = Speaker::start(with_token, &["--url", &url]);
    let text = speaker.call(1, "start_command", &json!({"command": "echo there"}));
    assert!(text.contains("\nthere\n"), "{text}");
    assert!(speaker.leave().success());
    assert_eq!(std::fs::read_dir(speaker.folder.path()).unwrap().count(), 0);
}

#[test]
fn unreachable_server_is_reported() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut speaker = Speaker::start(binary(), &["--url", &format!("http://127.0.0.1:{port}")]);
    speaker.say(&request("ping", &json!({})));
    let answer = speaker.hear();
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("cannot reach the server"),
        "{answer}"
    );
    assert!(speaker.leave().success());
}

#[test]
fn answer_without_a_body_is_an_error() {
    let web = crate::harness::Web::start(502);
    let mut speaker = Speaker::start(binary(), &["--url", &web.url("/mcp")]);
    speaker.say(&request("ping", &json!({})));
    let answer = speaker.hear();
    assert!(answer["error"]["message"].as_str().unwrap().contains("502"), "{answer}");
    assert!(speaker.leave().success());
    let mut wrong = binary();
    wrong.args(["mcp", "--url", "localhost:8000"]).stderr(Stdio::null());
    assert_eq!(wrong.status().unwrap().code(), Some(2));
}

#[test]
fn cancelled_requests_block_nothing_and_free_their_ids() {
    let mut speaker = Speaker::start(binary(), &[]);
    speaker.call(1, "start_command", &json!({"command": "sleep 60", "wait": 0}));
    // The maximum number of concurrent waits.
    for id in 100..164 {
        let mut wait = request("tools/call", &json!({"name": "wait", "arguments": {"wait": 50}}));
        wait["id"] = json!(id);
        speaker.say(&wait);
        let params = json!({"requestId": id});
        speaker.say(&json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params,
        }));
    }
    let text = speaker.call(1, "kill", &json!({}));
    assert!(text.contains("killed (kill)"), "{text}");
    let late = json!({"requestId": 1});
    speaker.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": late}));
    speaker.say(&request("ping", &json!({})));
    assert_eq!(speaker.hear()["result"], json!({}));
    assert!(speaker.leave().success());
}

#[test]
fn death_of_the_client_ends_the_command() {
    let mut speaker = Speaker::start(binary(), &[]);
    speaker.call(1, "start_command", &json!({"command": "sleep 60", "wait": 0}));
    let mut wait = request("tools/call", &json!({"name": "wait", "arguments": {"wait": 50}}));
    wait["id"] = json!(2);
    speaker.say(&wait);
    drop(speaker.stdin.take());
    // The reader is gone as well.
    drop(speaker.lines.take());
    eventually("it ends", || speaker.child.try_wait().unwrap());
    assert_eq!(processes_in(speaker.folder.path()), Vec::<String>::new());
}

#[test]
fn oversized_message_is_refused() {
    let mut speaker = Speaker::start(binary(), &[]);
    speaker.call(1, "start_command", &json!({"command": "exec sleep 60", "wait": 0}));
    speaker.say(&request("tools/call", &json!({"name": "x".repeat(17 * 1024 * 1024)})));
    let refused = speaker.hear();
    assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32600), &Value::Null));
    let text = speaker.call(2, "list_runs", &json!({}));
    assert!(text.contains(" | running | "), "{text}");
    assert!(speaker.leave().success());
}

#[test]
fn ping_is_answered_despite_waiting_calls() {
    let mut speaker = Speaker::start(binary(), &[]);
    speaker.call(1, "start_command", &json!({"command": "exec sleep 60", "wait": 0}));
    let wait = |id: u64| {
        let mut wait = request("tools/call", &json!({"name": "wait", "arguments": {"wait": 50}}));
        wait["id"] = json!(id);
        wait
    };
    for id in 500..520 {
        speaker.say(&json!([wait(id)]));
    }
    for id in 1000..1150 {
        speaker.say(&wait(id));
    }
    let mut ping = request("ping", &json!({}));
    ping["id"] = json!("ping");
    speaker.say(&ping);
    // Calls above the limit are refused; none of the 64 waiting ones is answered before.
    let mut refused = 0;
    loop {
        let answer = speaker.hear();
        if answer["id"] == "ping" {
            assert!(answer["result"].is_object(), "{answer}");
            break;
        }
        let one = if answer.is_array() { &answer[0] } else { &answer };
        let is_error = one["error"].is_object() || one["result"]["isError"] == true;
        assert!(is_error, "{answer}");
        refused += 1;
    }
    assert!(refused >= 150 - 100, "{refused}");
    let mut kill = request("tools/call", &json!({"name": "kill", "arguments": {}}));
    kill["id"] = json!("kill");
    speaker.say(&kill);
    let killed = (0..200).map(|_| speaker.hear()).find(|answer| answer["id"] == "kill");
    let killed = killed.expect("the answer of the kill");
    assert_eq!(killed["result"]["isError"], false, "{killed}");
    assert!(speaker.leave().success());
}

#[test]
fn clients_run_side_by_side_in_their_own_logs() {
    let state = tempfile::tempdir().unwrap();
    let start = |arguments: &[&str]| {
        let mut command = binary();
        command.env("XDG_STATE_HOME", state.path());
        Speaker::start(command, arguments)
    };
    let mut clients: Vec<Speaker> = (0..3).map(|_| start(&[])).collect();
    for (id, client) in (0..).zip(&mut clients) {
        let text = client.call(id, "start_command", &json!({"command": "sleep 60", "wait": 0}));
        assert!(text.contains(" | running | "), "{text}");
    }
    let below = state.path().join("llm-shell/mcp");
    assert_eq!(std::fs::read_dir(&below).unwrap().count(), 3);
    // What a killed client leaves is ended by the next one.
    let mut killed = clients.pop().unwrap();
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    assert!(!processes_in(killed.folder.path()).is_empty());
    let mut next = start(&[]);
    next.say(&request("ping", &json!({})));
    next.hear();
    assert_eq!(processes_in(killed.folder.path()), Vec::<String>::new());
    // Those in use stay, and so do the newest 20 of the others.
    for number in 10..40 {
        std::fs::create_dir(below.join(format!("2020-01-01_00-00-00_{number}"))).unwrap();
    }
    let mut named = start(&["--log-dir", "named"]);
    named.say(&request("ping", &json!({})));
    named.hear();
    assert!(named.folder.path().join("named").is_dir());
    assert_eq!(std::fs::read_dir(&below).unwrap().count(), 34);
    let mut last = start(&[]);
    last.say(&request("ping", &json!({})));
    last.hear();
    assert_eq!(std::fs::read_dir(&below).unwrap().count(), 20);
    for client in clients.iter_mut().chain([&mut next, &mut named, &mut last]) {
        assert!(client.leave().success());
    }
}

#[test]
fn missing_directory_for_logs_is_an_error() {
    let mut command = binary();
    command.arg("mcp").env_remove("HOME").env("XDG_STATE_HOME", "relative");
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let said = "neither XDG_STATE_HOME nor HOME is an absolute path: set one of them, or give";
    assert!(output.status.code() == Some(2) && stderr.contains(said), "{stderr}");
}

#[test]
fn socket_of_a_server_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("shell.sock");
    let mut server = binary();
    server.args(["--socket", socket.to_str().unwrap()]).current_dir(folder.path());
    let mut server = server.stderr(Stdio::null()).spawn().unwrap();
    eventually("it listens", || socket.exists().then_some(()));
    let mut speaker = Speaker::start(binary(), &["--socket", socket.to_str().unwrap()]);
    let text = speaker.call(1, "start_command", &json!({"command": "echo there"}));
    assert!(text.contains("\nthere\n"), "{text}");
    assert!(speaker.leave().success());
    server.kill().unwrap();
    server.wait().unwrap();
}
