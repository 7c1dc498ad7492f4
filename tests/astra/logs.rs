//! GET /logs/{service}: lines of all runs.

use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

fn page(astra: &Astra, query: &str) -> Value {
    astra.get(&format!("/supervisor/logs/web{query}")).expect(200).json()
}

/// Returns the lines of a page without their timestamps.
fn texts(page: &Value) -> Vec<&str> {
    let lines = page["logs"].as_array().unwrap().iter();
    // [2026-01-02 03:04:05] text
    lines.map(|line| &line.as_str().unwrap()["[2026-01-02 03:04:05] ".len()..]).collect()
}

/// Starts a service that prints these lines, one list per start.
fn prints(cmd: &str) -> Value {
    json!({"web": {"cmd": cmd, "autostart": false}})
}

/// Runs it until it ends.
fn run(astra: &Astra) {
    let before = astra.status("web")["started_at"].clone();
    astra.ask("start", "web").expect(200);
    astra.wait_until("web", "done", |it| it["status"] == "exited" && it["started_at"] != before);
}

#[test]
fn log_line_has_date_and_time() {
    let astra =
        Astra::start(prints("echo one; echo 'it said \"two\"\ttab'; echo; printf '\\351\\n'"));
    run(&astra);
    let page = page(&astra, "");
    let fields: Vec<_> = page.as_object().unwrap().keys().map(String::as_str).collect();
    for field in ["service", "logs", "total_lines", "next", "first", "lines_returned"] {
        assert!(fields.contains(&field), "{page}");
    }
    for (field, value) in [
        ("service", json!("web")),
        ("total_lines", json!(4)),
        ("lines_returned", json!(4)),
        ("first", json!(1)),
        ("next", json!(4)),
        ("truncated", json!(false)),
        ("running", json!(false)),
    ] {
        assert_eq!(page[field], value, "{field}");
    }
    assert_eq!(texts(&page), ["one", "it said \"two\"\ttab", "", "\u{fffd}"]);
    let stamp = &page["logs"][0].as_str().unwrap()[1..20];
    let started_at = astra.status("web")["started_at"].as_str().unwrap().replace('T', " ");
    assert!(*stamp >= started_at[..19] && stamp.len() == 19, "{stamp} {started_at}");
}

#[test]
fn logs_default_to_the_last_hundred_lines() {
    let astra = Astra::start(prints("seq 250"));
    run(&astra);
    let default = page(&astra, "");
    assert_eq!((&default["first"], &default["total_lines"]), (&json!(151), &json!(250)));
    assert_eq!(texts(&default).len(), 100);
    assert_eq!(texts(&page(&astra, "?lines=2")), ["249", "250"]);
    assert_eq!(texts(&page(&astra, "?lines=0")).len(), 250);
    assert_eq!(texts(&page(&astra, "?lines=1000")).len(), 250);
}

#[test]
fn line_numbers_continue_and_pages_span_runs() {
    let astra = Astra::start(prints("echo a; echo b; echo c"));
    for _ in 0..3 {
        run(&astra);
    }
    assert_eq!(texts(&page(&astra, "?lines=5")), ["b", "c", "a", "b", "c"]);
    let middle = page(&astra, "?after=2&limit=3");
    assert_eq!(texts(&middle), ["c", "a", "b"]);
    assert_eq!((&middle["first"], &middle["next"]), (&json!(3), &json!(5)));
    let mut all = Vec::new();
    let mut next = json!(0);
    loop {
        let page = page(&astra, &format!("?after={next}&limit=2"));
        if page["lines_returned"] == 0 {
            break;
        }
        all.extend(texts(&page).iter().map(|text| (*text).to_owned()));
        next = page["next"].clone();
    }
    assert_eq!(all.concat(), "abcabcabc");
    assert_eq!(next, 9);
}

