//! POST /stdin, /signal and /resize: input for commands, with and without a terminal.

use crate::harness::{Server, eventually};
use serde_json::{Value, json};

const JSON: &[&str] = &["Content-Type: application/json"];

fn start(server: &Server, body: &Value) -> Value {
    server.post_json("/start", body).expect(201).json()
}

/// Writes the bytes as they are.
fn write(server: &Server, data: &str) {
    let answer = server.request("POST /stdin", &[], data.as_bytes()).expect(200).json();
    assert_eq!(answer["written"], data.len());
}

/// Writes text, and ends the input.
fn write_last(server: &Server, data: &str) {
    let body = json!({"data": data, "eof": true}).to_string();
    server.request("POST /stdin", JSON, body.as_bytes()).expect(200);
}

fn wait_for_prompt(server: &Server, prompt: &str) {
    eventually(prompt, || server.content("").ends_with(prompt).then_some(()));
}

#[test]
fn command_reads_input_until_eof() {
    let server = Server::start();
    let status = start(&server, &json!({"command": "cat; echo end", "stdin": true}));
    assert_eq!((&status["stdin_open"], &status["pty"]), (&json!(true), &json!(false)));
    write(&server, "one\ntwo\n");
    write_last(&server, "three\n");
    server.ended();
    assert_eq!(server.content(""), "one\ntwo\nthree\nend");
}

#[test]
fn input_is_closed_by_default() {
    let server = Server::start();
    server.post("/stdin").problem(404, "not_found");
    let ended = server.run_to_end("cat; echo end");
    assert_eq!(ended["stdin_open"], false);
    let detail = server.post("/stdin").problem(409, "conflict");
    assert!(detail.contains("has ended"), "{detail}");
    server.run("sleep 60");
    let detail = server.post("/stdin").problem(409, "conflict");
    assert!(detail.contains("\"stdin\": true"), "{detail}");
    server.post_json("/resize", &json!({"rows": 1, "cols": 1})).problem(409, "conflict");
    server.post("/kill").expect(200);
}

#[test]
fn written_counts_bytes_taken_by_a_slow_reader() {
    let server = Server::start();
    start(&server, &json!({"command": "sleep 60", "stdin": true}));
    let data = vec![b'x'; 1_000_000];
    let written = server.request("POST /stdin", &[], &data).expect(200).json()["written"].clone();
    assert!((4096..1_000_000).contains(&written.as_u64().unwrap()), "{written}");
    server.get("/status").expect(200);
    server.post("/kill").expect(200);
}

#[test]
fn a_terminal_has_a_size_a_type_and_echoes() {
    let server = Server::start();
    let command = "stty size; test -t 1 && echo $TERM; read line; echo got $line";
    let body = json!({"command": command, "pty": {"rows": 40, "cols": 100}, "env": {"TERM": null}});
    assert_eq!(start(&server, &body)["pty"], true);
    server.wait_for_output("xterm-256color");
    write(&server, "hello\n");
    server.ended();
    assert_eq!(server.content(""), "40 100\nxterm-256color\nhello\ngot hello");
}

#[test]
fn control_c_reaches_only_the_foreground() {
    let server = Server::start();
    // The foreground process reports that it is running.
    let command = "trap 'echo caught' INT; sh -c 'echo ready; exec sleep 60'; echo goes on";
    start(&server, &json!({"command": command, "pty": true}));
    server.wait_for_output("ready");
    write(&server, "\u{3}");
    let ended = server.ended();
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("exited"), &json!(0)));
    assert!(server.content("").ends_with("caught\ngoes on"), "{}", server.content(""));
}

