//! GET /logs for agents: cursors, waiting, truncation, filters and formats; contract section 2.1.

use crate::harness::raw::Client;
use crate::harness::{Server, eventually};
use serde_json::{Value, json};
use std::io::Read;
use std::time::Duration;

fn page(server: &Server, query: &str) -> Value {
    server.get(&format!("/logs?{query}")).expect(200).json()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn joined_pages_equal_the_log() {
    let server = Server::start();
    server.run_to_end("seq 5000; printf 'no end'");
    for limit in [1000, 777, 5001] {
        let (mut lines, mut next) = (Vec::new(), 0);
        loop {
            let page = page(&server, &format!("after={next}&limit={limit}"));
            if page["lines_returned"] == 0 {
                assert_eq!((&page["next"], &page["first"]), (&json!(5001), &json!(null)));
                break;
            }
            assert_eq!(page["first"], next + 1);
            lines.extend(text(&page["content"]).lines().map(str::to_owned));
            next = page["next"].as_u64().unwrap();
            assert_eq!(next, lines.len() as u64);
        }
        let expected = (1..=5000).map(|line| line.to_string()).chain(["no end".to_owned()]);
        assert!(lines.into_iter().eq(expected), "limit {limit}");
    }
}

#[test]
fn cursor_returns_new_lines_and_the_prompt() {
    let server = Server::start();
    let command = "echo one; printf 'name? '; while [ ! -e go ]; do sleep 0.01; done; \
                   echo Ann; echo two; sleep 60";
    server.run(command);
    server.wait_for_output("name? ");
    let first = page(&server, "after=0");
    assert_eq!((&first["content"], &first["prompt"]), (&json!("one"), &json!("name? ")));
    assert_eq!((&first["next"], &first["total_lines"]), (&json!(1), &json!(1)));
    let none = page(&server, "after=1");
    assert_eq!((&none["content"], &none["prompt"]), (&json!(""), &json!("name? ")));
    std::fs::write(server.folder().join("go"), "").unwrap();
    server.wait_for_output("two");
    let second = page(&server, "after=1");
    assert_eq!((&second["content"], &second["prompt"]), (&json!("name? Ann\ntwo"), &json!(null)));
    assert_eq!(page(&server, "after=99")["next"], 3);
    server.post("/kill").expect(200);
}

#[test]
fn wait_ends_with_a_line_the_end_or_a_timeout() {
    let server = Server::start();
    server.run("echo one; while [ ! -e go ]; do sleep 0.01; done; echo two; sleep 0.3; exit 4");
    server.wait_for_output("one");
    let none = page(&server, "after=1&wait=0.05");
    assert_eq!((&none["lines_returned"], &none["running"]), (&json!(0), &json!(true)));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| page(&server, "after=1&wait=60"));
        std::fs::write(server.folder().join("go"), "").unwrap();
        assert_eq!(waiting.join().unwrap()["content"], "two");
    });
    let ended = page(&server, "after=2&wait=60");
    assert_eq!((&ended["lines_returned"], &ended["running"]), (&json!(0), &json!(false)));
    // A wait for an ended command returns at once.
    page(&server, "after=2&wait=600");
}

#[test]
fn oversized_content_keeps_head_and_tail() {
    let server = Server::start();
    server.run_to_end("seq 10000");
    let cut = page(&server, "max_bytes=1000");
    let content = text(&cut["content"]);
    assert!(content.len() <= 1000 && cut["truncated"] == true, "{cut}");
    assert!(content.starts_with("1\n2\n3\n") && content.ends_with("\n9999\n10000"), "{content}");
    let note = content.lines().find(|line| line.starts_with("[...")).unwrap();
    let request = note.split("GET ").nth(1).unwrap().trim_end_matches(" ...]");
    let (head, tail) = content.split_once(&format!("{note}\n")).unwrap();
    let middle = server.get(request).expect(200).json();
    let all = format!("{head}{}\n{tail}", text(&middle["content"]));
    assert_eq!(all, server.content(""));
    let whole = page(&server, "max_bytes=100000");
    assert_eq!((&whole["truncated"], text(&whole["content"]).len()), (&json!(false), 48_893));
}

#[test]
fn oversized_single_line_is_truncated() {
    let server = Server::start();
    server.run_to_end("printf 'é%.0s' $(seq 5000); echo");
    let cut = page(&server, "max_bytes=300");
    let content = text(&cut["content"]);
    assert!(content.len() <= 300 && content.starts_with("éé") && content.ends_with("éé"));
    assert!(content.contains("[... 1 lines, "), "{content}");
}

