//! What ends a wait: a line, a match, silence, the end, or the time.

use crate::harness::Server;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Starts a run and waits for this; returns its output.
#[track_caller]
fn start(server: &Server, command: &str, until: &str) -> Value {
    let body = json!({"command": command, "pty": true, "wait": 20, "until": until});
    let run = server.post_json("/runs", &body).expect(201).json();
    let mut output = run["output"].clone();
    output["status"] = run["status"].clone();
    output
}

#[test]
fn a_wait_ends_for_each_of_its_reasons() {
    let server = Server::start();
    for (command, until, reason, matched) in [
        ("echo a; sleep 60", "line", "line", Value::Null),
        ("printf a; sleep 1; echo b; sleep 60", "line", "line", Value::Null),
        ("echo a; sleep 1; echo b", "end", "end", Value::Null),
        (
            "seq 500; echo ready on port 80; sleep 60",
            "match:port [0-9]+",
            "match",
            json!("ready on port 80"),
        ),
        (
            "printf '\\033[32mlist\\033[0mening\\n'; sleep 60",
            "match:^listening$",
            "match",
            json!("listening"),
        ),
        ("echo a; printf 'Password: '; sleep 60", "match:word: $", "match", json!("Password: ")),
        ("echo a; sleep 60", "idle:0.3", "idle", Value::Null),
        ("printf 'name? '; sleep 60", "idle:0.3", "idle", Value::Null),
        ("echo a; echo b", "match:never", "end", Value::Null),
        ("true", "line", "end", Value::Null),
    ] {
        let output = start(&server, command, until);
        assert_eq!(output["reason"], reason, "{command}: {output}");
        assert_eq!(output["matched_line"], matched, "{command}: {output}");
        let next = output["next"].as_u64().unwrap();
        let lines = output["content"].as_str().unwrap().lines().count() as u64;
        assert!(next == lines || next + 1 == lines, "{command}: {output}");
    }
}

#[test]
fn a_match_is_found_wherever_the_output_is_split() {
    let server = Server::start();
    let slowly = "for c in l i s t e n i n g; do printf $c; sleep 0.03; done; echo; sleep 60";
    let output = start(&server, slowly, "match:^listening$");
    assert_eq!(output["matched_line"], "listening");
    // In a flood, and far behind.
    let flood = "seq 300000; echo needle; seq 300000; sleep 60";
    assert_eq!(start(&server, flood, "match:^needle$")["matched_line"], "needle");
}

#[test]
fn a_wait_that_runs_out_says_timeout() {
    let server = Server::start();
    let run = json!({"command": "echo a; sleep 60", "name": "slow", "wait": 20, "until": "line"});
    server.post_json("/runs", &run).expect(201);
    for (path, content) in [
        ("/runs/slow/logs?after=1&wait=0.2", json!("")),
        ("/runs/slow/logs?after=0&wait=0.2&until=match:b", json!("a")),
        ("/runs/slow/logs?after=1&wait=0.5&until=idle:0.1", json!("")),
        ("/runs/slow/logs?after=0&wait=0.2&until=end", json!("a")),
    ] {
        let page = server.get(path).expect(200).json();
        assert_eq!((&page["reason"], &page["content"]), (&json!("timeout"), &content), "{path}");
    }
    let status = server.get("/runs/slow?wait=0.2&until=match:b").expect(200).json();
    assert_eq!((&status["reason"], &status["status"]), (&json!("timeout"), &json!("running")));
    let status = server.get("/runs/slow?wait=20&until=line&after=0").expect(200).json();
    assert_eq!(status["reason"], "line");
}

#[test]
fn new_lines_do_not_end_a_wait_for_the_end() {
    let server = Server::start();
    let run = json!({"command": "for i in 1 2 3; do echo $i; sleep 0.3; done", "name": "counts"});
    server.post_json("/runs", &run).expect(201);
    let page = server.get("/runs/counts/logs?after=0&wait=20&until=end").expect(200).json();
    assert_eq!((&page["reason"], &page["content"]), (&json!("end"), &json!("1\n2\n3")));
}

