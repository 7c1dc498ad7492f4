//! Sessions: shells that keep their state over commands.

use crate::harness::{Server, eventually};
use serde_json::{Value, json};

/// Starts a session of this shell, with or without a terminal.
fn session(server: &Server, shell: &str, pty: bool) {
    let body = json!({"session": true, "shell": shell, "name": "main", "pty": pty});
    let run = server.post_json("/runs", &body).expect(201).json();
    assert_eq!((&run["status"], &run["name"]), (&json!("running"), &json!("main")));
}

/// Runs a command in it to its end.
#[track_caller]
fn exec(server: &Server, command: &str) -> Value {
    let body = json!({"command": command, "wait": 20});
    let answer = server.post_json("/runs/main/exec", &body).expect(200).json();
    assert_eq!((&answer["running"], &answer["output"]["reason"]), (&json!(false), &json!("end")));
    answer
}

#[track_caller]
fn expect(server: &Server, command: &str, exit_code: i32, content: &str) {
    let answer = exec(server, command);
    let actual = (&answer["exit_code"], &answer["output"]["content"]);
    assert_eq!(actual, (&json!(exit_code), &json!(content)), "{command}: {answer}");
}

/// The shells, each with and without a terminal.
const FORMS: [(&str, bool); 4] = [("sh", false), ("sh", true), ("bash", false), ("bash", true)];

#[test]
fn state_lasts_and_exit_codes_are_exact() {
    for (shell, pty) in FORMS {
        let server = Server::start();
        session(&server, shell, pty);
        expect(
            &server,
            "cd /usr && X=5; f() { echo f $X; return 4; }; alias hi='echo hello'",
            0,
            "",
        );
        let answer = exec(&server, "f");
        assert_eq!((&answer["exit_code"], &answer["cwd"]), (&json!(4), &json!("/usr")));
        assert_eq!(answer["output"]["content"], "f 5");
        expect(&server, "hi", 0, "hello");
        expect(&server, "false", 1, "");
        expect(&server, "printf 'no end'", 0, "no end");
        expect(&server, "echo begins a line", 0, "begins a line");
        expect(&server, "(exit 77)", 77, "");
        expect(&server, "sh -c 'kill -KILL $$' 2>/dev/null", 137, "");
        expect(&server, "set -e; true", 0, "");
        expect(&server, "set +e; false; echo lives", 0, "lives");
        expect(&server, "cat", 0, "");
        expect(&server, "cat <<END\n$X\nEND", 0, "5");
        assert_ne!(exec(&server, "if then")["exit_code"], 0);
        assert_ne!(exec(&server, "no_such_program")["exit_code"], 0);
        expect(&server, "echo $X", 0, "5");
        server.post("/runs/main/kill").expect(200);
    }
}

#[test]
fn an_interrupt_ends_the_command_not_the_session() {
    for (shell, pty) in FORMS {
        let server = Server::start();
        session(&server, shell, pty);
        let body = json!({"command": "X=1; echo ready; sleep 60", "wait": 20, "until": "line"});
        let answer = server.post_json("/runs/main/exec", &body).expect(200).json();
        assert_eq!(
            (&answer["running"], &answer["output"]["reason"]),
            (&json!(true), &json!("line"))
        );
        let busy = server.post_json("/runs/main/exec", &json!({"command": "true"}));
        assert!(busy.problem(409, "conflict").contains("command 1"));
        server.post("/runs/main/signal?type=SIGINT").expect(200);
        let ended = server.get("/runs/main/exec?wait=20").expect(200).json();
        assert_eq!(
            (&ended["exit_code"], &ended["number"]),
            (&json!(130), &json!(1)),
            "{shell} {pty}"
        );
        expect(&server, "echo $X", 0, "1");
        assert_eq!(server.get("/runs/main").json()["status"], "running");
        server.post("/runs/main/kill").expect(200);
    }
}