#[test]
fn line_numbers_continue_after_a_supervisor_restart() {
    let mut astra = Astra::start(prints("echo a; printf b"));
    run(&astra);
    astra.signal("TERM");
    astra.wait();
    astra.start_again();
    run(&astra);
    // An unterminated last line of a run is a separate line.
    let all = page(&astra, "?lines=0");
    assert_eq!((texts(&all), &all["total_lines"]), (vec!["a", "b", "a", "b"], &json!(4)));
    assert_eq!(texts(&page(&astra, "?after=1&limit=2")), ["b", "a"]);
}

#[test]
fn tail_spans_many_runs() {
    let policy = json!({"max_restarts": 40, "backoff_seconds": 0});
    let cmd = "echo $(ls logs/web | grep -c log); exit 1";
    let astra = Astra::start(json!({"web": {"cmd": cmd, "restart_policy": policy}}));
    astra.wait_for("web", "fatal");
    let all = page(&astra, "?lines=0");
    let expected: Vec<String> = (1..=41).map(|run| run.to_string()).collect();
    assert_eq!(texts(&all), expected);
    assert_eq!(texts(&page(&astra, "?lines=30")), expected[11..]);
    assert_eq!(texts(&page(&astra, "?after=5&limit=20")), expected[5..25]);
    assert_eq!(texts(&page(&astra, "?grep=^.$&lines=3")), ["7", "8", "9"]);
}

#[test]
fn logs_of_one_run_can_be_requested() {
    let mut astra = Astra::start(prints("echo $RUN_ID; echo x"));
    run(&astra);
    astra.signal("TERM");
    astra.wait();
    astra.start_again();
    run(&astra);
    let first = astra.lines("web")[0].clone();
    let one = page(&astra, &format!("?run={first}"));
    assert_eq!(texts(&one), [first.as_str(), "x"]);
    let second = astra.lines("web")[2].clone();
    let other = page(&astra, &format!("?run={second}"));
    assert_eq!(texts(&other), [second.as_str(), "x"]);
    assert_eq!((&other["first"], &other["next"]), (&json!(3), &json!(4)), "numbers stay the same");
    let detail = astra.get("/supervisor/logs/web?run=nope").problem(404, "not_found");
    assert!(detail.contains("nope") && !detail.contains("/runs"), "{detail}");
    astra.get("/supervisor/logs/web?run=..%2F..%2Fx").problem(404, "not_found");
}

#[test]
fn wait_ends_with_the_next_line_of_any_run() {
    let cmd = "echo begin; while [ ! -e go ]; do sleep 0.02; done; echo more; exec sleep 60";
    let astra = Astra::start(json!({"web": {"cmd": cmd}}));
    astra.wait_for_line("web", "begin");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| page(&astra, "?after=1&wait=60"));
        astra.touch("go");
        assert_eq!(texts(&waiting.join().unwrap()), ["more"]);
        let waiting = scope.spawn(|| {
            // The end of a run ends the wait, too; the next request waits for the next run.
            eventually("the next run's line comes", || {
                let page = page(&astra, "?after=2&wait=60");
                (page["lines_returned"] != 0).then_some(page)
            })
        });
        astra.settle("restart", "web");
        assert_eq!(texts(&waiting.join().unwrap())[0], "begin");
    });
    astra.wait_until("web", "silent", |_| astra.lines("web").len() == 4);
    let none = page(&astra, "?after=4&wait=0.05");
    assert_eq!((&none["lines_returned"], &none["running"]), (&json!(0), &json!(true)));
}