#[test]
fn input_is_answered_with_what_is_printed_after_it() {
    let server = Server::start();
    let command = "printf '> '; while read x; do sleep 0.2; echo got $x; printf '> '; done";
    for pty in [true, false] {
        let run = json!({"command": command, "pty": pty, "stdin": true, "wait": 20, "until": "match:> $"});
        let run = server.post_json("/runs", &run).expect(201).json();
        let path = format!("/runs/{}/stdin", run["run_id"].as_str().unwrap());
        let send = |query: &str, data: &str| {
            let answer =
                server.request(&format!("POST {path}?wait=20{query}"), &[], data.as_bytes());
            answer.expect(200).json()["output"].clone()
        };
        for (query, data, expected) in [
            ("", "a\n", "got a"),
            ("&until=match:got%20b", "b\n", "got b"),
            ("&until=idle:0.5", "c\n", "got c"),
        ] {
            let output = send(query, data);
            let content = output["content"].as_str().unwrap();
            assert!(content.ends_with(expected), "{pty} {query}: {output}");
            assert!(!content.contains("got") || content.matches("got").count() == 1, "{output}");
        }
        let body = json!({"data": "d\n", "wait": 20, "until": "match:got d"});
        let json = |body: &Value| {
            let headers = &["Content-Type: application/json"];
            server.request(&format!("POST {path}"), headers, body.to_string().as_bytes())
        };
        let answer = json(&body).expect(200).json();
        assert_eq!(answer["output"]["reason"], "match", "{answer}");
        let ends = json(&json!({"eof": true, "wait": 20, "until": "end"}));
        assert_eq!(ends.expect(200).json()["output"]["reason"], "end");
    }
}

#[test]
fn waits_are_woken_not_polled() {
    let server = Server::start();
    let run = json!({"command": "sleep 1; echo now; sleep 60", "name": "late"});
    server.post_json("/runs", &run).expect(201);
    let began = Instant::now();
    for until in ["match:now", "line"] {
        server.get(&format!("/runs/late/logs?after=0&wait=20&until={until}")).expect(200);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // A thread that waits uses no processor time meanwhile.
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        let fields: Vec<u64> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .filter_map(|it| it.parse().ok())
            .collect();
        fields[10] + fields[11]
    };
    std::thread::scope(|threads| {
        for until in ["match:never", "end", "idle:30", "line"] {
            let path = format!("/runs/late/logs?after=1&wait=2&until={until}");
            let server = &server;
            threads.spawn(move || server.get(&path).expect(200));
        }
        let before = ticks();
        std::thread::sleep(Duration::from_millis(1500));
        assert!(ticks() - before <= 3, "{} ticks", ticks() - before);
    });
}

#[test]
fn invalid_waits_are_refused_before_any_effect() {
    let server = Server::start();
    for body in [
        json!({"command": "true", "until": "end"}),
        json!({"command": "true", "wait": 1, "until": "soon"}),
        json!({"command": "true", "wait": 1, "until": "match:("}),
        json!({"command": "true", "wait": 1, "until": "match:"}),
        json!({"command": "true", "wait": 1, "until": "idle:x"}),
        json!({"command": "true", "wait": 1, "until": "idle:-1"}),
        json!({"command": "true", "wait": 601}),
    ] {
        for path in ["/start", "/runs"] {
            server.post_json(path, &body).problem(400, "bad_request");
        }
    }
    assert_eq!(server.logs_count(), 0);
    server.run_to_end("true");
    for path in [
        "/logs?until=end",
        "/logs?after=0&until=end",
        "/logs?wait=1&until=line",
        "/status?until=end",
        "/status?after=3",
        "/status?wait=1&after=3",
    ] {
        server.get(path).problem(400, "bad_request");
    }
}