#[test]
fn an_exit_ends_the_session_and_says_so() {
    let server = Server::start();
    for command in ["exit 7", "exec sh -c 'exit 7'", "kill -9 $$", "set -e; (exit 7); echo never"] {
        session(&server, "bash", false);
        let answer = exec(&server, command);
        assert_eq!(answer["session_ended"], true, "{command}: {answer}");
        let code = if command.starts_with("kill") { 137 } else { 7 };
        assert_eq!(answer["exit_code"], code, "{command}: {answer}");
        let run = server.get("/runs/main?wait=20").expect(200).json();
        assert_ne!(run["status"], "running", "{command}");
        let detail = server.post_json("/runs/main/exec", &json!({"command": "true"}));
        assert!(detail.problem(409, "conflict").contains("ended"), "{command}");
    }
}

#[test]
fn input_reaches_only_a_command_that_asked_for_it() {
    for pty in [false, true] {
        let server = Server::start();
        session(&server, "sh", pty);
        let body = json!({"command": "read a; echo got $a", "stdin": true});
        server.post_json("/runs/main/exec", &body).expect(200);
        server.request("POST /runs/main/stdin", &[], b"one\n").expect(200);
        let answer = server.get("/runs/main/exec?wait=20").expect(200).json();
        let content = answer["output"]["content"].as_str().unwrap();
        assert!(content.ends_with("got one") && answer["exit_code"] == 0, "{pty}: {answer}");
        expect(&server, "read a || echo nothing", 0, "nothing");
        server.post("/runs/main/kill").expect(200);
    }
}

#[test]
fn background_jobs_go_on_and_are_the_sessions() {
    let server = Server::start();
    session(&server, "sh", false);
    expect(&server, "(sleep 0.5; echo later; exec sleep 60) & echo now", 0, "now");
    eventually("the job prints", || {
        let logs = server.get("/runs/main/logs").json();
        logs["content"].as_str().unwrap().contains("later").then_some(())
    });
    expect(&server, "echo next", 0, "next");
    server.post("/runs/main/kill").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn large_scripts_and_many_commands_are_run() {
    let server = Server::start();
    session(&server, "sh", false);
    let script = format!("{}echo done", ": filler\n".repeat(100_000));
    let body = json!({"command": script, "wait": 60}).to_string();
    let answer = server.request("POST /runs/main/exec", &[], body.as_bytes()).expect(200).json();
    assert_eq!((&answer["exit_code"], &answer["output"]["content"]), (&json!(0), &json!("done")));
    for number in 0..200 {
        expect(
            &server,
            &format!("echo {number}; (exit {})", number % 256),
            number % 256,
            &number.to_string(),
        );
    }
    let flood = exec(&server, "seq 100000");
    assert_eq!(
        (&flood["output"]["total_lines"], &flood["output"]["lines_returned"]),
        (&json!(100_201), &json!(100_000))
    );
}

#[test]
fn requests_that_fit_no_session_are_refused() {
    let server = Server::start();
    for body in [
        json!({"session": true, "command": "true"}),
        json!({"command": "true", "shell": "sh"}),
        json!({"session": true, "shell": "fish"}),
        json!({}),
    ] {
        server.post_json("/runs", &body).problem(400, "bad_request");
    }
    server.post_json("/start", &json!({"session": true})).problem(400, "bad_request");
    let run = json!({"command": "sleep 60", "name": "plain"});
    server.post_json("/runs", &run).expect(201);
    let exec = |body: Value| server.post_json("/runs/plain/exec", &body);
    assert!(exec(json!({"command": "true"})).problem(409, "conflict").contains("not a session"));
    server.get("/runs/plain/exec").problem(409, "conflict");
    session(&server, "sh", false);
    server.get("/runs/main/exec").problem(404, "not_found");
    for body in [
        json!({"command": " "}),
        json!({"command": "a\0b"}),
        json!({"command": "true", "until": "end"}),
        json!({"command": "true", "wait": 1, "until": "x"}),
        json!({"command": "true", "cwd": "/"}),
    ] {
        server.post_json("/runs/main/exec", &body).problem(400, "bad_request");
    }
    expect(&server, "true", 0, "");
}
