//! The fields of real answers match the document.

use super::document::Document;
use crate::harness::{Answer, Astra, Server, binary, eventually};
use serde_json::json;

/// Fields not produced here: they need a process that survives SIGKILL, or a frozen disk.
const WITHSTANDING: [&str; 9] = [
    "KillResponse.left",
    "UnkilledProcess.pid",
    "UnkilledProcess.why",
    "ProcessStatus.log_pending",
    "StartResponse.log_pending",
    "StartResponse.ended_leftovers",
    "ServiceStatus.log_pending",
    "WaitedStatus.log_pending",
    "WaitedStatus.ended_leftovers",
];

#[test]
fn answers_of_the_shell_have_the_fields_of_the_document() {
    let server = Server::start_with(&["--log-max-bytes", "65536"]);
    let document = Document::of(&server.get("/openapi.json").expect(200));
    let check = |method: &str, path: &str, answer: Answer| {
        document.check(method, path, &answer);
        answer
    };
    check("GET", "/status", server.get("/status").expect(404));
    check("GET", "/health", server.get("/health"));
    check("GET", "/whoami", server.get("/whoami").expect(200));
    let waited = server.post_json("/start", &json!({"command": "echo a", "wait": 20})).expect(201);
    check("POST", "/start", waited);
    check("GET", "/logs", server.get("/logs?after=999").expect(200));
    check("GET", "/logs", server.get("/logs?run_id=another").expect(409));
    server.run_to_end("seq 20000");
    check("GET", "/logs", server.get("/logs?after=0&limit=1").expect(200));
    let asks = json!({"command": "printf 'name? '; read name; exec sleep 60", "pty": true});
    let started = check("POST", "/start", server.post_json("/start", &asks).expect(201));
    server.wait_for_output("name?");
    check("GET", "/logs", server.get("/logs?after=0").expect(200));
    check("GET", "/logs", server.get("/logs?format=screen").expect(200));
    check("GET", "/status", server.get("/status").expect(200));
    check("POST", "/stdin", server.request("POST /stdin", &[], b"ann\n").expect(200));
    let size = json!({"rows": 30, "cols": 100});
    check("POST", "/resize", server.post_json("/resize", &size).expect(200));
    check("POST", "/signal", server.post("/signal?type=CONT").expect(200));
    check("POST", "/restart", server.post("/restart?timeout=1").expect(200));
    check("POST", "/kill", server.post("/kill").expect(200));
    check("GET", "/runs", server.get("/runs").expect(200));
    let run_id = started.json()["run_id"].as_str().unwrap().to_owned();
    check("GET", "/runs/{run}", server.get(&format!("/runs/{run_id}")).expect(200));
    check("GET", "/runs/{run}/logs", server.get(&format!("/runs/{run_id}/logs")).expect(200));
    let mut events = server.events("/events");
    events.line();
    check_runs(&server, &check);
    let asks = json!({"command": "printf 'name? '; exec sleep 60"});
    server.post_json("/runs", &asks).expect(201);
    loop {
        let event = events.event();
        document.check_named("RunEventBody", &event.data);
        if event.name == "prompt" {
            break;
        }
    }
    check("POST", "/login", server.post_json("/login", &json!({"token": "a"})).expect(400));
    document.check("POST", "/login", &login());
    server.run_to_end("sleep 60 >/dev/null &");
    check("POST", "/kill", server.post("/kill").expect(200));
    server.run_to_end("sleep 60 >/dev/null &");
    check("POST", "/restart", server.post("/restart").expect(200));
    server.post("/kill").expect(200);
    let mut unseen = document.unseen();
    unseen.retain(|it| !WITHSTANDING.contains(&it.as_str()));
    assert!(unseen.is_empty(), "described, and in no answer: {unseen:?}");
}

/// Checks the answers of the routes of runs beside the foreground command.
fn check_runs(server: &Server, check: &impl Fn(&str, &str, Answer) -> Answer) {
    let asks = json!({
        "command": "printf 'name? '; read name; echo hello $name; exec sleep 60", "name": "asks",
        "pty": true, "wait": 20, "until": "match:name",
    });
    check("POST", "/runs", server.post_json("/runs", &asks).expect(201));
    check("POST", "/runs", server.post_json("/runs", &asks).expect(409));
    let answered = server.request("POST /runs/asks/stdin?wait=20", &[], b"ann\n").expect(200);
    check("POST", "/runs/{run}/stdin", answered);
    let matched = server.get("/runs/asks?wait=20&until=match:hello").expect(200);
    check("GET", "/runs/{run}", matched);
    let size = json!({"rows": 30, "cols": 100});
    check("POST", "/runs/{run}/resize", server.post_json("/runs/asks/resize", &size).expect(200));
    check("POST", "/runs/{run}/signal", server.post("/runs/asks/signal?type=CONT").expect(200));
    check("POST", "/runs/{run}/restart", server.post("/runs/asks/restart?timeout=1").expect(200));
    check("DELETE", "/runs/{run}", server.request("DELETE /runs/asks", &[], b"").expect(409));
    check("POST", "/runs/{run}/kill", server.post("/runs/asks/kill").expect(200));
    check("GET", "/runs/wait", server.get("/runs/wait?run=asks&wait=1").expect(200));
    let session = json!({"session": true, "name": "session"});
    server.post_json("/runs", &session).expect(201);
    let command = json!({"command": "echo hello; sleep 60", "wait": 20, "until": "match:hello"});
    let started = server.post_json("/runs/session/exec", &command).expect(200);
    check("POST", "/runs/{run}/exec", started);
    check("GET", "/runs/{run}/exec", server.get("/runs/session/exec").expect(200));
    server.post("/runs/session/kill").expect(200);
    let page = server.get("/runs?limit=1&name=asks&status=killed").expect(200);
    check("GET", "/runs", page);
    server.request("DELETE /runs/asks", &[], b"").expect(204);
}