#[test]
fn oversized_line_is_cut_at_the_same_place_in_every_form() {
    let server = Server::start();
    server.run_to_end("head -c 17000000 /dev/zero | tr '\\0' y; echo; echo end");
    for query in ["lines=0", "after=0"] {
        let content = page(&server, query)["content"].as_str().unwrap().to_owned();
        assert_eq!(content.len(), 16 * 1024 * 1024 + "\nend".len(), "{query}");
        assert!(content.ends_with("y\nend"));
        assert_eq!(page(&server, &format!("{query}&grep=^end$"))["truncated"], false);
        assert_eq!(page(&server, query)["truncated"], true, "{query}");
    }
}

#[test]
fn truncated_line_end_can_be_found() {
    let server = Server::start();
    let flood = "head -c 17000000 /dev/zero | tr '\\0'";
    server.run_to_end(&format!("{flood} y; echo needle; {flood} z; echo; echo end"));
    for (grep, lines) in
        [("needle$", 1), ("^y+needle$", 1), ("z$", 1), ("y$", 0), ("^z", 1), ("^needle", 0)]
    {
        for others in ["", "&strip_ansi=true", "&max_bytes=300"] {
            let found = page(&server, &format!("grep={}{others}", grep.replace('+', "%2B")));
            assert_eq!(found["lines_returned"], lines, "{grep}{others}");
            assert_eq!(found["truncated"], lines > 0, "{grep}{others}");
        }
    }
}

#[test]
fn a_prompt_is_no_larger_than_the_content_may_be() {
    let server = Server::start();
    server.run("printf '%02000d' 7; sleep 60");
    eventually("it is there", || {
        let page = page(&server, "after=0&max_bytes=256");
        let prompt = page["prompt"].as_str()?.to_owned();
        (prompt.len() == 256 && prompt.ends_with("07")).then_some(())
    });
    server.post("/kill").expect(200);
}

#[test]
fn filter_applies_after_range_before_count() {
    let server = Server::start();
    server.run_to_end("for i in $(seq 100); do echo \"line $i\"; done");
    let last = page(&server, "grep=5$&lines=2");
    assert_eq!(last["content"], "line 85\nline 95");
    assert_eq!((&last["lines_returned"], &last["next"]), (&json!(2), &json!(100)));
    let first = page(&server, "grep=5$&after=10&limit=2");
    assert_eq!(first["content"], "line 15\nline 25");
    assert_eq!((&first["first"], &first["next"]), (&json!(15), &json!(25)));
    let rest = page(&server, "grep=5$&after=25");
    assert_eq!((&rest["lines_returned"], &rest["next"]), (&json!(7), &json!(100)));
    assert_eq!(page(&server, "grep=(?i)LINE%201$")["content"], "line 1");
    let cut = page(&server, "grep=line%20.*&max_bytes=400");
    assert!(text(&cut["content"]).contains("&grep=line+.*"), "{cut}");
    let bad = server.get("/logs?grep=(").problem(400, "bad_request");
    assert!(bad.contains("grep"), "{bad}");
}

#[test]
fn escape_sequences_and_redraws_can_be_removed() {
    let server = Server::start();
    server.run_to_end("printf '\\033[31mred\\033[0m\\n10%%\\r50%%\\r100%%\\n'");
    assert_eq!(server.content("?strip_ansi=true"), "red\n100%");
    assert_eq!(server.content("?strip_ansi=true&grep=^red$"), "red");
    assert_eq!(server.content("?grep=^red$"), "");
}

#[test]
fn logs_are_served_as_text_and_as_stored_entries() {
    let server = Server::start();
    server.run_to_end("echo 'say \"hi\"'; echo two");
    let plain = ["Accept: text/plain"];
    for answer in [server.get("/logs?format=text"), server.request("GET /logs", &plain, b"")] {
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.expect(200).text(), "say \"hi\"\ntwo\n");
    }
    let stored = std::fs::read_to_string(server.log_path()).unwrap();
    let numbered =
        (1..).zip(stored.lines()).map(|(n, line)| format!("{{\"n\":{n},{}\n", &line[1..]));
    let numbered: String = numbered.collect();
    let accept = ["Accept: application/x-ndjson"];
    for answer in [server.get("/logs?format=ndjson"), server.request("GET /logs", &accept, b"")] {
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        assert_eq!(answer.expect(200).text(), numbered);
    }
    assert_eq!(server.get("/logs?format=ndjson&grep=two").expect(200).text().lines().count(), 1);
}

