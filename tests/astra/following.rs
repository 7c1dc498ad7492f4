//! GET /logs/{service}?follow=true: a stream that continues across restarts.

use crate::harness::{Astra, Event, Stream, eventually, kill};
use serde_json::{Value, json};

const FOLLOW: &str = "/supervisor/logs/web?follow=true";

/// Prints its run's id and its end.
fn service() -> Value {
    let cmd = "trap 'echo end; exit 0' TERM; echo $RUN_ID; while :; do sleep 0.02; done";
    json!({"cmd": cmd, "restart_policy": {"backoff_seconds": 0}})
}

fn started() -> Astra {
    let astra = Astra::start(json!({"web": service()}));
    astra.wait_until("web", "begun", |_| astra.lines("web").len() == 1);
    astra
}

/// Reads the next line of the service, and skips messages of its shell about ended processes.
fn line(stream: &mut Stream) -> String {
    loop {
        let line = stream.line();
        if line != "Terminated" {
            return line;
        }
    }
}

/// Reads the next event that is not a message of the shell.
fn event(stream: &mut Stream) -> Event {
    stream.event_that(|event| event.data["line"] != "Terminated" && event.name != "prompt")
}

#[test]
fn plain_stream_continues_across_restarts() {
    let astra = started();
    let mut stream = astra.stream(FOLLOW);
    let first = line(&mut stream);
    astra.settle("restart", "web");
    assert_eq!(line(&mut stream), "end");
    let second = line(&mut stream);
    assert_ne!(first, second);
    astra.settle("stop", "web");
    assert_eq!(line(&mut stream), "end");
    astra.settle("start", "web");
    assert_ne!(line(&mut stream), second);
    kill("KILL", astra.pid_of("web"));
    assert_eq!(line(&mut stream).len(), first.len(), "the id of the run after that");
}

#[test]
fn log_stream_marks_runs_and_numbers_lines_across_them() {
    let astra = started();
    let mut stream = astra.events(&format!("{FOLLOW}&after=0"));
    let mut expected_id = 0;
    let mut expect_line = |stream: &mut Stream| {
        let event = event(stream);
        assert!(event.name.is_empty() && event.id > Some(expected_id), "{event:?}");
        expected_id = event.id.unwrap();
        assert!(event.data["timestamp"].is_string(), "{event:?}");
        event.data["line"].as_str().unwrap().to_owned()
    };
    let begin = |stream: &mut Stream| {
        let event = event(stream);
        assert_eq!((&*event.name, &event.data["event"]), ("run", &json!("started")), "{event:?}");
        assert!(event.data["pid"].is_u64() && event.data["at"].is_string(), "{event:?}");
        event.data["run_id"].as_str().unwrap().to_owned()
    };
    let end = |stream: &mut Stream, run_id: &str, by: &str| {
        let event = event(stream);
        assert_eq!((&*event.name, &event.data["event"]), ("run", &json!("ended")), "{event:?}");
        assert_eq!((&event.data["run_id"], &event.data["ended_by"]), (&json!(run_id), &json!(by)));
        event.data
    };
    let first = begin(&mut stream);
    assert_eq!(expect_line(&mut stream), first);
    astra.settle("restart", "web");
    assert_eq!(expect_line(&mut stream), "end");
    assert_eq!(end(&mut stream, &first, "restart")["exit_code"], 0);
    let second = begin(&mut stream);
    assert_eq!(expect_line(&mut stream), second);
    kill("KILL", astra.pid_of("web"));
    assert_eq!(end(&mut stream, &second, "signal")["signal"], "SIGKILL");
    let third = begin(&mut stream);
    assert_eq!(expect_line(&mut stream), third);
    astra.settle("stop", "web");
    assert_eq!(expect_line(&mut stream), "end");
    end(&mut stream, &third, "kill");
}

#[test]
fn log_stream_resumes_after_the_last_event_id() {
    let astra = Astra::start(json!({"web": {"cmd": "seq 3", "autostart": false}}));
    for lines in [3, 6] {
        astra.ask("start", "web").expect(200);
        astra.wait_until("web", "done", |_| astra.lines("web").len() == lines);
        astra.wait_for("web", "exited");
    }
    let headers = ["Accept: text/event-stream", "Last-Event-ID: 2"];
    let mut stream = Stream::open(astra.address(), FOLLOW, &headers);
    let (mut lines, mut runs) = (Vec::new(), 0);
    while lines.len() < 4 {
        let event = event(&mut stream);
        match event.id {
            Some(id) => lines.push((id, event.data["line"].as_str().unwrap().to_owned())),
            None => runs += 1,
        }
    }
    let expected = [(3, "3"), (4, "1"), (5, "2"), (6, "3")];
    assert_eq!(lines, expected.map(|(id, line)| (id, line.to_owned())));
    assert_eq!(runs, 2, "the end of the first run and the begin of the second");
}