#[test]
fn resize_notifies_the_program() {
    let server = Server::start();
    let command = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";
    start(&server, &json!({"command": command, "pty": true}));
    server.wait_for_output("ready");
    server.post_json("/resize", &json!({"rows": 30, "cols": 120})).expect(200);
    server.wait_for_output("30 120");
    for bad in
        [json!({"rows": 0, "cols": 1}), json!({"rows": 1}), json!({"rows": 70000, "cols": 1})]
    {
        server.post_json("/resize", &bad).problem(400, "bad_request");
    }
    server.post("/kill").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn interpreter_accepts_input() {
    let server = Server::start();
    start(&server, &json!({"command": "exec python3 -iq", "pty": true}));
    wait_for_prompt(&server, ">>> ");
    write(&server, "print(6 * 7)\n");
    server.wait_for_output("\n42");
    write_last(&server, "");
    assert_eq!(server.ended()["exit_code"], 0);
}

#[test]
fn terminal_output_reaches_disk_before_the_end() {
    let server = Server::start();
    for _ in 0..10 {
        start(&server, &json!({"command": "seq 3000; printf last", "pty": true}));
        server.ended();
        assert_eq!(server.stored().len(), 3001);
    }
}

#[test]
fn any_signal_can_be_sent_to_the_tree() {
    let server = Server::start();
    server.post("/signal?type=INT").problem(404, "not_found");
    server.run("trap 'echo one' USR1; sh -c \"trap 'echo two; exit' USR1; echo ready; while :; do sleep 0.05; done\"");
    server.wait_for_output("ready");
    server.post("/signal?type=usr1").expect(200);
    server.wait_for_output("two");
    server.wait_for_output("one");
    server.post("/signal?type=SIGNOTHING").problem(400, "bad_request");
    server.post("/signal").problem(400, "bad_request");
    server.ended();
    server.post("/signal?type=15").problem(409, "conflict");
}

#[test]
fn cwd_and_env_apply_to_the_command() {
    let server = Server::start();
    let body = json!({
        "command": "pwd; echo $ADDED; echo ${HOME-none}", "cwd": "/tmp",
        "env": {"ADDED": "é $x", "HOME": null},
    });
    let status = start(&server, &body);
    assert_eq!(status["cwd"], "/tmp");
    server.ended();
    assert_eq!(server.content(""), "/tmp\né $x\nnone");
    server.post("/restart").expect(200);
    server.ended();
    assert_eq!(server.content(""), "/tmp\né $x\nnone");
    for (field, bad) in [
        ("cwd", json!("/nowhere")),
        ("cwd", json!("/etc/passwd")),
        ("env", json!({"A=B": "1"})),
        ("env", json!({"A": 1})),
        ("pty", json!("yes")),
        ("stdin", json!(1)),
    ] {
        let mut body = json!({"command": "true"});
        body[field] = bad;
        server.post_json("/start", &body).problem(400, "bad_request");
    }
    assert_eq!(server.logs_count(), 2, "a start that is refused leaves no log");
}

#[test]
fn a_status_can_wait_for_the_end() {
    let server = Server::start();
    server.run("sleep 0.3; exit 3");
    let status = server.get("/status?wait=20").expect(200).json();
    assert_eq!(status["exit_code"], 3);
    server.run("sleep 60");
    let status = server.get("/status?wait=0.1").expect(200).json();
    assert_eq!(status["status"], "running");
    server.get("/status?wait=601").problem(400, "bad_request");
    server.post("/kill").expect(200);
}

#[test]
fn a_start_can_wait_for_the_end_and_bring_the_output() {
    let server = Server::start();
    let body = json!({"command": "echo one; echo two; exit 3", "wait": 20});
    let answer = start(&server, &body);
    assert_eq!((&answer["status"], &answer["exit_code"]), (&json!("exited"), &json!(3)));
    let output = &answer["output"];
    assert_eq!((&output["content"], &output["running"]), (&json!("one\ntwo"), &json!(false)));
    assert_eq!((&output["total_lines"], &output["next"]), (&json!(2), &json!(2)));
    let body = json!({"command": "seq 10000", "wait": 20, "max_bytes": 500});
    let content = start(&server, &body)["output"]["content"].as_str().unwrap().to_owned();
    assert!(content.len() <= 500 && content.starts_with("1\n2\n") && content.ends_with("\n10000"));
    assert!(content.contains("GET /runs/"), "{content}");
    let answer = start(&server, &json!({"command": "echo begun; sleep 60", "wait": 0.5}));
    assert_eq!(
        (&answer["status"], &answer["output"]["running"]),
        (&json!("running"), &json!(true))
    );
    assert_eq!(answer["output"]["content"], "begun");
    server.post("/kill").expect(200);
    for (field, bad) in [("wait", 601.0), ("wait", -1.0), ("timeout", -1.0), ("max_bytes", 10.0)] {
        let mut body = json!({"command": "true"});
        body[field] = json!(bad);
        server.post_json("/start", &body).problem(400, "bad_request");
    }
    assert_eq!(server.logs_count(), 3);
}

#[test]
fn expired_timeout_ends_the_run_and_is_reported() {
    let server = Server::start_with(&["--kill-timeout", "0.2"]);
    let command = "trap '' TERM; echo printed; (trap '' TERM; sleep 60) & sleep 60; sleep 60";
    let body = json!({"command": command, "timeout": 0.3, "wait": 20});
    let answer = start(&server, &body);
    let actual = (&answer["status"], &answer["ended_by"], &answer["signal"]);
    assert_eq!(actual, (&json!("killed"), &json!("timeout"), &json!("SIGKILL")));
    assert_eq!(answer["output"]["content"], "printed");
    eventually("nothing of it is left", || server.living().is_empty().then_some(()));
    let answer = start(&server, &json!({"command": "echo quick", "timeout": 30, "wait": 20}));
    assert_eq!(answer["ended_by"], "itself");
}

/// An unencoded plus in a query means a space.
#[test]
fn a_real_time_signal_may_be_given_with_a_bare_plus() {
    let server = Server::start();
    let number = nix::libc::SIGRTMIN() + 3;
    server.run(&format!(
        "trap 'echo got it; exit 0' {number}; echo ready; while :; do sleep 0.1; done"
    ));
    server.wait_for_output("ready");
    server.post("/signal?type=RTMINfoo").problem(400, "bad_request");
    server.post("/signal?type=SIGRTMIN+3").expect(200);
    assert_eq!(server.ended()["exit_code"], 0);
    // The shell itself reports what ended its `sleep`.
    assert!(server.content("").ends_with("\ngot it"));
}

#[test]
fn reopened_terminal_is_read() {
    let server = Server::start();
    let command = "exec </dev/null >/dev/null 2>&1; sleep 0.3; printf 'password: ' >/dev/tty; \
                   read answer </dev/tty; echo \"got $answer\" >/dev/tty; seq 2000 >/dev/tty";
    server.post_json("/start", &json!({"command": command, "pty": true})).expect(201);
    server.wait_for_output("password: ");
    server.request("POST /stdin", &[], b"secret\n").expect(200);
    assert_eq!(server.ended()["exit_code"], 0);
    let content = server.content("");
    assert!(content.contains("got secret") && content.ends_with("1999\n2000"), "{content}");
}

#[test]
fn a_stuck_writer_delays_no_resize_and_no_other_writer() {
    let server = Server::start();
    let body = json!({"command": "stty raw -echo; echo ready; exec sleep 60", "pty": true});
    server.post_json("/start", &body).expect(201);
    server.wait_for_output("ready");
    let data = vec![b'x'; 200_000];
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        let write = || server.request("POST /stdin", &[], &data).expect(200);
        let writers: Vec<_> = (0..3).map(|_| scope.spawn(write)).collect();
        eventually("they write", || (server.connections().len() > 2).then_some(()));
        server.post_json("/resize", &json!({"rows": 10, "cols": 20})).expect(200);
        assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
        for writer in writers {
            writer.join().unwrap();
        }
    });
    assert!(began.elapsed() < std::time::Duration::from_secs(9), "{:?}", began.elapsed());
    server.post("/kill").expect(200);
}
