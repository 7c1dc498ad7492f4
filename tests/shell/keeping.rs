//! What is kept of logs: retention and rotation.

use crate::harness::{Server, eventually};
use serde_json::{Value, json};
use std::fs;

fn bytes_of_logs(server: &Server) -> u64 {
    let entries = fs::read_dir(server.folder().join("logs")).unwrap();
    let logs =
        entries.map(Result::unwrap).filter(|e| e.file_name().to_string_lossy().contains(".log"));
    logs.map(|entry| entry.metadata().unwrap().len()).sum()
}

#[test]
fn only_so_many_runs_are_kept() {
    let server = Server::start_with(&["--log-keep-runs", "3"]);
    let ids: Vec<Value> =
        (0..6).map(|_| server.run_to_end("echo hello")["run_id"].clone()).collect();
    let body = server.get("/runs").expect(200).json();
    let kept: Vec<&Value> =
        body["runs"].as_array().unwrap().iter().map(|run| &run["run_id"]).collect();
    assert_eq!(kept, [&ids[5], &ids[4], &ids[3]]);
    let gone = ids[0].as_str().unwrap();
    server.get(&format!("/runs/{gone}/logs")).problem(404, "not_found");
    assert_eq!(server.logs_count(), 3);
}

#[test]
fn old_runs_go_when_all_logs_are_too_large() {
    let server = Server::start_with(&["--log-max-bytes", "1000000"]);
    for _ in 0..5 {
        server.run_to_end("yes 'a line of some length' | head -n 4000");
        assert!(bytes_of_logs(&server) <= 1_000_000);
    }
    let body = server.get("/runs").expect(200).json();
    let kept = body["runs"].as_array().unwrap().len();
    assert!((2..5).contains(&kept), "{kept} runs");
}

#[test]
fn a_run_that_is_too_large_drops_its_oldest_part_and_its_numbers_go_on() {
    let server = Server::start_with(&["--log-max-bytes", "1000000"]);
    let run = server.run_to_end("seq 100000");
    assert!(bytes_of_logs(&server) <= 1_000_000, "{} bytes", bytes_of_logs(&server));
    let id = run["run_id"].as_str().unwrap().to_owned();
    let look = |server: &Server| {
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
        // Pages, whichever part they begin in.
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
    look(&server);
    let mut server = server;
    server.signal("TERM");
    server.wait();
    server.start_again();
    look(&server);
}

#[test]
fn a_line_without_an_end_is_cut_where_it_is_larger_than_its_log_may_be() {
    let server = Server::start_with(&["--log-max-bytes", "500000", "--max-line-bytes", "4096"]);
    // While it goes on, the part before the present one ends with a cut.
    let flood = "head -c 3000000 /dev/zero | tr '\\0' y";
    server.run(&format!("{flood}; while [ ! -e go ]; do sleep 0.01; done; echo; echo end"));
    eventually("it is told", || {
        server.content("").contains("y[llm-shell: this line is cut here").then_some(())
    });
    fs::write(server.folder().join("go"), "").unwrap();
    server.ended();
    assert!(bytes_of_logs(&server) <= 500_000, "{} bytes", bytes_of_logs(&server));
    assert!(server.content("").ends_with("y\nend"), "it goes on");
}

#[test]
fn a_follower_over_rotations_gets_every_line_or_is_told_how_many_it_missed() {
    let server = Server::start_with(&["--log-max-bytes", "200000"]);
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
