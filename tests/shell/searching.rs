//! GET /logs with `grep`, `context`, `numbers`, `since` and `before`; contract section 2.1.

use crate::harness::{Astra, Server, eventually};
use serde_json::{Value, json};

fn page(server: &Server, query: &str) -> Value {
    server.get(&format!("/logs?{query}")).expect(200).json()
}

/// Returns what `grep` prints for the numbers 1 to `last`.
fn grep(arguments: &str, last: u32) -> String {
    let command = format!("seq {last} | grep {arguments}");
    let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn context_and_numbers_are_those_of_grep() {
    let server = Server::start();
    server.run_to_end("seq 300");
    for (query, arguments) in [
        ("grep=5$&context=1", "-C1 '5$'"),
        ("grep=5$&context=4&numbers=true", "-n -C4 '5$'"),
        ("grep=^(1|300)$&context=2&numbers=true", "-nE -C2 '^(1|300)$'"),
        ("grep=77&numbers=true", "-n 77"),
        ("grep=nothing&context=3", "-C3 nothing"),
    ] {
        let expected = grep(arguments, 300);
        let answer = page(&server, query);
        assert_eq!(answer["content"], expected, "{query}");
        let lines = expected.lines().filter(|line| *line != "--").count();
        assert_eq!(answer["lines_returned"], lines, "{query}");
        let text = server.get(&format!("/logs?format=text&{query}")).expect(200).text();
        assert_eq!(text.trim_end(), expected, "{query}");
    }
    assert_eq!(page(&server, "lines=2&numbers=true")["content"], "299:299\n300:300");
    let last = page(&server, "grep=7$&context=1&lines=4")["content"].clone();
    assert_eq!(last, "288\n--\n296\n297\n298");
}

#[test]
fn context_lines_are_entries_without_separators() {
    let server = Server::start();
    server.run_to_end("seq 100");
    let entries = server.get("/logs?grep=^(20|40)$&context=1&format=ndjson").expect(200).text();
    let numbers: Vec<u64> = entries
        .lines()
        .map(|entry| serde_json::from_str::<Value>(entry).unwrap()["n"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [19, 20, 21, 39, 40, 41]);
}

#[test]
fn pages_with_context_join_to_the_whole() {
    let server = Server::start();
    server.run_to_end("seq 200");
    let whole = page(&server, "grep=[27]$&context=1")["content"].as_str().unwrap().to_owned();
    let lines = whole.lines().filter(|line| *line != "--").map(str::to_owned);
    let (mut joined, mut next) = (Vec::new(), 0);
    while next < 200 {
        let page = page(&server, &format!("grep=[27]$&context=1&after={next}&limit=7"));
        let content = page["content"].as_str().unwrap().to_owned();
        joined.extend(content.lines().filter(|line| *line != "--").map(str::to_owned));
        next = page["next"].as_u64().unwrap();
    }
    assert!(lines.eq(joined));
}

#[test]
fn truncated_search_names_the_request_for_the_rest() {
    let server = Server::start();
    server.run_to_end("seq 10000");
    let query = "grep=[05]0$&context=1&numbers=true";
    let whole = page(&server, query)["content"].as_str().unwrap().to_owned();
    for bytes_max in [256, 700, 1000, 5000] {
        let cut = page(&server, &format!("{query}&max_bytes={bytes_max}"));
        let content = cut["content"].as_str().unwrap();
        assert!(content.len() <= bytes_max && cut["truncated"] == true, "{cut}");
        let note = content.lines().find(|line| line.starts_with("[...")).unwrap();
        let (head, tail) = content.split_once(note).unwrap();
        assert!(whole.starts_with(head) && whole.ends_with(tail.trim_start()), "{content}");
        let is_line = |line: &&str| *line != "--" && !line.is_empty();
        let shown = head.lines().chain(tail.lines()).filter(is_line).count() as u64;
        assert_eq!(cut["lines_returned"], shown);
        let all = whole.lines().filter(is_line).count() as u64;
        assert_eq!(cut["omitted_lines"], all - shown);
        let Some(request) = note.split("GET ").nth(1) else { continue };
        let middle = server.get(request.trim_end_matches(" ...]")).expect(200).json();
        let middle = middle["content"].as_str().unwrap().to_owned();
        let joined = [head, &middle, tail].join("\n");
        assert!(joined.lines().filter(is_line).eq(whole.lines().filter(is_line)), "{request}");
    }
}

#[test]
fn unfinished_line_has_a_number_and_context() {
    let server = Server::start();
    server.run("seq 9; printf 'name? '; sleep 60");
    server.wait_for_output("name? ");
    let last = page(&server, "grep=name&context=2&numbers=true")["content"].clone();
    assert_eq!(last, "8-8\n9-9\n10:name? ");
    assert_eq!(page(&server, "grep=^9&context=2")["content"], "7\n8\n9\nname? ");
    let apart = page(&server, "grep=name&context=1&after=0");
    assert_eq!((&apart["content"], &apart["prompt"]), (&json!("9"), &json!("name? ")));
    server.post("/kill").expect(200);
}

#[test]
fn context_of_a_service_has_separators_too() {
    let astra =
        Astra::start(json!({"count": {"cmd": "seq 50", "restart_policy": {"mode": "never"}}}));
    astra.wait_for_line("count", "50");
    let path = "/supervisor/logs/count?grep=^(10|40)$&context=1&numbers=true&lines=0";
    let answer = astra.get(path).expect(200).json();
    let logs: Vec<&str> =
        answer["logs"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!((logs.len(), logs[3]), (7, "--"));
    assert!(logs[0].starts_with("9-[") && logs[0].ends_with("] 9"), "{logs:?}");
    assert!(logs[1].starts_with("10:[") && logs[1].ends_with("] 10"), "{logs:?}");
    assert_eq!(answer["lines_returned"], 6);
}

#[test]
fn followed_lines_have_numbers() {
    let server = Server::start();
    server.run_to_end("seq 3; printf end");
    let text = server.get("/logs?follow=true&numbers=true").expect(200).text();
    assert_eq!(text, "1:1\n2:2\n3:3\n4:end\n");
}

/// Returns the entries of the log: stamps and lines.
fn entries(server: &Server) -> Vec<(String, String)> {
    let entries = server.get("/logs?format=ndjson").expect(200).text();
    let entry = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| entry[name].as_str().unwrap().to_owned();
        (field("timestamp"), field("line"))
    };
    entries.lines().map(entry).collect()
}

#[test]
fn instants_select_lines_by_their_stamps() {
    let server = Server::start();
    server.run_to_end("for i in $(seq 60); do echo line $i; sleep 0.005; done");
    let entries = entries(&server);
    let expected = |since: &str, before: &str| -> Vec<String> {
        let inside = |stamp: &str| *stamp >= *since && *stamp < *before;
        let lines = entries.iter().filter(|(stamp, _)| inside(stamp));
        lines.map(|(_, line)| line.clone()).collect()
    };
    let (early, late) = (&entries[15].0, &entries[45].0);
    let content = |query: &str| -> Vec<String> {
        let content = page(&server, query)["content"].as_str().unwrap().to_owned();
        content.lines().map(str::to_owned).collect()
    };
    assert_eq!(content(&format!("since={early}")), expected(early, "3"));
    assert_eq!(content(&format!("before={late}")), expected("", late));
    let both = format!("since={early}&before={late}");
    assert_eq!(content(&both), expected(early, late));
    assert_eq!(content(&format!("{both}&limit=3")), expected(early, late)[..3]);
    let matching = content(&format!("{both}&grep=0$&numbers=true"));
    let numbered: Vec<_> = (1..)
        .zip(&entries)
        .filter(|(_, (stamp, line))| stamp >= early && stamp < late && line.ends_with('0'))
        .map(|(number, (_, line))| format!("{number}:{line}"))
        .collect();
    assert_eq!(matching, numbered);
    let cut = page(&server, &format!("{both}&max_bytes=256"));
    assert!(cut["content"].as_str().unwrap().starts_with(&*expected(early, late)[0]), "{cut}");
    assert!(cut["content"].as_str().unwrap().ends_with(&**expected(early, late).last().unwrap()));
    assert_eq!(page(&server, &both)["first"], 16);
    // Another time zone, its plus not encoded.
    let zoned = format!("{}+01:00", late.replace('Z', ""));
    assert_eq!(page(&server, &format!("since={zoned}"))["lines_returned"], 60);
    assert_eq!(page(&server, "before=2020-01-02T03:04:05Z")["lines_returned"], 0);
}

#[test]
fn prompt_is_selected_by_the_instant_of_its_output() {
    let server = Server::start();
    server.run("echo one; printf 'name? '; sleep 60");
    server.wait_for_output("name? ");
    let stamp = entries(&server)[0].0.clone();
    assert_eq!(page(&server, &format!("since={stamp}"))["content"], "one\nname? ");
    assert_eq!(page(&server, &format!("before={stamp}"))["content"], "");
    eventually("later", || {
        (page(&server, "since=2199-01-01T00:00:00Z")["content"] == "").then_some(())
    });
    server.post("/kill").expect(200);
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let server = Server::start();
    server.run_to_end("true");
    let stamp = "2026-01-02T03:04:05Z";
    for (query, why) in [
        ("context=1".to_owned(), "context needs grep"),
        ("grep=a&context=101".to_owned(), "context is 101: give 0 to 100"),
        ("grep=a&context=x".to_owned(), "context is \"x\""),
        ("grep=a&context=1&follow=true".to_owned(), "omit context"),
        ("numbers=1".to_owned(), "numbers is \"1\""),
        ("since=yesterday".to_owned(), "since is \"yesterday\": give an instant in RFC 3339"),
        ("before=2026-01-02".to_owned(), "such as 2026-01-02T03:04:05Z"),
        (format!("since={stamp}&after=1"), "since and before exclude"),
        (format!("before={stamp}&lines=1"), "since and before exclude"),
        (format!("since={stamp}&seconds=1"), "since and before exclude"),
        (format!("before={stamp}&follow=true"), "omit before"),
        (format!("since={stamp}&wait=1"), "wait needs after"),
    ] {
        let detail = server.get(&format!("/logs?{query}")).problem(400, "bad_request");
        assert!(detail.contains(why), "{query}: {detail}");
    }
}
