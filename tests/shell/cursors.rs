//! Cursors: line numbers kept by clients, of this run or another.

use crate::harness::{Server, Stream};
use serde_json::{Value, json};

const EVENTS: &str = "Accept: text/event-stream";

/// Executes a run of a hundred lines, then one of two. Returns their ids.
fn long_and_short(server: &Server) -> [String; 2] {
    ["seq 100", "echo a; echo b"].map(|command| {
        let run = server.run_to_end(command);
        run["run_id"].as_str().unwrap().to_owned()
    })
}

#[test]
fn a_cursor_of_a_longer_run_starts_at_the_first_line() {
    let server = Server::start();
    let [old, new] = long_and_short(&server);
    for query in ["after=100", "after=100&wait=30", "after=3"] {
        for path in ["/logs".to_owned(), format!("/runs/{new}/logs")] {
            let page = server.get(&format!("{path}?{query}")).expect(200).json();
            let actual = [&page["content"], &page["first"], &page["next"], &page["cursor_reset"]];
            assert_eq!(actual, [&json!("a\nb"), &json!(1), &json!(2), &json!(true)], "{page}");
            assert_eq!(page["run_id"], new);
        }
    }
    let page = server.get(&format!("/runs/{old}/logs?after=99")).expect(200).json();
    assert_eq!((&page["content"], &page["run_id"]), (&json!("100"), &json!(old)));
    for query in ["after=2", "after=0", "lines=1"] {
        let page = server.get(&format!("/logs?{query}")).expect(200).json();
        assert_eq!(page.get("cursor_reset"), None, "{query}");
    }
}

#[test]
fn a_stream_of_another_run_starts_at_the_first_line() {
    let server = Server::start();
    let [old, new] = long_and_short(&server);
    let resumed = |id: &str| {
        let id = format!("Last-Event-ID: {id}");
        Stream::open(server.address(), "/logs?follow=true", &[EVENTS, &id])
    };
    // Of the old run, also where the new one has a line of that number; and a number beyond it.
    for id in [format!("{old}:100"), format!("{old}:1"), "100".to_owned()] {
        let mut stream = resumed(&id);
        let reset = stream.event();
        assert_eq!((&*reset.name, &reset.data["run_id"]), ("cursor_reset", &json!(new)), "{id}");
        let lines = [stream.event(), stream.event()];
        assert_eq!(
            lines.map(|it| (it.id, it.data["line"].clone())),
            [(Some(1), json!("a")), (Some(2), json!("b"))]
        );
    }
    for id in [format!("{new}:1"), "1".to_owned()] {
        assert_eq!(resumed(&id).event().data["line"], "b", "{id}");
    }
    let plain = server.get("/logs?follow=true&after=100").expect(200).text();
    assert!(
        plain.starts_with("[... the cursor belongs to another log") && plain.ends_with("a\nb\n")
    );
    let entries = server.get("/logs?follow=true&after=100&format=ndjson").expect(200).text();
    let first: Value = serde_json::from_str(entries.lines().next().unwrap()).unwrap();
    assert_eq!((&first["cursor_reset"], entries.lines().count()), (&json!(true), 3));
}

#[test]
fn cursor_at_the_end_waits() {
    let server = Server::start();
    server.run("echo a; while [ ! -e go ]; do sleep 0.01; done; echo b");
    server.wait_for_output("a");
    let waited = server.get("/logs?after=1&wait=0.2").expect(200).json();
    assert_eq!((&waited["content"], waited.get("cursor_reset")), (&json!(""), None));
    std::fs::write(server.folder().join("go"), "").unwrap();
    assert_eq!(server.get("/logs?after=1&wait=30").expect(200).json()["content"], "b");
}

#[test]
fn logs_of_an_earlier_run_are_a_conflict() {
    let server = Server::start();
    let [old, new] = long_and_short(&server);
    let page = server.get(&format!("/logs?run_id={new}&after=1")).expect(200).json();
    assert_eq!(page["content"], "b");
    for query in ["after=1", "follow=true", "lines=3"] {
        let refused = server.get(&format!("/logs?run_id={old}&{query}")).problem(409, "conflict");
        assert!(refused.contains(&format!("/runs/{old}")), "{refused}");
    }
}

#[test]
fn missing_lines_after_a_cursor_are_counted() {
    let server = Server::start_with(&["--log-max-bytes", "100000"]);
    server.run_to_end("seq 20000");
    let first = server.get("/logs?lines=0").expect(200).json()["first"].as_u64().unwrap();
    assert!(first > 100, "{first}");
    let page = server.get("/logs?after=50&limit=1").expect(200).json();
    assert_eq!((&page["first"], &page["skipped"]), (&json!(first), &json!(first - 1 - 50)));
    let after = first - 1;
    let page = server.get(&format!("/logs?after={after}&limit=1")).expect(200).json();
    assert_eq!((&page["first"], page.get("skipped")), (&json!(first), None));
}

#[test]
fn omitted_lines_are_read_from_the_same_run() {
    let server = Server::start();
    let id = server.run_to_end("seq 1000")["run_id"].as_str().unwrap().to_owned();
    let content = server.content("?max_bytes=400");
    let (_, request) = content.split_once("left out: GET ").unwrap();
    let request = request.split_once(" ...]").unwrap().0;
    server.run_to_end("echo another");
    let rest = server.get(request).expect(200).json();
    assert_eq!(rest["run_id"], id);
    let first = rest["first"].as_u64().unwrap();
    assert!(rest["content"].as_str().unwrap().starts_with(&first.to_string()), "{rest}");
}
