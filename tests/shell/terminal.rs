//! The terminal of a run: its screen, its output as printed, and keys; contract section 2.1.

use crate::harness::raw::Client;
use crate::harness::{Astra, Server, eventually};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

const JSON: &[&str] = &["Content-Type: application/json"];

/// Starts a command on a terminal.
fn start(server: &Server, command: &str, rows: u16, cols: u16) -> Value {
    let pty = json!({"rows": rows, "cols": cols});
    server.post_json("/start", &json!({"command": command, "pty": pty})).expect(201).json()
}

fn screen(server: &Server) -> Value {
    server.get("/logs?format=screen").expect(200).json()
}

/// Returns the lines of the screen, without the empty ones at the end.
fn lines(server: &Server) -> Vec<String> {
    let screen = screen(server);
    let lines = screen["lines"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    let text = lines.collect::<Vec<_>>().join("\n");
    text.trim_end().lines().map(str::to_owned).collect()
}

#[track_caller]
fn wait_for_screen(server: &Server, what: &str, is_it: impl Fn(&[String]) -> bool) {
    eventually(what, || is_it(&lines(server)).then_some(()));
}

fn press(server: &Server, keys: &[&str]) {
    let body = json!({"keys": keys}).to_string();
    server.request("POST /stdin", JSON, body.as_bytes()).expect(200);
}

/// Fails if a program of the tests is missing.
fn needs(program: &str) {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|it| it.join(program).exists()));
    assert!(found, "this test needs {program}: install it");
}

/// Returns the files of raw output.
fn raw_files(server: &Server) -> Vec<PathBuf> {
    let entries = fs::read_dir(server.log_path().parent().unwrap()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_string_lossy().ends_with(".log.raw")).collect()
}

#[test]
fn redrawn_progress_is_shown_as_it_is_now() {
    let server = Server::start();
    let command = r"printf '\033]0;two bars\007\n\n'
        for i in 1 2 3 4 5; do printf '\033[2A\033[Kone %s0%%\n\033[Ktwo %s%%\n' $i $i; done
        printf 'done? '; read answer";
    start(&server, command, 5, 30);
    wait_for_screen(&server, "the bars", |lines| lines == ["one 50%", "two 5%", "done?"]);
    let shown = screen(&server);
    assert_eq!((&shown["rows"], &shown["cols"]), (&json!(5), &json!(30)));
    assert_eq!(shown["cursor"], json!({"row": 2, "col": 6}));
    assert_eq!(shown["title"], "two bars");
    assert_eq!(shown["lines"], json!(["one 50%", "two 5%", "done?", "", ""]));
    let head = "GET /logs?format=screen";
    let text = server.request(head, &["Accept: text/plain"], b"").expect(200);
    assert_eq!(text.text(), "one 50%\ntwo 5%\ndone?\n\n\n");
    press(&server, &["enter"]);
    server.ended();
    assert_eq!(lines(&server)[..2], ["one 50%", "two 5%"]);
}

#[test]
fn resized_terminal_has_the_new_size_at_once() {
    let server = Server::start();
    let command = "trap 'printf \"\\033[H\\033[J\"; stty size' WINCH; \
                   echo ready; while :; do sleep 0.05; done";
    start(&server, command, 24, 80);
    server.wait_for_output("ready");
    for (rows, cols) in [(10, 40), (50, 132), (1, 1), (24, 80)] {
        server.post_json("/resize", &json!({"rows": rows, "cols": cols})).expect(200);
        let shown = screen(&server);
        assert_eq!((&shown["rows"], &shown["cols"]), (&json!(rows), &json!(cols)));
        assert_eq!(shown["lines"].as_array().unwrap().len(), rows);
    }
    wait_for_screen(&server, "the size", |lines| lines == ["24 80"]);
    server.post("/kill").expect(200);
    assert_eq!(lines(&server), ["24 80"]);
}