#[test]
fn log_stream_resumes_at_the_next_supervisor() {
    let mut astra = started();
    let mut stream = astra.events(&format!("{FOLLOW}&after=0"));
    let first = event(&mut stream).data["run_id"].clone();
    let seen = event(&mut stream).id.unwrap();
    astra.signal("TERM");
    let end = stream.event_that(|event| event.name == "end");
    assert_eq!(end.data["status"], "stopped");
    astra.wait();
    astra.start_again();
    let is_next = |line: &String| first != **line && line.len() == 16;
    astra.wait_until("web", "begun again", |_| astra.lines("web").iter().any(is_next));
    let headers = ["Accept: text/event-stream", &*format!("Last-Event-ID: {seen}")];
    let mut stream = Stream::open(astra.address(), FOLLOW, &headers);
    let line = event(&mut stream);
    assert_eq!((line.id > Some(seen), &line.data["line"]), (true, &json!("end")));
    let ended = event(&mut stream);
    assert_eq!((&ended.data["run_id"], &ended.data["ended_by"]), (&first, &json!("shutdown")));
    let begun = event(&mut stream);
    assert_eq!((&begun.data["event"], begun.data["run_id"] != first), (&json!("started"), true));
    assert_eq!(event(&mut stream).data["line"], begun.data["run_id"]);
}

#[test]
fn run_of_the_last_supervisor_ends_after_its_lines() {
    let mut astra = Astra::start(json!({"web": {"cmd": "echo one; echo two", "autostart": false}}));
    astra.ask("start", "web").expect(200);
    astra.wait_for("web", "exited");
    astra.signal("TERM");
    astra.wait();
    astra.start_again();
    let mut stream = astra.events(&format!("{FOLLOW}&after=0"));
    let report: Vec<Value> = (0..4).map(|_| event(&mut stream).data).collect();
    assert_eq!((&report[0]["event"], &report[3]["event"]), (&json!("started"), &json!("ended")));
    assert_eq!((&report[1]["line"], &report[2]["line"]), (&json!("one"), &json!("two")));
}

#[test]
fn stream_begins_with_the_selected_lines() {
    let astra = Astra::start(json!({"web": {"cmd": "seq 150; exec sleep 60"}}));
    astra.wait_for_line("web", "150");
    for (query, first) in [("", "51"), ("&lines=2", "149"), ("&after=7", "8"), ("&grep=4$", "4")] {
        assert_eq!(astra.stream(&format!("{FOLLOW}{query}")).line(), first, "{query}");
    }
    let mut entries = astra.stream(&format!("{FOLLOW}&lines=1&format=ndjson"));
    let entry: Value = serde_json::from_str(&entries.line()).unwrap();
    assert_eq!(entry["line"], "150");
}

#[test]
fn stream_waits_for_the_first_run() {
    let astra = Astra::start(json!({"web": {"cmd": "echo one", "autostart": false}}));
    let mut stream = astra.stream(FOLLOW);
    astra.ask("start", "web").expect(200);
    assert_eq!(stream.line(), "one");
}

#[test]
fn stream_of_one_run_ends_with_it() {
    let astra = started();
    let run_id = astra.lines("web")[0].clone();
    let mut stream = astra.stream(&format!("{FOLLOW}&run={run_id}"));
    assert_eq!(line(&mut stream), run_id);
    astra.settle("restart", "web");
    let rest = stream.rest();
    let is_next = |line: &String| line.len() == run_id.len() && *line != run_id;
    let next =
        eventually("the next run has begun", || astra.lines("web").into_iter().find(is_next));
    assert!(rest.contains("end\n") && !rest.contains(&next), "{rest}");
}

#[test]
fn stream_of_a_removed_service_ends() {
    let astra = Astra::start(json!({"web": service(), "db": {"cmd": "exec sleep 60"}}));
    let mut stream = astra.events(FOLLOW);
    astra.write(json!({"db": {"cmd": "exec sleep 60"}}));
    astra.post_json("/supervisor/reload?wait=60", &json!({})).expect(200);
    stream.event_that(|event| event.data["ended_by"] == "reload");
    assert_eq!(stream.event_that(|event| event.name == "end").data["status"], "stopped");
    assert_eq!(stream.rest(), "");
}

#[test]
fn follower_across_rotations_misses_no_line_unreported() {
    let cmd = "echo begin; while [ ! -e go ]; do sleep 0.01; done; seq 200000; exec sleep 600";
    let astra = Astra::start(json!({"web": {"cmd": cmd, "log": {"max_bytes": 200_000}}}));
    astra.wait_for_line("web", "begin");
    let mut stream = astra.stream(&format!("{FOLLOW}&after=1"));
    astra.touch("go");
    let mut next = 1;
    while next <= 200_000 {
        let line = stream.line();
        if let Some(rest) = line.strip_prefix("[... ") {
            next += rest.split(' ').next().unwrap().parse::<u64>().unwrap();
        } else {
            assert_eq!(line, next.to_string());
            next += 1;
        }
    }
    // A client that resumes at a removed line is notified, too.
    let mut events = astra.events(&format!("{FOLLOW}&after=5"));
    let missed = events.event();
    assert_eq!(missed.name, "missed", "{missed:?}");
    let missed = missed.data["lines"].as_u64().unwrap();
    let first = events.event_that(|event| event.name.is_empty());
    assert_eq!(first.id, Some(5 + missed + 1));
}
