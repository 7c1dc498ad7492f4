//! Retention and rotation of logs.

use crate::harness::{Server, eventually, kill};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

fn bytes_of_logs(server: &Server) -> u64 {
    let entries = fs::read_dir(server.folder().join("logs")).unwrap();
    let logs =
        entries.map(Result::unwrap).filter(|e| e.file_name().to_string_lossy().contains(".log"));
    logs.map(|entry| entry.metadata().unwrap().len()).sum()
}

#[test]
fn number_of_kept_runs_is_limited() {
    let server = Server::start_with(&["--log-keep-runs", "3"]);
    let ids: Vec<Value> =
        (0..6).map(|_| server.run_to_end("echo hello")["run_id"].clone()).collect();
    let body = server.get("/runs").expect(200).json();
    let kept: Vec<&Value> =
        body["runs"].as_array().unwrap().iter().map(|run| &run["run_id"]).collect();
    assert_eq!(kept, ids.iter().rev().collect::<Vec<_>>());
    for (index, id) in ids.iter().enumerate() {
        let path = format!("/runs/{}/logs", id.as_str().unwrap());
        assert_eq!(server.get(&path).status, if index < 3 { 410 } else { 200 }, "{index}");
    }
    assert_eq!(server.logs_count(), 3);
}

#[test]
fn oldest_runs_are_deleted_at_the_size_limit() {
    let server = Server::start_with(&["--log-max-bytes", "1000000"]);
    for _ in 0..8 {
        server.run_to_end("yes 'a line of some length' | head -n 4000");
        assert!(bytes_of_logs(&server) <= 1_000_000);
    }
    let kept = server.logs_count();
    assert!((4..8).contains(&kept), "{kept} runs");
}

#[test]
fn oversized_run_drops_its_oldest_lines() {
    let server = Server::start_with(&["--log-max-bytes", "4000000"]);
    let run = server.run_to_end("seq 100000");
    assert!(bytes_of_logs(&server) <= 1_000_000, "{} bytes", bytes_of_logs(&server));
    let id = run["run_id"].as_str().unwrap().to_owned();
    let check_usage = |server: &Server| {
        let page = |query: &str| server.get(&format!("/runs/{id}/logs{query}")).expect(200).json();
        let all = page("");
        let first = all["first"].as_u64().unwrap();
        assert_eq!((&all["total_lines"], &all["next"]), (&json!(100_000), &json!(100_000)));
        assert!(
            first > 50_000 && all["lines_returned"].as_u64() == Some(100_001 - first),
            "{first}"
        );
        let expected: Vec<String> = (first..=100_000).map(|number| number.to_string()).collect();
        assert!(all["content"] == expected.join("\n"));
        // Pages, regardless of the file they begin in.
        for after in [0, first, first + 5000, 99_990] {
            let page = page(&format!("?after={after}&limit=3"));
            let begin = after.max(first - 1) + 1;
            assert_eq!(page["first"], begin);
            assert_eq!(page["content"], format!("{begin}\n{}\n{}", begin + 1, begin + 2));
        }
        for lines in [1, 5000, 12_000, 99_999] {
            let page = page(&format!("?lines={lines}"));
            let returned = page["lines_returned"].as_u64().unwrap();
            assert_eq!(returned, lines.min(100_001 - first));
            assert_eq!(page["first"], 100_001 - returned);
            assert!(
                page["content"].as_str().unwrap().starts_with(&(100_001 - returned).to_string())
            );
        }
        assert_eq!(page("?seconds=3600")["first"], first);
    };
    check_usage(&server);
    let mut server = server;
    server.signal("TERM");
    server.wait();
    server.start_again();
    check_usage(&server);
}

#[test]
fn endless_line_is_cut_at_the_log_limit() {
    let server = Server::start_with(&["--log-max-bytes", "2000000", "--max-line-bytes", "4096"]);
    // While it runs, the previous file ends with a truncated line.
    let flood = "head -c 3000000 /dev/zero | tr '\\0' y";
    server.run(&format!("{flood}; while [ ! -e go ]; do sleep 0.01; done; echo; echo end"));
    eventually("it is reported", || {
        server.content("").contains("y[llm-shell: this line is cut here").then_some(())
    });
    fs::write(server.folder().join("go"), "").unwrap();
    server.ended();
    assert!(bytes_of_logs(&server) <= 500_000, "{} bytes", bytes_of_logs(&server));
    assert!(server.content("").ends_with("y\nend"), "it goes on");
}

#[test]
fn follower_across_rotations_misses_no_line_unreported() {
    let server = Server::start_with(&["--log-max-bytes", "800000"]);
    server.run("echo begin; while [ ! -e go ]; do sleep 0.01; done; seq 200000");
    server.wait_for_output("begin");
    std::thread::scope(|scope| {
        let followed = scope.spawn(|| server.get("/logs?follow=true&after=1").expect(200).text());
        fs::write(server.folder().join("go"), "").unwrap();
        let text = followed.join().unwrap();
        let mut next = 1;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("[... ") {
                next += rest.split(' ').next().unwrap().parse::<u64>().unwrap();
            } else {
                assert_eq!(line, next.to_string());
                next += 1;
            }
        }
        assert_eq!(next, 200_001);
    });
}