#[test]
fn editor_is_operated_by_keys() {
    needs("vim");
    let server = Server::start();
    start(&server, "exec vim -N -u NONE -i NONE -n letter", 10, 40);
    wait_for_screen(&server, "the editor", |lines| lines.iter().any(|line| line.starts_with('~')));
    press(&server, &["i"]);
    let body = json!({"data": "world", "keys": ["home"]}).to_string();
    server.request("POST /stdin", JSON, body.as_bytes()).expect(200);
    let body = json!({"data": "hello ", "keys": ["esc"]}).to_string();
    server.request("POST /stdin", JSON, body.as_bytes()).expect(200);
    wait_for_screen(&server, "the text", |lines| {
        lines.first().is_some_and(|it| it == "hello world")
    });
    let body = json!({"data": ":wq", "keys": ["Enter"]}).to_string();
    server.request("POST /stdin", JSON, body.as_bytes()).expect(200);
    assert_eq!(server.ended()["exit_code"], 0);
    assert_eq!(fs::read_to_string(server.folder().join("letter")).unwrap(), "hello world\n");
}

#[test]
fn pager_is_operated_by_keys() {
    needs("less");
    let server = Server::start();
    let numbers: Vec<String> = (1..=200).map(|number| number.to_string()).collect();
    fs::write(server.folder().join("numbers"), numbers.join("\n")).unwrap();
    start(&server, "exec env LESS= LESSHISTFILE=- less numbers", 11, 40);
    let first_is = |number: &'static str| {
        move |lines: &[String]| lines.first().is_some_and(|line| line == number)
    };
    wait_for_screen(&server, "the first page", first_is("1"));
    press(&server, &["down", "down"]);
    wait_for_screen(&server, "two lines down", first_is("3"));
    press(&server, &["page-down"]);
    wait_for_screen(&server, "a page down", first_is("13"));
    press(&server, &["up"]);
    wait_for_screen(&server, "a line up", first_is("12"));
    press(&server, &["q"]);
    assert_eq!(server.ended()["exit_code"], 0);
}

#[test]
fn top_shows_its_table() {
    needs("top");
    let server = Server::start();
    start(&server, "exec top -d 0.2", 24, 100);
    wait_for_screen(&server, "the table", |lines| {
        lines.iter().any(|line| line.contains("PID") && line.contains("COMMAND"))
    });
    server.post_json("/resize", &json!({"rows": 12, "cols": 90})).expect(200);
    wait_for_screen(&server, "the table", |lines| {
        lines.len() <= 12 && lines.iter().any(|line| line.contains("PID"))
    });
    press(&server, &["q"]);
    assert_eq!(server.ended()["exit_code"], 0);
}

#[test]
fn raw_output_is_as_printed() {
    let server = Server::start();
    let command = r"stty -opost; printf 'a\033[31mred\033[m\r\n\000\377\n'; printf end";
    start(&server, command, 24, 80);
    server.ended();
    let expected = b"a\x1b[31mred\x1b[m\r\n\x00\xff\nend";
    let raw = server.get("/logs?format=raw").expect(200);
    assert_eq!(raw.body, expected);
    assert_eq!(raw.header("content-type"), Some("application/octet-stream"));
    let next = expected.len().to_string();
    assert_eq!((raw.header("x-raw-from"), raw.header("x-raw-next")), (Some("0"), Some(&*next)));
    let rest = server.get("/logs?format=raw&from=5").expect(200);
    assert_eq!((&rest.body[..], rest.header("x-raw-from")), (&expected[5..], Some("5")));
    assert_eq!(server.get(&format!("/logs?format=raw&from={next}")).expect(200).body, b"");
    let beyond = server.get("/logs?format=raw&from=999").expect(200);
    assert_eq!((&beyond.body[..], beyond.header("x-raw-from")), (&expected[..], Some("0")));
    let followed = server.get("/logs?format=raw&follow=true&from=2").expect(200);
    assert_eq!((&followed.body[..], followed.header("x-raw-from")), (&expected[2..], Some("2")));
    assert_eq!(followed.header("x-raw-next"), None);
}

