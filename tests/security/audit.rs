//! The audit file.

use super::scopes::TokensFile;
use crate::harness::{Astra, Server, binary, eventually};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Waits for this many lines.
#[track_caller]
fn lines(file: &Path, count: usize) -> Vec<Value> {
    eventually(&format!("{count} lines are written"), || {
        let text = fs::read_to_string(file).ok()?;
        let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        (lines.len() >= count).then_some(lines)
    })
}

/// Returns the fields of a line that do not change from run to run.
fn fixed(line: &Value) -> Value {
    let mut line = line.clone();
    let fields = line.as_object_mut().unwrap();
    for name in ["time", "peer", "uid", "run_id", "request_id"] {
        fields.remove(name);
    }
    line
}

#[test]
fn changes_of_the_shell_are_audited() {
    let (tokens, folder) = (TokensFile::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("audit.jsonl");
    let mut command = binary();
    command.arg("--tokens-file").arg(tokens.path()).arg("--audit").arg(&file);
    let server = Server::start_command(command);
    let ask = |scope: &str, head: &str, body: &str| {
        server.request(head, &[tokens.header(scope)], body.as_bytes())
    };
    let start = json!({
        "command": "read line; exec sleep 60", "env": {"KEY": "hush-1"}, "stdin": true, "cwd": "/",
    });
    let run_id = ask("run", "POST /start", &start.to_string()).expect(201).json()["run_id"].clone();
    ask("run", "POST /stdin", "hush-2\n").expect(200);
    ask("read", "GET /status", "").expect(200);
    ask("read", "POST /kill", "").expect(403);
    ask("operate", "POST /kill", "").expect(200);
    ask("operate", "POST /kill", "").expect(400);
    let found = lines(&file, 5);
    let shown: Vec<Value> = found.iter().map(fixed).collect();
    let killed = json!({
        "token": "operate", "route": "POST /kill", "action": "kill", "signal": "SIGTERM",
        "outcome": "ok",
    });
    let refused = json!({
        "token": "read", "route": "POST /kill", "action": "refused", "outcome": "forbidden",
    });
    assert_eq!(
        shown[..2],
        [
            json!({
                "token": "run", "route": "POST /start", "action": "start", "outcome": "ok",
                "command": "read line; exec sleep 60", "env": ["KEY"], "cwd": "/",
            }),
            json!({
                "token": "run", "route": "POST /stdin", "action": "write_stdin", "bytes": 7,
                "outcome": "ok",
            }),
        ]
    );
    assert_eq!((&shown[2], &shown[3]), (&refused, &killed));
    assert_eq!(shown[4]["outcome"], "bad_request");
    assert_eq!((&found[0]["run_id"], &found[3]["run_id"]), (&run_id, &run_id));
    assert!(found[0]["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(found[0]["uid"], json!(nix::unistd::getuid().as_raw()));
    assert!(found[0]["time"].as_str().unwrap().ends_with('Z'));
    assert!(!fs::read_to_string(&file).unwrap().contains("hush"));
}

#[test]
fn changes_of_services_are_audited() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let mut command = binary();
    command.env("LLM_SHELL_AUDIT", &file);
    let astra = Astra::start_command(command, json!({"web": {"cmd": "exec sleep 60"}}));
    let config = json!({"cmd": ["sleep", "61"], "env": {"KEY": "hush"}});
    let act = |verb: &str, body: Value| {
        astra.post_json(&format!("/supervisor/{verb}?wait=20"), &body).expect(200);
    };
    act("restart", json!({"name": "web", "config": config}));
    act("bulk", json!({"action": "stop", "services": ["web", "nobody"]}));
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "start_service", "arguments": {"name": "web"},
    }});
    astra.post_json("/mcp", &call).expect(200);
    let shown: Vec<Value> = lines(&file, 3).iter().map(fixed).collect();
    let restarted = json!({
        "token": null, "route": "POST /supervisor/restart", "action": "restart",
        "service": "web", "command": ["sleep", "61"], "env": ["KEY"], "config": ["cmd", "env"],
        "outcome": "ok",
    });
    let stopped = json!({
        "token": null, "route": "POST /supervisor/bulk", "action": "stop",
        "services": {"web": "stopping", "nobody": "not_found"}, "outcome": "ok",
    });
    let started = json!({
        "token": null, "route": "POST /mcp", "tool": "start_service", "action": "start",
        "service": "web", "outcome": "ok",
    });
    assert_eq!(shown, [restarted, stopped, started]);
}

#[test]
fn only_a_regular_file_can_be_the_audit_file() {
    let mut command = binary();
    command.args(["--port", "0", "--audit", "/dev/null"]);
    let folder = tempfile::tempdir().unwrap();
    let output = command.current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("LLM_SHELL_AUDIT: /dev/null cannot be used"), "{error}");
}
