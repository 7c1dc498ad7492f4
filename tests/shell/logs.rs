//! GET /logs: contract section 2.1, `lines` and `seconds`.

use crate::harness::{Server, eventually};
use serde_json::{Value, json};

fn page(server: &Server, query: &str) -> Value {
    server.get(&format!("/logs{query}")).expect(200).json()
}

#[test]
fn the_answer_has_every_field() {
    let server = Server::start();
    let run = server.run_to_end("seq 5");
    let page = page(&server, "?lines=2");
    for (field, expected) in [
        ("log_file", run["log_file"].clone()),
        ("run_id", run["run_id"].clone()),
        ("total_lines", json!(5)),
        ("lines_returned", json!(2)),
        ("content", json!("4\n5")),
        ("first", json!(4)),
        ("next", json!(5)),
        ("truncated", json!(false)),
        ("omitted_lines", json!(0)),
        ("running", json!(false)),
    ] {
        assert_eq!(page[field], expected, "{field} in {page}");
    }
    assert_eq!(page.as_object().unwrap().len(), 10, "{page}");
}

#[test]
fn lines_parameter_returns_the_last_lines() {
    let server = Server::start();
    server.run_to_end("seq 30000");
    for (query, returned, first_line) in [
        ("", 30_000, "1"),
        ("?lines=0", 30_000, "1"),
        ("?lines=1", 1, "30000"),
        ("?lines=100", 100, "29901"),
        ("?lines=29999", 29_999, "2"),
        ("?lines=30000", 30_000, "1"),
        ("?lines=18446744073709551615", 30_000, "1"),
    ] {
        let page = page(&server, query);
        assert_eq!(page["lines_returned"], returned, "{query}");
        assert_eq!(page["total_lines"], 30_000, "{query}");
        let content = page["content"].as_str().unwrap();
        assert_eq!(content.lines().next(), Some(first_line), "{query}");
        assert_eq!(content.lines().count(), returned, "{query}");
        assert!(content.ends_with("\n30000") || content == "30000", "{query}");
    }
}

#[test]
fn seconds_parameter_returns_recent_lines() {
    let server = Server::start();
    server.run("seq 5000; while [ ! -e go ]; do sleep 0.01; done; seq 5001 5010; sleep 60");
    server.wait_for_output("5000");
    // The first part must be older than the requested period.
    eventually("the first part is two seconds old", || {
        let idle = server.get("/status").expect(200).json()["idle"].as_f64()?;
        (idle > 2.0).then_some(())
    });
    std::fs::write(server.folder().join("go"), "").unwrap();
    server.wait_for_output("5010");
    let recent = page(&server, "?seconds=1.9");
    assert_eq!(recent["content"].as_str().unwrap().lines().next(), Some("5001"), "{recent}");
    assert_eq!((&recent["lines_returned"], &recent["first"]), (&json!(10), &json!(5001)));
    assert_eq!(page(&server, "?seconds=3600")["lines_returned"], 5010);
    server.post("/kill").expect(200);
    eventually("nothing is that young", || {
        let none = page(&server, "?seconds=0");
        (none["lines_returned"] == 0 && none["content"] == "" && none["first"].is_null())
            .then_some(())
    });
}

#[test]
fn invalid_number_is_refused() {
    let server = Server::start();
    server.run_to_end("echo hello");
    for query in [
        "lines=-1",
        "lines=x",
        "lines=",
        "lines=1.5",
        "lines=18446744073709551616",
        "seconds=-1",
        "seconds=x",
        "seconds=NaN",
        "seconds=inf",
        "seconds=",
    ] {
        let detail = server.get(&format!("/logs?{query}")).problem(400, "bad_request");
        assert!(detail.contains("number"), "{query}: {detail}");
    }
    let detail = server.get("/logs?lines=1&seconds=1").problem(400, "bad_request");
    assert!(detail.contains("lines") && detail.contains("seconds"), "{detail}");
}

#[test]
fn a_run_without_output_has_an_empty_log() {
    let server = Server::start();
    server.run_to_end("true");
    for query in ["", "?lines=5", "?seconds=5"] {
        let page = page(&server, query);
        assert_eq!((&page["content"], &page["total_lines"]), (&json!(""), &json!(0)));
    }
}

#[test]
fn a_running_command_can_be_read() {
    let server = Server::start();
    server.run("seq 3; sleep 60");
    server.wait_for_output("3");
    let page = page(&server, "?lines=2");
    assert_eq!((&page["content"], &page["running"]), (&json!("2\n3"), &json!(true)));
    server.post("/kill").expect(200);
}

/// Returns the server's peak resident memory, in KiB.
fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn reading_a_large_log_takes_no_memory() {
    let server = Server::start();
    server.run_to_end(
        "yes 'a line of some length, so that there is something to hold' | head -n 1000000",
    );
    let before = peak_kib(&server);
    for query in ["", "?lines=900000", "?seconds=3600"] {
        assert!(server.get(&format!("/logs{query}")).expect(200).body.len() > 50_000_000);
    }
    let grown = peak_kib(&server) - before;
    assert!(grown < 4096, "{grown} KiB more than before");
}