#[test]
fn followed_raw_output_ends_with_the_run() {
    let server = Server::start();
    start(&server, "printf 'name? '; read name; printf \"hello $name\"; sleep 0.2", 24, 80);
    server.wait_for_output("name? ");
    let mut client = Client::connect(server.address());
    client.send("GET /logs?format=raw&follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.head().unwrap();
    assert_eq!(client.chunk().unwrap(), b"name? ");
    let body = json!({"data": "ann", "keys": ["enter"]}).to_string();
    server.request("POST /stdin", JSON, body.as_bytes()).expect(200);
    assert_eq!(client.chunks().unwrap().concat(), b"ann\r\nhello ann");
}

#[test]
fn old_raw_output_is_dropped_and_the_screen_kept() {
    let server = Server::start();
    let command = r"printf '\033]0;kept title\007'; head -c 9000000 /dev/zero | tr '\0' x; \
                    printf '\033[2J\033[Hthe end'";
    start(&server, command, 24, 80);
    server.ended();
    let raw = server.get("/logs?format=raw&from=3").expect(200);
    let number = |name: &str| raw.header(name).unwrap().parse::<usize>().unwrap();
    let (from, next) = (number("x-raw-from"), number("x-raw-next"));
    let printed = 9_000_000 + "\x1b]0;kept title\x07\x1b[2J\x1b[Hthe end".len();
    assert_eq!((next, next - from), (printed, raw.body.len()));
    assert!((2 << 20..=4 << 20).contains(&raw.body.len()), "{}", raw.body.len());
    assert!(raw.body.ends_with(b"xxx\x1b[2J\x1b[Hthe end"));
    assert_eq!(lines(&server), ["the end"]);
    let files = raw_files(&server);
    let metadata = fs::metadata(&files[0]).unwrap();
    assert_eq!((files.len(), metadata.permissions().mode() & 0o777), (1, 0o600));
    assert!(metadata.size() <= (4 << 20) + 512);
}

#[test]
fn runs_without_a_terminal_have_no_screen() {
    let server = Server::start();
    server.run_to_end("echo text");
    for format in ["screen", "raw"] {
        let path = format!("/logs?format={format}");
        let detail = server.get(&path).problem(400, "bad_request");
        assert!(detail.contains("\"pty\": true"), "{detail}");
    }
    assert_eq!(raw_files(&server), Vec::<PathBuf>::new());
    start(&server, "sleep 60", 24, 80);
    for (query, why) in [
        ("format=screen&lines=1", "omit lines"),
        ("format=raw&grep=x", "omit grep"),
        ("format=screen&follow=true", "follow format=raw"),
        ("from=1", "from needs format=raw"),
        ("format=screen&from=1", "from needs format=raw"),
        ("format=raw&from=x", "from is \"x\""),
        ("format=picture", "json or text or ndjson or screen or raw"),
    ] {
        let detail = server.get(&format!("/logs?{query}")).problem(400, "bad_request");
        assert!(detail.contains(why), "{query}: {detail}");
    }
    server.post("/kill").expect(200);
}

#[test]
fn screen_of_an_old_run_is_rebuilt() {
    let mut server = Server::start();
    let command = r"trap 'exit 3' WINCH; printf '\033[3;5Hhere'; while :; do sleep 0.05; done";
    let run_id = start(&server, command, 24, 80)["run_id"].as_str().unwrap().to_owned();
    wait_for_screen(&server, "the text", |lines| lines.len() == 3);
    server.post_json("/resize", &json!({"rows": 9, "cols": 33})).expect(200);
    server.ended();
    let shown = screen(&server);
    assert_eq!((&shown["rows"], &shown["lines"][2]), (&json!(9), &json!("    here")));
    let path = format!("/runs/{run_id}/logs?format=screen");
    server.run_to_end("true");
    assert_eq!(server.get(&path).expect(200).json(), shown);
    let raw = server.get(&format!("/runs/{run_id}/logs?format=raw")).expect(200).body.clone();
    server.signal("TERM");
    server.wait();
    server.start_again();
    assert_eq!(server.get(&path).expect(200).json(), shown);
    assert_eq!(server.get(&format!("/runs/{run_id}/logs?format=raw")).expect(200).body, raw);
    server.signal("TERM");
    server.wait();
    let folder = server.folder().join("logs");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "raw") {
            fs::remove_file(path).unwrap();
        }
    }
    server.start_again();
    let detail = server.get(&path).problem(410, "gone");
    assert!(detail.contains(&run_id), "{detail}");
}

