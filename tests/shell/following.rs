//! GET /logs?follow=true: plain lines, entries, and Server-Sent Events.

use crate::harness::{Server, Stream, eventually};
use serde_json::Value;

fn follow(server: &Server, query: &str, headers: &[&str]) -> Stream {
    Stream::open(server.address(), &format!("/logs?{query}"), headers)
}

/// A command that prints a line for each file `goN` that appears, then ends.
fn stepwise(steps: usize) -> String {
    format!(
        "echo begin; for i in $(seq {steps}); do while [ ! -e go$i ]; do sleep 0.01; done; \
         echo step $i; done; printf 'no end'"
    )
}

fn go(server: &Server, step: usize) {
    std::fs::write(server.folder().join(format!("go{step}")), "").unwrap();
}

#[test]
fn lines_come_as_they_are_printed_until_the_command_ends() {
    let server = Server::start();
    server.run(&stepwise(2));
    let mut followed = follow(&server, "follow=true", &[]);
    assert_eq!(followed.line(), "begin");
    go(&server, 1);
    assert_eq!(followed.line(), "step 1");
    go(&server, 2);
    assert_eq!(followed.rest(), "step 2\nno end\n");
}

#[test]
fn follow_begins_with_the_selected_lines() {
    let server = Server::start();
    server.run("seq 10; while [ ! -e go ]; do sleep 0.01; done; echo eleven");
    server.wait_for_output("10");
    let last = follow(&server, "follow=true&lines=2", &[]);
    let filtered = follow(&server, "follow=true&grep=e&lines=3", &[]);
    let entries = follow(&server, "follow=true&after=9&format=ndjson", &[]);
    std::fs::write(server.folder().join("go"), "").unwrap();
    assert_eq!(last.rest(), "9\n10\neleven\n");
    assert_eq!(filtered.rest(), "eleven\n");
    let entries = entries.rest();
    let lines: Vec<Value> = entries.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(
        (lines.len(), &lines[0]["line"], &lines[1]["line"]),
        (2, &"10".into(), &"eleven".into())
    );
}