/// A command that prints some hundred KiB.
const FLOOD: &str = "yes 'a line of some length' | head -n 20000";

#[test]
fn flooding_run_keeps_logs_of_other_runs() {
    let server = Server::start_with(&["--log-max-bytes", "1000000"]);
    let first = server.run_to_end("echo first; exit 3");
    let path = format!("/runs/{}", first["run_id"].as_str().unwrap());
    // More than the limit of all logs, and then enough runs to fill it.
    server.run_to_end(FLOOD);
    assert!(bytes_of_logs(&server) <= 260_000, "{} bytes", bytes_of_logs(&server));
    let logs = server.get(&format!("{path}/logs")).expect(200).json();
    assert_eq!(logs["content"], "first");
    // Each keeps at least an eighth of it.
    for _ in 0..9 {
        server.run_to_end(FLOOD);
        assert!(bytes_of_logs(&server) <= 1_000_000);
    }
    server.get(&format!("{path}/logs?wait=abc")).problem(400, "bad_request");
    let gone = server.get(&format!("{path}/logs")).problem(410, "gone");
    assert!(gone.contains("LLM_SHELL_LOG_MAX_BYTES"), "{gone}");
    let report = server.get(&path).expect(200).json();
    assert_eq!((&report["exit_code"], &report["ended_by"]), (&json!(3), &json!("itself")));
    let mut server = server;
    server.signal("TERM");
    server.wait();
    server.start_again();
    assert_eq!(server.get(&path).expect(200).json()["exit_code"], 3);
    server.get(&format!("{path}/logs")).problem(410, "gone");
    server.get("/runs/0123456789abcdef").problem(404, "not_found");
}

#[test]
fn single_run_has_its_own_size_limit() {
    let flags = ["--log-max-bytes", "100000000", "--log-run-max-bytes", "200000"];
    let server = Server::start_with(&flags);
    server.run_to_end(FLOOD);
    assert!(bytes_of_logs(&server) <= 200_000, "{} bytes", bytes_of_logs(&server));
    assert!(server.content("?lines=1").contains("a line of some length"));
}

#[test]
fn last_thousand_ends_outlive_their_logs() {
    let mut server = Server::start_with(&["--log-keep-runs", "2"]);
    server.run_to_end("echo real; exit 3");
    // The next start rewrites the ledger with one line per run.
    server.signal("TERM");
    server.wait();
    server.start_again();
    server.signal("TERM");
    server.wait();
    // As many runs as a long-lived server has.
    let ledger = server.folder().join("logs/.runs");
    let line = fs::read_to_string(&ledger).unwrap().lines().last().unwrap().to_owned();
    let mut run: Value = serde_json::from_str(&line).unwrap();
    let mut text = String::new();
    for number in 0..1200 {
        run["run_id"] = json!(format!("{number:016x}"));
        run["log"] = json!(format!("2026-01-02_03-04-05_{number}.log"));
        run["end"]["exit_code"] = json!(number % 100);
        text.extend([run.to_string(), "\n".to_owned()]);
    }
    fs::write(&ledger, text + &line + "\n").unwrap();
    server.start_again();
    let runs = server.get("/runs?limit=2000").expect(200).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1000);
    let one = server.get(&format!("/runs/{:016x}", 250)).expect(200).json();
    assert_eq!(one["exit_code"], 50);
    server.get(&format!("/runs/{:016x}/logs", 250)).problem(410, "gone");
    server.get(&format!("/runs/{:016x}", 100)).problem(404, "not_found");
}

/// Rewrites each run in the ledger of a stopped server.
fn change_ledger(server: &Server, change: impl Fn(&mut Value)) {
    let path = server.folder().join("logs/.runs");
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        change(&mut event);
        format!("{event}\n")
    });
    fs::write(&path, lines.collect::<String>()).unwrap();
}

#[test]
fn clock_set_back_keeps_the_run_order() {
    let mut server = Server::start_with(&["--log-keep-runs", "2"]);
    let old = server.run_to_end("echo old; sleep 0.3")["run_id"].clone();
    server.signal("TERM");
    server.wait();
    // As if the clock had been ahead while it ran, and had been set back before its end.
    let logs = server.folder().join("logs");
    let mut paths = fs::read_dir(&logs).unwrap().map(|it| it.unwrap().path());
    let is_log = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log");
    let log = paths.find(is_log).unwrap();
    fs::rename(log, logs.join("2099-01-02_03-04-05.log")).unwrap();
    // The next start rewrites the ledger with one line per run.
    server.start_again();
    server.signal("TERM");
    server.wait();
    change_ledger(&server, |run| {
        run["log"] = json!("2099-01-02_03-04-05.log");
        run["created_at"] = json!("2099-01-02T03:04:05Z");
    });
    server.start_again();
    let old = format!("/runs/{}", old.as_str().unwrap());
    let uptime = server.get(&old).expect(200).json()["uptime"].as_f64().unwrap();
    // It counts from the report of the launch, some milliseconds after the command began.
    assert!((0.2..20.0).contains(&uptime), "{uptime}");
    assert_eq!(server.get(&format!("{old}/logs")).expect(200).json()["content"], "old");
    let new = ["echo one", "echo two"].map(|command| server.run_to_end(command)["run_id"].clone());
    server.get(&format!("{old}/logs")).problem(410, "gone");
    for (id, line) in new.iter().zip(["one", "two"]) {
        let path = format!("/runs/{}/logs", id.as_str().unwrap());
        assert_eq!(server.get(&path).expect(200).json()["content"], line);
    }
    let runs = server.get("/runs").expect(200).json();
    let ids: Vec<&Value> =
        runs["runs"].as_array().unwrap().iter().map(|run| &run["run_id"]).collect();
    assert_eq!(ids[..2], [&new[1], &new[0]]);
}