#[test]
fn raw_output_is_removed_with_its_log() {
    let server = Server::start_with(&["--log-keep-runs", "2"]);
    for number in 0..4 {
        start(&server, &format!("echo {number}"), 24, 80);
        server.ended();
        assert!(raw_files(&server).len() <= 2);
    }
    eventually("two are left", || (raw_files(&server).len() == 2).then_some(()));
}

#[test]
fn keys_send_what_the_program_has_asked_for() {
    let server = Server::start();
    let command = r"stty -icanon -echo -isig -icrnl; echo normal; cat -v </dev/tty & cat=$!
        while [ ! -e go ]; do sleep 0.02; done; printf '\033[?1h'; echo application; wait $cat";
    start(&server, command, 24, 80);
    server.wait_for_output("normal");
    press(&server, &["UP", "f5", "ctrl-a", "alt-x", "shift-tab", "delete", "enter"]);
    wait_for_screen(&server, "the keys", |lines| {
        lines.last().is_some_and(|line| line.ends_with("^[[A^[[15~^A^[x^[[Z^[[3~^M"))
    });
    fs::write(server.folder().join("go"), "").unwrap();
    wait_for_screen(&server, "the mode", |lines| {
        lines.iter().any(|line| line.contains("application"))
    });
    press(&server, &["up", "left", "home", "page-up"]);
    wait_for_screen(&server, "the other codes", |lines| {
        lines.last().is_some_and(|line| line.ends_with("^[OA^[OD^[OH^[[5~"))
    });
    server.post("/kill").expect(200);
}

#[test]
fn control_c_is_a_key() {
    let server = Server::start();
    // The shell acts on the signal when the command that it waits for has ended.
    let command = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done";
    start(&server, command, 24, 80);
    server.wait_for_output("ready");
    press(&server, &["ctrl-c"]);
    assert_eq!(server.ended()["exit_code"], 7);
}

#[test]
fn keys_that_cannot_be_sent_are_refused() {
    let server = Server::start();
    let refused = |keys: Value| {
        let body = json!({"data": "x", "keys": keys}).to_string();
        server.request("POST /stdin", JSON, body.as_bytes()).problem(400, "bad_request")
    };
    server.post_json("/start", &json!({"command": "cat", "stdin": true})).expect(201);
    let detail = refused(json!(["enter"]));
    assert!(detail.contains("needs a terminal") && detail.contains("data"), "{detail}");
    server.post("/kill").expect(200);
    assert_eq!(server.content(""), "");
    start(&server, "cat", 24, 80);
    let detail = refused(json!(["up", "entr"]));
    assert!(detail.contains("\"entr\": did you mean \"enter\"?"), "{detail}");
    refused(json!(["hello world"]));
    server.post("/kill").expect(200);
    assert_eq!(server.content(""), "");
}

#[test]
fn service_on_a_terminal_has_a_screen_and_keys() {
    let cmd = "printf 'name? '; read name; echo hello $name; exec sleep 60";
    let astra = Astra::start(json!({
        "ask": {"cmd": cmd, "pty": true}, "pipe": {"cmd": "exec sleep 60"},
    }));
    let path = "/supervisor/logs/ask?format=screen";
    // It has no terminal until it is started.
    astra.wait_for_line("ask", "name? ");
    assert_eq!(astra.get(path).expect(200).json()["lines"][0], "name?");
    let body = json!({"data": "ann", "keys": ["enter"]}).to_string();
    astra.request("POST /supervisor/stdin/ask", JSON, body.as_bytes()).expect(200);
    let second = || astra.get(path).expect(200).json()["lines"][1].clone();
    eventually("the answer", || (second() == "hello ann").then_some(()));
    astra.get("/supervisor/logs/pipe?format=screen").problem(400, "bad_request");
}
