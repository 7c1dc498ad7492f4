//! Output of commands and its log on disk: contract section 2.2.

use crate::harness::{Server, binary, eventually, kill, send};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn lines(stored: &[Value]) -> Vec<&str> {
    stored.iter().map(|entry| entry["line"].as_str().expect("a line")).collect()
}

/// Returns a command that prints exactly these bytes.
fn printing(bytes: &[u8]) -> String {
    let octal: Vec<_> = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{}'", octal.concat())
}

#[test]
fn log_has_one_object_a_line_with_ascending_timestamps() {
    let server = Server::start();
    server.run_to_end("for i in $(seq 500); do echo line $i; done; echo to stderr >&2");
    let stored = server.stored();
    assert_eq!(stored.len(), 501);
    let stamps: Vec<&str> = stored.iter().map(|e| e["timestamp"].as_str().unwrap()).collect();
    assert!(stamps.is_sorted(), "{stamps:?}");
    assert!(stamps.iter().all(|stamp| stamp.len() == 27 && stamp.ends_with('Z')), "{stamps:?}");
    assert!(stored.iter().all(|entry| entry.as_object().unwrap().len() == 2));
    let expected: Vec<String> = (1..=500).map(|i| format!("line {i}")).collect();
    assert_eq!(lines(&stored)[..500], expected);
    assert_eq!(stored[500]["line"], "to stderr");
}

#[test]
fn stdout_and_stderr_keep_their_order() {
    let server = Server::start();
    server.run_to_end("for i in 1 2 3 4 5; do echo o$i; echo e$i >&2; done");
    let expected = ["o1", "e1", "o2", "e2", "o3", "e3", "o4", "e4", "o5", "e5"];
    assert_eq!(lines(&server.stored()), expected);
}

#[test]
fn bytes_become_lines_exactly() {
    let server = Server::start();
    for (what, bytes, expected) in [
        ("a NUL", &b"a\0b\n"[..], vec!["a\0b"]),
        ("both line ends", b"unix\ndos\r\nmac\rbar\r\r\n", vec!["unix", "dos", "mac\rbar\r"]),
        ("no final newline", b"one\ntwo", vec!["one", "two"]),
        ("empty lines", b"\n\n\r\n", vec!["", "", ""]),
        ("bytes that are no text", b"a\xff\xfeb\n", vec!["a\u{fffd}\u{fffd}b"]),
        ("a character cut by the end", b"a\xe2\x82", vec!["a\u{fffd}"]),
        (
            "control characters",
            b"\x1b[31mred\x1b[0m\t\x07\n",
            vec!["\u{1b}[31mred\u{1b}[0m\t\u{7}"],
        ),
        ("quotes", b"\"\\\"\\n\n", vec!["\"\\\"\\n"]),
        ("nothing", b"", vec![]),
    ] {
        server.run_to_end(&printing(bytes));
        assert_eq!(lines(&server.stored()), expected, "{what}");
        assert_eq!(server.content(""), expected.join("\n"), "{what}");
    }
}

#[test]
fn split_utf8_character_is_joined() {
    let server = Server::start();
    server.run_to_end("printf 'a\\342\\202'; sleep 0.2; printf '\\254b\\n'");
    assert_eq!(lines(&server.stored()), ["a€b"]);
}

#[test]
fn a_long_line_is_stored_in_pieces_and_read_as_one() {
    let server = Server::start_with(&["--max-line-bytes", "64"]);
    // 150 times a character of two bytes, so that no piece can end at its limit of 65.
    server.run_to_end("printf 'x'; printf 'é%.0s' $(seq 150); echo; echo short");
    let stored = server.stored();
    let pieces: Vec<_> =
        stored.iter().map(|e| (&e["partial"], e["line"].as_str().unwrap())).collect();
    let partial: Vec<bool> = pieces.iter().map(|(partial, _)| **partial == json!(true)).collect();
    assert_eq!(partial, [true, true, true, true, false, false]);
    assert!(pieces.iter().all(|(_, piece)| piece.len() <= 64), "{pieces:?}");
    let page = server.get("/logs").expect(200).json();
    assert_eq!((&page["total_lines"], &page["lines_returned"]), (&json!(2), &json!(2)));
    assert_eq!(page["content"], format!("x{}\nshort", "é".repeat(150)));
    let last = server.get("/logs?lines=2").expect(200).json();
    assert_eq!(last["content"], page["content"]);
}