#[test]
fn events_carry_numbers_prompts_and_the_end_and_can_be_resumed() {
    let server = Server::start();
    let accept = "Accept: text/event-stream";
    let run = server
        .run("echo one; printf 'name? '; while [ ! -e go ]; do sleep 0.01; done; echo Ann; exit 3");
    let id = |line| format!("id: {}:{line}", run["run_id"].as_str().unwrap());
    server.wait_for_output("name? ");
    let mut followed = follow(&server, "follow=true", &[accept]);
    assert_eq!(followed.line(), id(1));
    let entry: Value =
        serde_json::from_str(followed.line().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(entry["line"], "one");
    assert_eq!(
        [followed.line(), followed.line(), followed.line(), followed.line()],
        ["", "event: prompt", "data: \"name? \"", ""]
    );
    std::fs::write(server.folder().join("go"), "").unwrap();
    assert_eq!(followed.line(), id(2));
    let rest = followed.rest();
    assert!(rest.contains("\"line\":\"name? Ann\""), "{rest}");
    let end = rest.split("event: end\ndata: ").nth(1).unwrap();
    let end: Value = serde_json::from_str(end.trim()).unwrap();
    assert_eq!((&end["status"], &end["exit_code"]), (&"exited".into(), &3.into()));
    let resumed = server.request("GET /logs?follow=true", &[accept, "Last-Event-ID: 1"], b"");
    let resumed = resumed.expect(200).text();
    assert!(resumed.starts_with(&id(2)) && resumed.contains("event: end"), "{resumed}");
    server.request("GET /logs?follow=true", &[accept, "Last-Event-ID: 2"], b"").expect(204);
}

#[test]
fn followed_redrawn_line_is_sent_in_its_latest_form() {
    let server = Server::start();
    let begun = std::time::Instant::now();
    server.run("for i in $(seq 300); do printf '\\r%06000d' $i; sleep 0.002; done");
    let accept = "Accept: text/event-stream";
    let text = follow(&server, "follow=true", &[accept]).rest();
    let prompts: Vec<&str> = text.split("event: prompt\ndata: ").skip(1).collect();
    let most = begun.elapsed().as_millis() / 100 + 2;
    assert!(!prompts.is_empty() && prompts.len() as u128 <= most, "{} of {most}", prompts.len());
    for prompt in prompts {
        let drawing = prompt.lines().next().unwrap();
        assert_eq!(drawing.len(), 4096 + "\"\"".len());
        assert!(drawing.starts_with("\"0000"), "{drawing}");
    }
}

#[test]
fn slow_followers_get_every_line_once() {
    let server = Server::start();
    server.run("while [ ! -e go ]; do sleep 0.01; done; seq 200000");
    let slow = follow(&server, "follow=true", &[]);
    // The maximum number.
    let quick: Vec<_> = (0..63).map(|_| follow(&server, "follow=true", &[])).collect();
    std::fs::write(server.folder().join("go"), "").unwrap();
    let expected: Vec<_> = (1..=200_000).map(|number| format!("{number}\n")).collect();
    let expected = expected.concat();
    std::thread::scope(|scope| {
        for followed in quick {
            scope.spawn(|| assert!(followed.rest() == expected));
        }
    });
    assert_eq!(server.ended()["exit_code"], 0, "a follower that does not read holds nothing up");
    assert!(slow.rest() == expected);
}

#[test]
fn disconnected_follower_returns_its_slot() {
    let server = Server::start_with(&["--max-streams", "1"]);
    server.run("echo one; sleep 60");
    let mut followed = follow(&server, "follow=true", &[]);
    assert_eq!(followed.line(), "one");
    server.get("/logs?after=1&wait=0.01").expect(503);
    drop(followed);
    eventually("the slot is free", || {
        (server.get("/logs?after=1&wait=0.01").status == 200).then_some(())
    });
    server.post("/kill").expect(200);
}

#[test]
fn an_event_stream_is_never_silent_for_long() {
    let server = Server::start();
    server.run("sleep 60");
    let mut followed = follow(&server, "follow=true", &["Accept: text/event-stream"]);
    // It comes after 15 s; a line is waited for 20.
    assert_eq!(followed.line(), ": keep-alive");
    server.post("/kill").expect(200);
}

#[test]
fn streams_and_waits_are_limited() {
    let server = Server::start_with(&["--max-streams", "2"]);
    server.run("echo one; sleep 60");
    let mut followers = [(); 2].map(|()| follow(&server, "follow=true", &[]));
    for followed in &mut followers {
        assert_eq!(followed.line(), "one");
    }
    for query in ["after=1&wait=1", "follow=true"] {
        let refused = server.get(&format!("/logs?{query}"));
        assert_eq!(refused.header("retry-after"), Some("1"));
        let detail = refused.problem(503, "unavailable");
        assert!(detail.contains("LLM_SHELL_MAX_STREAMS"), "{detail}");
    }
    server.get("/status").expect(200);
    server.get("/logs?after=1").expect(200);
    server.post("/kill").expect(200);
}

#[test]
fn waiting_starts_do_not_block_other_requests() {
    let server = Server::start();
    server.run("trap '' TERM; echo ready; while :; do sleep 1; done");
    server.wait_for_output("ready");
    let server = &server;
    let (sender, answers) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for sender in vec![sender; 80] {
            let restart = || server.post("/restart?timeout=60");
            scope.spawn(move || sender.send(restart()).unwrap());
        }
        for _ in 64..80 {
            let refused = answers.recv().unwrap().problem(503, "unavailable");
            assert!(refused.contains("restarts are already waiting"), "{refused}");
        }
        server.get("/status").expect(200);
        server.post("/kill?type=SIGKILL").expect(200);
        for answer in &answers {
            answer.problem(409, "conflict");
        }
    });
}

#[test]
fn follower_does_not_delay_shutdown() {
    let mut server = Server::start();
    server.run("echo one; sleep 60");
    let mut followed = follow(&server, "follow=true", &[]);
    assert_eq!(followed.line(), "one");
    server.signal("TERM");
    assert_eq!(followed.rest(), "");
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().contains("stopped; 0 requests aborted"), "{}", server.log());
}