#[test]
fn all_log_parameters_apply() {
    let astra = Astra::start(prints("seq 20; printf '\\033[1mbold\\033[0m\\n'"));
    run(&astra);
    run(&astra);
    assert_eq!(texts(&page(&astra, "?grep=^1$")), ["1", "1"]);
    assert_eq!(texts(&page(&astra, "?grep=^1&lines=3")), ["17", "18", "19"]);
    assert_eq!(texts(&page(&astra, "?grep=bold&strip_ansi=true")), ["bold", "bold"]);
    assert_eq!(texts(&page(&astra, "?seconds=600")).len(), 42);
    assert_eq!(texts(&page(&astra, "?after=39&limit=1")), ["19"]);
    let text = astra.get("/supervisor/logs/web?lines=2&format=text").expect(200);
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(text.text(), "20\n\u{1b}[1mbold\u{1b}[0m\n");
    let entries = astra.get("/supervisor/logs/web?lines=2&format=ndjson").expect(200).text();
    let entries: Vec<Value> = entries.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!((entries.len(), &entries[0]["line"]), (2, &json!("20")));
    for query in [
        "lines=1&seconds=1",
        "after=1&lines=1",
        "lines=-1",
        "wait=1",
        "after=0&wait=601",
        "grep=(",
        "max_bytes=1",
        "lins=1",
        "format=xml",
        "follow=yes",
    ] {
        astra.get(&format!("/supervisor/logs/web?{query}")).problem(400, "bad_request");
    }
}

#[test]
fn omitted_lines_of_a_page_can_be_requested() {
    let astra = Astra::start(prints("seq 1000"));
    run(&astra);
    let cut = page(&astra, "?lines=0&max_bytes=600");
    assert_eq!(cut["truncated"], true);
    let lines: Vec<_> =
        cut["logs"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(lines.concat().len() <= 600, "{cut}");
    assert!(lines[0].ends_with("] 1") && lines.last().unwrap().ends_with("] 1000"), "{cut}");
    let note = lines.iter().find(|line| line.starts_with("[... ")).unwrap();
    let path = note.split("GET ").nth(1).unwrap().split(' ').next().unwrap();
    let rest = astra.get(path).expect(200).json();
    assert_eq!(texts(&rest).len() + lines.len() - 1, 1000);
}

#[test]
fn open_line_is_reported_as_a_prompt() {
    let astra = Astra::start(json!({"web": {"cmd": "echo one; printf 'name? '; exec sleep 60"}}));
    eventually("the prompt is reported", || {
        (page(&astra, "?after=1")["prompt"] == "name? ").then_some(())
    });
    assert_eq!(page(&astra, "")["total_lines"], 1);
}

#[test]
fn service_without_a_run_has_no_lines() {
    let astra = Astra::start(prints("true"));
    let page = page(&astra, "");
    assert_eq!((&page["logs"], &page["total_lines"]), (&json!([]), &json!(0)));
    assert_eq!((&page["next"], &page["running"]), (&json!(0), &json!(false)));
}

#[test]
fn a_cursor_beyond_a_services_log_starts_at_the_first_line() {
    let mut astra = Astra::start(prints("seq 3"));
    run(&astra);
    run(&astra);
    let beyond = page(&astra, "?after=7&wait=30");
    assert_eq!((texts(&beyond).len(), &beyond["cursor_reset"]), (6, &json!(true)));
    assert_eq!(page(&astra, "?after=6").get("cursor_reset"), None);
    // The lines of one run have numbers that no earlier run had.
    let runs = astra.get("/supervisor/services/web").expect(200).json();
    let last = runs["exits"][0]["run_id"].as_str().expect("a run").to_owned();
    let of_last = page(&astra, &format!("?run={last}&after=0"));
    assert_eq!((&of_last["first"], of_last.get("skipped")), (&json!(4), None), "{of_last}");
    let of_last = page(&astra, &format!("?run={last}&after=99"));
    assert_eq!((&of_last["first"], &of_last["cursor_reset"]), (&json!(4), &json!(true)));
    // As after the logs were removed externally.
    astra.signal("TERM");
    astra.wait();
    std::fs::remove_dir_all(astra.folder().join("logs")).unwrap();
    astra.start_again();
    run(&astra);
    let anew = page(&astra, "?after=6");
    assert_eq!((texts(&anew), &anew["cursor_reset"]), (vec!["1", "2", "3"], &json!(true)));
}