#[test]
fn a_line_of_megabytes_is_kept_whole() {
    let server = Server::start();
    server.run_to_end("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end");
    assert_eq!(server.stored().len(), 47);
    let content = server.content("?lines=2");
    assert_eq!(content.len(), 3_000_004);
    assert!(content.ends_with("xxx\nend"));
}

#[test]
fn output_reaches_disk_before_the_exit_is_reported() {
    let server = Server::start();
    for round in 0..25 {
        server.run_to_end("seq 3000; printf last; exit 3");
        let stored = server.stored();
        assert_eq!(stored.len(), 3001, "round {round}");
        assert_eq!(stored[3000]["line"], "last");
    }
}

#[test]
fn flooding_grandchild_does_not_delay_the_end() {
    let server = Server::start_with(&["--log-max-bytes", "100000000"]);
    let flood = "yes $(printf 'x%.0s' $(seq 1000))";
    let ended = server.run_to_end(&format!("({flood}) & echo mine; exit 6"));
    assert_eq!(ended["exit_code"], 6);
    assert!(!ended["leftover_pids"].as_array().unwrap().is_empty(), "{ended}");
    assert!(fs::read_to_string(server.log_path()).unwrap().contains("\"mine\""));
    server.post("/kill?type=SIGKILL").expect(200);
}

#[test]
fn line_finished_by_a_leftover_is_one_line() {
    let server = Server::start();
    server.run_to_end("printf 'begun, '; (sleep 0.5; echo finished) & exit 0");
    server.wait_for_output("finished");
    let page = server.get("/logs").expect(200).json();
    assert_eq!(page["content"], "begun, finished");
    assert_eq!((&page["total_lines"], &page["lines_returned"]), (&json!(1), &json!(1)));
}

#[test]
fn a_prompt_is_read_before_its_line_ends() {
    let server = Server::start();
    server.run("echo hello; printf 'name? '; sleep 60");
    server.wait_for_output("name? ");
    let page = server.get("/logs").expect(200).json();
    assert_eq!(page["content"], "hello\nname? ");
    assert_eq!((&page["total_lines"], &page["lines_returned"]), (&json!(1), &json!(1)));
    assert_eq!(server.content("?lines=1"), "hello\nname? ");
    assert_eq!(server.content("?seconds=3600"), "hello\nname? ");
    server.post("/kill").expect(200);
    // The tree is gone; the end of the pipe is noticed a moment later.
    let page = eventually("the line has ended", || {
        let page = server.get("/logs").expect(200).json();
        (page["total_lines"] == 2).then_some(page)
    });
    assert_eq!(page["content"], "hello\nname? ");
}

#[test]
fn silence_is_reported() {
    let server = Server::start();
    server.run("echo hello; sleep 60");
    server.wait_for_output("hello");
    let idle = || server.get("/status").expect(200).json()["idle"].as_f64().expect("idle");
    let before = idle();
    eventually("idleness grows", || (idle() > before).then_some(()));
    server.post("/kill").expect(200);
}

#[test]
fn removed_log_never_stops_the_command() {
    let server = Server::start();
    server.run("echo before; while [ ! -e go ]; do sleep 0.01; done; echo after; sleep 60");
    server.wait_for_output("before");
    fs::remove_dir_all(server.folder().join("logs")).unwrap();
    fs::write(server.folder().join("go"), "").unwrap();
    server.wait_for_output("after");
    assert_eq!(server.content(""), "before\nafter");
    assert_eq!(server.get("/status").expect(200).json()["status"], "running");
    // The next run has a directory again.
    server.post("/restart").expect(200);
    server.wait_for_output("after");
    assert_eq!(server.stored().len(), 2);
    server.post("/kill").expect(200);
}

#[test]
fn external_changes_of_a_log_are_skipped() {
    use std::io::Write;
    let server = Server::start();
    server.run("echo before; while [ ! -e go ]; do sleep 0.01; done; echo after; sleep 60");
    server.wait_for_output("before");
    let mut log = fs::OpenOptions::new().append(true).open(server.log_path()).unwrap();
    log.write_all(b"garbage\n{\"timestamp\":\"2026-01-02T03:04:05.6789\n\xff\0\n").unwrap();
    fs::write(server.folder().join("go"), "").unwrap();
    server.wait_for_output("after");
    assert_eq!(server.content(""), "before\nafter");
    assert_eq!(server.content("?lines=2"), "before\nafter");
    assert_eq!(server.content("?seconds=3600"), "before\nafter");
    server.post("/kill").expect(200);
}