#[test]
fn conflicting_parameters_are_refused() {
    let server = Server::start();
    server.run_to_end("echo hello");
    for query in [
        "after=1&lines=1",
        "after=1&seconds=1",
        "wait=1",
        "after=1&wait=601",
        "after=1&wait=-1",
        "lines=1&limit=1",
        "follow=true&limit=1",
        "follow=true&wait=1&after=1",
        "follow=yes",
        "max_bytes=255",
        "max_bytes=99999999999",
        "format=xml",
        "format=ndjson&max_bytes=1000",
        "strip_ansi=1",
        "after=x",
        "limit=-1",
    ] {
        let detail = server.get(&format!("/logs?{query}")).problem(400, "bad_request");
        let mut names = query.split('&').filter_map(|pair| pair.split('=').next());
        let is_named = names.any(|name| detail.contains(name));
        assert!(is_named || detail.contains("together"), "{query}: {detail}");
    }
}

/// The expression has some 800 states, and the line 15 MB: half a minute of CPU time.
#[test]
fn a_search_ends_when_its_client_leaves() {
    let server = Server::start();
    // A varying order of the two letters, so that no search state repeats.
    let letters = "LC_ALL=C tr '\\000-\\177' x | LC_ALL=C tr '\\200-\\377' y";
    server.run_to_end(&format!("head -c 15000000 /dev/urandom | {letters}; echo; echo end"));
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // utime and stime, of the process with all of its threads.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    for query in
        ["grep=x[xy]{400}[wv]", "grep=x[xy]{400}[wv]&lines=5", "grep=x[xy]{400}[wv]&format=text"]
    {
        let mut client = Client::connect(server.address());
        client.send(format!("GET /logs?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let before = ticks();
        eventually("it searches", || (ticks() > before + 5).then_some(()));
        drop(client);
        eventually("it has stopped searching", || {
            let now = ticks();
            std::thread::park_timeout(Duration::from_millis(200));
            (ticks() <= now + 1).then_some(())
        });
    }
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    assert_eq!(server.content("?grep=^en"), "end");
}

#[test]
fn search_counts_as_a_stream() {
    let server = Server::start_with(&["--max-streams", "1"]);
    server.run("echo begun; exec sleep 60");
    server.wait_for_output("begun");
    let mut follower = Client::connect(server.address());
    follower.send("GET /logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
    follower.socket.read_exact(&mut [0; 1]).unwrap();
    server.get("/logs?grep=begun").problem(503, "unavailable");
    server.get("/logs?lines=1").expect(200);
    drop(follower);
    eventually("the search has a place", || {
        (server.get("/logs?grep=begun").status == 200).then_some(())
    });
}

#[test]
fn truncated_content_has_correct_start_and_counts() {
    let server = Server::start();
    server.run_to_end("seq 100000");
    for (query, first) in [("max_bytes=1000", 1), ("after=10&max_bytes=1000", 11)] {
        let cut = page(&server, query);
        let content = text(&cut["content"]);
        assert!(content.starts_with(&format!("{first}\n{}\n", first + 1)), "{content}");
        assert!(content.ends_with("\n99999\n100000") && content.len() <= 1000, "{content}");
        let shown = content.lines().filter(|line| !line.starts_with("[...")).count() as u64;
        assert_eq!(cut["lines_returned"], shown);
        let omitted = cut["omitted_lines"].as_u64().unwrap();
        assert_eq!(shown + omitted, 100_001 - first);
        let note = content.lines().find(|line| line.starts_with("[...")).unwrap();
        let request = note.split("GET ").nth(1).unwrap().split(' ').next().unwrap();
        assert!(note.contains(&format!("{omitted} lines")) && request.contains("/runs/"), "{note}");
        let rest = server.get(request).expect(200).json();
        assert_eq!(rest["lines_returned"], omitted);
        let between: Vec<_> = content.split(note).map(str::trim).collect();
        let whole = [between[0], text(&rest["content"]), between[1]].join("\n");
        let expected: Vec<_> = (first..=100_000).map(|number| number.to_string()).collect();
        assert_eq!(whole, expected.join("\n"));
    }
}

#[test]
fn text_ends_with_a_newline_and_entries_have_numbers() {
    let server = Server::start();
    server.run_to_end("printf 'one\\ntwo'");
    assert_eq!(server.get("/logs?format=text").text(), "one\ntwo\n");
    assert_eq!(server.get("/logs?format=text&follow=true").text(), "one\ntwo\n");
    assert_eq!(server.get("/logs?format=text&grep=nothing").text(), "");
    for query in ["format=ndjson", "format=ndjson&after=0", "format=ndjson&follow=true"] {
        let text = server.get(&format!("/logs?{query}")).text();
        let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let seen: Vec<_> = entries.map(|it| (it["n"].clone(), it["line"].clone())).collect();
        assert_eq!(seen, [(json!(1), json!("one")), (json!(2), json!("two"))], "{query}");
    }
}