/// Returns the answer to a login.
fn login() -> Answer {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token-0123");
    let server = Server::start_command(command);
    server.post_json("/login", &json!({"token": "s3cret-token-0123"})).expect(200)
}

#[test]
fn answers_of_astra_have_the_fields_of_the_document() {
    let astra = Astra::start(json!({
        "web": {"cmd": "echo up; exec sleep 60", "autostart": false},
        "ill": {
            "cmd": "exec sleep 60",
            "health_check": {"cmd": ["false"], "interval": 0.1},
            "start_timeout": 0.1,
        },
        "screen": {"cmd": "exec sleep 60", "pty": true},
        "lost": {"cmd": "exit 3", "restart_policy": {"mode": "never"}},
        "flood": {"cmd": "seq 20000", "log": {"max_bytes": 65536}},
        "asks": {"cmd": "printf 'name? '; read x; echo hello; exec sleep 60", "pty": true},
        "rest": {"cmd": "true", "depends_on": ["web"], "autostart": false},
        "checked": {
            "cmd": "true",
            "autostart": false,
            "health_checks": {
                "a": {"url": "http://127.0.0.1:1/"}, "b": {"tcp": "127.0.0.1:1"},
                "c": {"cmd": ["true"]},
            },
        },
    }));
    let document = Document::of(&astra.get("/openapi.json").expect(200));
    let check = |method: &str, path: &str, answer: Answer| {
        document.check(method, path, &answer);
        answer
    };
    let mut events = astra.events("/supervisor/events");
    events.line();
    for (verb, body) in [
        ("start", json!({"name": "web", "config": {"env": {"A": "1"}}})),
        ("restart", json!({"name": "web"})),
        ("reload", json!({})),
        ("stop", json!({"name": "web"})),
        ("start", json!({"name": "web"})),
        ("bulk", json!({"action": "start", "services": ["nobody", "web"]})),
    ] {
        let answer = astra.post_json(&format!("/supervisor/{verb}?wait=20"), &body).expect(200);
        check("POST", &format!("/supervisor/{verb}"), answer);
    }
    astra.wait_for("lost", "crashed");
    astra.wait_until("ill", "unhealthy", |status| status["health"] == "unhealthy");
    check("GET", "/supervisor/status", astra.get("/supervisor/status"));
    check("GET", "/supervisor/status/{service}", astra.get("/supervisor/status/rest"));
    check("GET", "/supervisor/status/{service}", astra.get("/supervisor/status/nobody"));
    for name in ["checked", "lost", "nobody"] {
        let path = format!("/supervisor/services/{name}");
        check("GET", "/supervisor/services/{service}", astra.get(&path));
    }
    astra.wait_for_line("web", "up");
    check("GET", "/supervisor/logs/{service}", astra.get("/supervisor/logs/web"));
    let screen = astra.get("/supervisor/logs/screen?format=screen").expect(200);
    check("GET", "/supervisor/logs/{service}", screen);
    astra.wait_for("flood", "exited");
    for after in [0, 99_999] {
        let path = format!("/supervisor/logs/flood?limit=1&after={after}");
        check("GET", "/supervisor/logs/{service}", astra.get(&path).expect(200));
    }
    let unhealthy = eventually("the check fails", || {
        let answer = astra.get("/supervisor/health/ill").expect(200);
        (answer.json()["status"] == "unhealthy").then_some(answer)
    });
    check("GET", "/supervisor/health/{service}", unhealthy);
    check("GET", "/supervisor/health", astra.get("/supervisor/health").expect(503));
    check("GET", "/health", astra.get("/health").expect(503));
    check("GET", "/whoami", astra.get("/whoami").expect(200));
    check("GET", "/supervisor/metrics", astra.get("/supervisor/metrics"));
    let signalled = astra.post("/supervisor/signal/web?type=CONT").expect(200);
    check("POST", "/supervisor/signal/{service}", signalled);
    check("POST", "/supervisor/stdin/{service}", astra.post("/supervisor/stdin/web").expect(409));
    let matched = astra.get("/supervisor/logs/asks?after=0&wait=20&until=match:name").expect(200);
    check("GET", "/supervisor/logs/{service}", matched);
    let input = "POST /supervisor/stdin/asks?wait=20&until=match:hello";
    let answered = astra.request(input, &[], b"ann\n").expect(200);
    check("POST", "/supervisor/stdin/{service}", answered);
    document.check_named("EventBody", &events.event().data);
    document.check("POST", "/login", &login());
    let mut unseen = document.unseen();
    // Of the answer to input, which is never of an old cursor.
    let never = ["cursor_reset", "prompt", "skipped"].map(|field| format!("LogsResponse.{field}"));
    unseen.retain(|it| !never.contains(it));
    unseen.retain(|it| !WITHSTANDING.contains(&it.as_str()));
    assert!(unseen.is_empty(), "described, and in no answer: {unseen:?}");
}