#[test]
fn emptied_log_continues() {
    let server = Server::start();
    server.run("echo before; while [ ! -e go ]; do sleep 0.01; done; echo after; sleep 60");
    server.wait_for_output("before");
    fs::File::create(server.log_path()).unwrap();
    fs::write(server.folder().join("go"), "").unwrap();
    server.wait_for_output("after");
    assert_eq!(server.content(""), "after");
    server.post("/kill").expect(200);
}

#[test]
fn full_disk_stops_no_command_and_gaps_are_reported() {
    let server = Server::start_with(&["--log-dir", "disk/logs"]);
    let disk = server.folder().join("disk");
    fs::create_dir_all(&disk).unwrap();
    if !mount(&["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk.to_str().unwrap()]) {
        eprintln!("not permitted here: mount -t tmpfs");
        return;
    }
    server
        .run("seq 20000; echo full; while [ ! -e go ]; do sleep 0.01; done; echo again; sleep 60");
    let dropped = eventually("what does not fit is dropped and counted", || {
        let dropped = server.get("/status").expect(200).json()["log_dropped_lines"].as_u64()?;
        let written = server.get("/logs?lines=1").expect(200).json()["total_lines"].as_u64()?;
        (dropped > 0 && dropped + written == 20_001).then_some(dropped)
    });
    assert_eq!(server.get("/status").expect(200).json()["status"], "running");
    server.wait_for_log("dropping lines");
    assert_eq!(server.log().matches("dropping lines").count(), 1, "{}", server.log());
    assert!(mount(&["-o", "remount,size=64m", disk.to_str().unwrap()]));
    fs::write(server.folder().join("go"), "").unwrap();
    server.wait_for_output("again");
    let content = server.content("?lines=2");
    let notice = format!("{dropped} lines are missing here");
    assert!(content.contains(&notice), "{notice:?} in {content:?}");
    let page = server.get("/logs").expect(200).json();
    assert_eq!(page["total_lines"], page["lines_returned"]);
    assert_eq!(
        page["total_lines"].as_u64().unwrap() + dropped,
        20_001 + 2,
        "the notice is one more"
    );
    server.post("/kill").expect(200);
    let unmounted = std::process::Command::new("umount").arg("-l").arg(&disk).status().unwrap();
    assert!(unmounted.success());
}

fn mount(arguments: &[&str]) -> bool {
    let mounted = std::process::Command::new("mount").args(arguments).output();
    mounted.is_ok_and(|output| output.status.success())
}

#[test]
fn logs_are_private() {
    let server = Server::start();
    server.run_to_end("echo secret");
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(server.log_path()), 0o600);
    assert_eq!(mode(server.folder().join("logs")), 0o700);
}

#[test]
fn unread_log_messages_block_nothing() {
    let (unread, stderr) = std::io::pipe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = binary();
    command.args(["--port", "0"]).current_dir(folder.path()).stderr(stderr);
    let mut server = command.spawn().unwrap();
    drop(command);
    let mut unread = std::io::BufReader::new(unread);
    let line = std::iter::repeat_with(|| {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut unread, &mut line).unwrap();
        line
    });
    let line = line.into_iter().find(|line| line.contains("listening on")).unwrap();
    let address = line.trim().rsplit('/').next().unwrap().parse().unwrap();
    // Far more of the access log than the pipe holds.
    for _ in 0..1500 {
        let answer = send(address, "localhost", "GET /health", &[], b"");
        assert_eq!(answer.status, 200);
    }
    kill("TERM", server.id());
    assert!(server.wait().unwrap().success());
    let rest: Vec<String> = std::io::BufRead::lines(unread).map(Result::unwrap).collect();
    assert!(rest.len() < 1500, "{}", rest.len());
}

#[test]
fn output_buffered_by_tee_is_included_in_the_end() {
    let server = Server::start_with(&["--shell", "/bin/bash"]);
    for _ in 0..20 {
        let body = json!({"command": "exec > >(tee -a log) 2>&1; echo hello; exit 0", "wait": 60});
        let ended = server.post_json("/start", &body).expect(201).json();
        assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("exited"), &json!(0)));
        assert_eq!(ended["output"]["content"], "hello", "{ended}");
    }
}

#[test]
fn inherited_output_delays_the_end_only_briefly() {
    let server = Server::start();
    let began = std::time::Instant::now();
    let ended = server.run_to_end("sleep 60 & echo $!; exit 0");
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(ended["leftover_pids"].as_array().map(Vec::len), Some(1), "{ended}");
    assert!(ended["uptime"].as_f64().unwrap() < 0.09, "the end is when it was: {ended}");
    server.post("/kill").expect(200);
}