#[test]
fn line_numbers_survive_a_kill_during_rotation() {
    // Before the present file was renamed, and before the new one was made.
    for is_renamed in [false, true] {
        let mut server = Server::start_with(&["--log-max-bytes", "400000"]);
        let run = server.run("seq 5000; exec sleep 60");
        server.wait_for_output("\n5000");
        let path = format!("/runs/{}/logs", run["run_id"].as_str().unwrap());
        let before = server.get(&path).expect(200).json();
        let (first, total) = (before["first"].as_u64().unwrap(), &before["total_lines"]);
        assert!(first > 1 && *total == 5000, "it was rotated: {first}");
        let log = server.log_path();
        let older = log.with_extension("log.1");
        let present_lines = fs::read_to_string(&log).unwrap().lines().count() as u64;
        kill("KILL", server.pid());
        server.wait();
        let inode = fs::metadata(&log).unwrap().ino();
        let rotated = json!({
            "event": "rotated", "log": log.file_name().unwrap().to_str(), "lines": 5000,
            "older_part": {"rotated": {"inode": inode, "lines_before": 5000 - present_lines}},
        });
        let ledger = server.folder().join("logs/.runs");
        let mut ledger = fs::OpenOptions::new().append(true).open(ledger).unwrap();
        writeln!(ledger, "{rotated}").unwrap();
        if is_renamed {
            fs::rename(&log, &older).unwrap();
        }
        server.start_again();
        let after = server.get(&path).expect(200).json();
        let first = if is_renamed { 5001 - present_lines } else { first };
        assert_eq!((&after["first"], &after["total_lines"]), (&json!(first), total));
        let page = server.get(&format!("{path}?after={}&limit=1", first + 9)).expect(200).json();
        assert_eq!(page["content"], (first + 10).to_string(), "renamed: {is_renamed}");
    }
}

#[test]
fn moved_log_is_gone_but_its_run_is_known() {
    let server = Server::start();
    let run = server.run_to_end("echo one; exit 4");
    fs::rename(server.log_path(), server.folder().join("moved")).unwrap();
    server.run_to_end("echo two");
    let mut server = server;
    server.signal("TERM");
    server.wait();
    server.start_again();
    let path = format!("/runs/{}", run["run_id"].as_str().unwrap());
    server.get(&format!("{path}/logs")).problem(410, "gone");
    assert_eq!(server.get(&path).expect(200).json()["exit_code"], 4);
}

#[test]
fn log_moved_during_a_run_is_recreated() {
    let server = Server::start();
    server
        .run("echo one; while [ ! -e go ]; do sleep 0.01; done; while sleep 0.1; do echo x; done");
    server.wait_for_output("one");
    let log = server.log_path();
    fs::rename(&log, server.folder().join("moved")).unwrap();
    fs::write(server.folder().join("go"), "").unwrap();
    eventually("lines are on disk again", || {
        fs::read_to_string(&log).ok().filter(|text| text.contains("\"x\""))
    });
    assert!(server.content("").starts_with("one\nx"));
    server.post("/kill").expect(200);
}

#[test]
fn unrotatable_log_stays_within_its_limit() {
    let server = Server::start_with(&["--log-max-bytes", "400000"]);
    server.run("echo begin; while [ ! -e go ]; do sleep 0.01; done; seq 50000; exec sleep 60");
    server.wait_for_output("begin");
    // A directory cannot be replaced by a file.
    let in_the_way = server.log_path().with_extension("log.1");
    fs::create_dir(&in_the_way).unwrap();
    fs::write(server.folder().join("go"), "").unwrap();
    let status = || server.get("/status").expect(200).json();
    eventually("lines are dropped and counted", || {
        (status()["log_dropped_lines"].as_u64() > Some(40_000)).then_some(())
    });
    assert!(bytes_of_logs(&server) <= 110_000, "{} bytes", bytes_of_logs(&server));
    let errors = server.log().matches("cannot be rotated").count();
    assert!(errors <= 5, "{errors} errors: {}", server.log());
    server.post("/kill").expect(200);
    fs::remove_dir(&in_the_way).unwrap();
    server.run_to_end("echo fine");
    assert_eq!(server.content(""), "fine");
}
