//! `llm-shell ctl`: commands to a server of either mode, for people and scripts.

use crate::harness::{Astra, Instance, Server, Web, binary, eventually};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// The result of a command.
#[derive(Debug, PartialEq)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

fn run(mut command: Command, input: &[u8]) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads no stdin may have ended by now.
    let _unread = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    Said { code, out: text(output.stdout), err: text(output.stderr) }
}

fn order(server: &Instance, arguments: &[&str]) -> Command {
    let mut command = binary();
    command.arg("ctl").args(["--url", &format!("http://{}", server.address())]).args(arguments);
    command
}

/// Runs a command, asserts success, and returns its output.
#[track_caller]
fn succeed(server: &Instance, arguments: &[&str]) -> String {
    let output = run(order(server, arguments), b"");
    assert_eq!((output.code, &*output.err), (0, ""), "{arguments:?}: {output:?}");
    output.out
}

/// Runs a command, asserts its failure, and returns its error.
#[track_caller]
fn refused(server: &Instance, arguments: &[&str], code: i32) -> String {
    let output = run(order(server, arguments), b"");
    assert_eq!((output.code, &*output.out), (code, ""), "{arguments:?}: {output:?}");
    assert!(output.err.starts_with("llm-shell: ") && output.err.lines().count() == 1, "{output:?}");
    output.err
}

#[test]
fn a_command_is_started_read_written_to_and_ended() {
    let server = Server::start();
    let started = succeed(
        &server,
        &["start", "--pty", "--env", "A=1", "echo $A; read x; echo got $x; sleep 60"],
    );
    let lines: Vec<_> = started.lines().collect();
    assert!(lines[0].starts_with("STATUS ") && lines[1].starts_with("running "), "{started}");
    assert!(lines[1].ends_with("  echo $A; read x; echo got $x; sleep 60"), "{started}");
    server.wait_for_output("1");
    assert_eq!(succeed(&server, &["stdin", "hello", "there"]), "12 of 12 bytes written\n");
    server.wait_for_output("got hello there");
    assert_eq!(succeed(&server, &["logs"]), "1\nhello there\ngot hello there\n");
    assert_eq!(succeed(&server, &["logs", "-n", "1"]), "got hello there\n");
    assert_eq!(succeed(&server, &["logs", "--grep", "^1"]), "1\n");
    assert!(succeed(&server, &["restart", "--timeout", "1"]).contains("running "));
    let written = run(order(&server, &["stdin"]), b"by stdin\n");
    assert_eq!(written.out, "9 of 9 bytes written\n");
    server.wait_for_output("got by stdin");
    server.post("/kill").expect(200);
    succeed(&server, &["start", "--stdin", "head -c 3 | od -An -tx1"]);
    assert_eq!(run(order(&server, &["stdin"]), b"\xff\0\n").out, "3 of 3 bytes written\n");
    server.wait_for_output(" ff 00 0a");
    server.ended();
    succeed(&server, &["start", "sleep 60"]);
    assert_eq!(succeed(&server, &["stop"]), "killed\n");
    let status = run(order(&server, &["status"]), b"");
    assert_eq!(status.code, 1, "what was killed is not well");
    assert!(status.out.contains("killed") && status.out.contains("SIGTERM (kill)"), "{status:?}");
    assert!(succeed(&server, &["health"]).starts_with("healthy, "));
}

#[test]
fn start_wait_prints_output_and_exits_as_the_command() {
    let server = Server::start();
    assert_eq!(succeed(&server, &["start", "seq 2", "--wait"]), "1\n2\n");
    let failed = run(order(&server, &["start", "--wait=30", "echo a; exit 3"]), b"");
    assert_eq!(failed, Said { code: 3, out: "a\n".into(), err: String::new() });
    let killed = run(order(&server, &["start", "--wait", "--", "sh", "-c", "kill $$"]), b"");
    assert_eq!(killed.code, 128 + 15, "{killed:?}");
    let quoted = ["start", "--wait", "--", "printf", "%s\\n", "a  b", "c'd", "*", "--wait", ""];
    assert_eq!(succeed(&server, &quoted), "a  b\nc'd\n*\n--wait\n\n");
    assert_eq!(run(order(&server, &["start", "ls", "-l"]), b"").code, 2, "whose option is it?");
    let json = run(order(&server, &["start", "exit 4", "--json", "--wait"]), b"");
    let ended: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &ended["exit_code"]), (4, &json!(4)));
    let mut wrong = order(&server, &["start", "--env", "BAD", "ls"]);
    wrong.stderr(Stdio::null());
    assert_eq!(run(wrong, b"").code, 2);
    let printing = "echo begun; exec sleep 60";
    let still = run(order(&server, &["start", "--wait=0.3", "--timeout", "50", printing]), b"");
    assert_eq!((still.code, &*still.out), (124, "begun\n"), "{still:?}");
    succeed(&server, &["kill"]);
    let unwaited = run(order(&server, &["start", "--wait=0", "exec sleep 60"]), b"");
    assert_eq!((unwaited.code, &*unwaited.out), (124, ""), "{unwaited:?}");
    assert!(still.err.contains("still running") && still.err.contains("ctl logs -f"), "{still:?}");
    assert!(succeed(&server, &["status", "--wait=0.1"]).contains("\nrunning "));
    let running = refused(&server, &["start", "ls"], 1);
    assert!(running.contains("is still running") && running.contains("ctl kill"), "{running}");
    assert_eq!(succeed(&server, &["kill"]), "killed\n");
    for (wrong, wanted) in [
        (&["--wait=601"][..], "0 to 600"),
        (&["--wait=-5"], "0 to 600"),
        (&["--wait=NaN"], "0 to 600"),
        (&["--timeout=1e300"], "0 to 86400"),
        (&["--timeout", "-1"], "0 to 86400"),
    ] {
        let output = run(order(&server, &[&["start"], wrong, &["ls"]].concat()), b"");
        assert!(output.code == 2 && output.err.contains(wanted), "{wrong:?}: {output:?}");
    }
    let last = server.get("/status").json();
    assert_eq!(last["command"], "exec sleep 60", "a wrong order started something");
}

#[test]
fn json_output_is_the_answer_of_the_server() {
    let server = Server::start();
    let started: Value =
        serde_json::from_str(&succeed(&server, &["--json", "start", "echo hello"])).unwrap();
    assert_eq!(started["command"], "echo hello");
    let ended = server.ended();
    let status: Value = serde_json::from_str(&succeed(&server, &["status", "--json"])).unwrap();
    assert_eq!(status["run_id"], ended["run_id"]);
    let entries = succeed(&server, &["logs", "--json"]);
    assert!(entries.ends_with("}\n"), "a line an entry, and no more: {entries:?}");
    let entry: Value = serde_json::from_str(&entries).unwrap();
    assert_eq!(entry["line"], "hello");
}

#[test]
fn output_is_followed_until_the_command_ends() {
    let server = Server::start();
    server.run("echo one; while [ ! -e go ]; do sleep 0.02; done; echo two");
    let mut follow = order(&server, &["logs", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "one");
    std::fs::write(server.folder().join("go"), "").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "two");
    assert!(lines.next().is_none());
    assert!(follow.wait().unwrap().success());
}

#[test]
fn failures_have_distinct_exit_codes() {
    let server = Server::start();
    assert!(refused(&server, &["status"], 2).contains("ctl start"));
    for arguments in [&["status", "web"][..], &["events"], &["reload"], &["bulk", "stop", "a"]] {
        assert!(refused(&server, arguments, 2).contains("Astra"), "{arguments:?}");
    }
    let nowhere = format!("http://{}/elsewhere", server.address());
    let mut wrong_path = binary();
    wrong_path.args(["ctl", "--url", &nowhere, "status"]);
    let wrong_path = run(wrong_path, b"");
    assert!(
        wrong_path.code == 1 && wrong_path.err.contains("not an llm-shell server (HTTP 404)"),
        "{wrong_path:?}"
    );
    let mut over_tls = binary();
    over_tls.args(["ctl", "--url", &format!("https://{}", server.address()), "status"]);
    let over_tls = run(over_tls, b"");
    assert!(over_tls.code == 1 && over_tls.err.contains("give http://"), "{over_tls:?}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut away = binary();
    away.args(["ctl", "--url", &format!("http://127.0.0.1:{port}"), "status"]);
    let away = run(away, b"");
    assert!(away.code == 1 && away.err.contains("cannot reach the server"), "{away:?}");
    let other = Web::start(404);
    let mut elsewhere = binary();
    elsewhere.args(["ctl", "--url", &other.url(""), "events"]);
    let elsewhere = run(elsewhere, b"");
    assert!(
        elsewhere.code == 1 && elsewhere.err.contains("not an llm-shell server (HTTP 404)"),
        "{elsewhere:?}"
    );
    server.signal("STOP");
    assert!(refused(&server, &["status"], 1).contains("(timed out)"));
    server.signal("CONT");
    for arguments in [&["ctl", "nope"][..], &["ctl", "--url", "nowhere", "status"]] {
        let mut wrong = binary();
        wrong.args(arguments);
        assert_eq!(run(wrong, b"").code, 2, "{arguments:?}");
    }
}

#[test]
fn ctl_uses_credentials_and_address_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let server = Server::start_command(command);
    let unknown = refused(&server, &["status"], 1);
    assert!(
        unknown.contains("no credentials were sent") && unknown.contains("LLM_SHELL_TOKEN"),
        "{unknown}"
    );
    let rejected = refused(&server, &["status", "--token", "wrong-token-of-22-chars"], 1);
    assert!(rejected.contains("the credentials were rejected"), "{rejected}");
    assert!(
        succeed(&server, &["--token", "secret-of-16-chars", "health"]).starts_with("healthy, ")
    );
    let mut with_token = binary();
    with_token
        .env("LLM_SHELL_TOKEN", "secret-of-16-chars")
        .env("LLM_SHELL_PORT", server.address().port().to_string());
    with_token.args(["ctl", "health"]);
    assert_eq!(run(with_token, b"").code, 0);
    let mut listening = binary();
    listening.args(["--socket"]).arg(&socket).current_dir(folder.path());
    let mut listening = listening.stderr(Stdio::null()).spawn().unwrap();
    eventually("it listens", || std::os::unix::net::UnixStream::connect(&socket).ok());
    let mut over_socket = binary();
    over_socket.arg("--socket").arg(&socket).args(["ctl", "start", "--wait", "echo hello"]);
    let output = run(over_socket, b"");
    assert!(output.code == 0 && output.out == "hello\n", "{output:?}");
    crate::harness::kill("TERM", listening.id());
    assert!(listening.wait().unwrap().success());
}

/// A program may print a sequence that reads the terminal's clipboard (OSC 52).
#[test]
fn control_sequences_do_not_reach_the_terminal() {
    let server = Server::start();
    let printed = "\\033[31mred\\033[0m \\033]52;c;ZXZpbA==\\007\\033[2Jend\\n";
    server.run_to_end(&format!("printf '{printed}'"));
    let ctl =
        format!("{} ctl logs --url http://{}", env!("CARGO_BIN_EXE_llm-shell"), server.address());
    let mut on_a_terminal = Command::new("script");
    on_a_terminal.args(["--quiet", "--return", "--command", &ctl, "/dev/null"]);
    let shown = run(on_a_terminal, b"").out;
    assert_eq!(shown, "\u{1b}[31mred\u{1b}[0m end\r\n");
    let piped = succeed(&server, &["logs"]);
    assert!(piped.contains("\u{1b}]52;c;"), "a program gets what was printed: {piped:?}");
}

/// Both servers run at their default ports in a network namespace.
#[test]
fn ctl_refuses_to_choose_between_two_servers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("astra_services.json"), "{}").unwrap();
    let script = "ip link set lo up; shell=$1; \
        \"$shell\" 2>/dev/null & one=$!; \
        until \"$shell\" ctl health; do sleep 0.05; done 2>/dev/null; \
        \"$shell\" ctl start 'echo hello' --wait; \
        \"$shell\" astra 2>/dev/null & other=$!; \
        until \"$shell\" ctl --port 7031 health; do sleep 0.05; done 2>/dev/null; \
        \"$shell\" ctl start web; echo \"code $?\"; \
        \"$shell\" ctl --port 8000 logs; \
        kill $one; wait $one; \"$shell\" ctl health; kill $other; wait";
    let mut apart = Command::new("unshare");
    apart.args(["--net", "--map-root-user", "sh", "-c", script, "sh"]);
    apart.arg(binary().get_program()).current_dir(folder.path());
    let output = run(apart, b"");
    let lines: Vec<_> = output.out.lines().filter(|line| !line.starts_with("healthy, ")).collect();
    assert_eq!(lines, ["hello", "code 2", "hello"], "{output:?}");
    assert!(
        output.err.contains("(http://127.0.0.1:8000) and Astra (http://127.0.0.1:7031)"),
        "{output:?}"
    );
}

fn services() -> Astra {
    let astra = Astra::start(json!({
        "web": {"cmd": "echo begun; exec sleep 60", "port": 8080},
        "worker": {"cmd": "echo working; exec sleep 60"},
        "broken": {"cmd": "echo oops; exit 3", "restart_policy": {"mode": "never"}},
    }));
    astra.wait_for_line("web", "begun");
    astra.wait_for_line("worker", "working");
    astra.wait_for("broken", "crashed");
    astra
}

#[test]
fn services_are_controlled_by_name() {
    let astra = services();
    let table = succeed(&astra, &["status"]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[0].starts_with("NAME    STATUS   HEALTH  PID "), "{table}");
    assert!(lines[1].starts_with("broken  crashed  -       -  "), "{table}");
    assert!(lines[2].contains("  8080  "), "{table}");
    assert_eq!(succeed(&astra, &["status", "web"]).lines().count(), 2);
    let json: Value = serde_json::from_str(&succeed(&astra, &["--json", "status", "web"])).unwrap();
    assert_eq!(json["services"].as_object().unwrap().len(), 1);
    assert_eq!(run(order(&astra, &["status", "broken"]), b"").code, 1);
    let mut unknown = order(&astra, &["logs", "-f", "web", "nope"]);
    let mut unknown = unknown.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut first = BufReader::new(unknown.stderr.take().unwrap()).lines();
    assert!(first.next().unwrap().unwrap().contains("nope"), "reported at once");
    unknown.kill().unwrap();
    unknown.wait().unwrap();
    assert!(refused(&astra, &["status", "nope"], 2).contains("broken, web, worker"));
    assert!(succeed(&astra, &["stop", "--wait", "web", "worker"]).contains("worker: stopped"));
    assert!(refused(&astra, &["stop", "web"], 1).contains("web is stopped"));
    assert!(
        succeed(&astra, &["start", "--wait", "--env", "A=1", "web"]).starts_with("web: running")
    );
    assert!(succeed(&astra, &["restart", "--wait", "web"]).starts_with("web: running"));
    assert!(succeed(&astra, &["signal", "web", "CONT"]).starts_with("web: running"));
    assert!(succeed(&astra, &["reload"]).contains("othing"), "nothing has changed");
    assert!(succeed(&astra, &["kill", "web"]).starts_with("web: stop"));
    astra.wait_for("web", "stopped");
    let bulk = run(order(&astra, &["bulk", "--wait", "start", "web", "worker", "nope"]), b"");
    assert_eq!(bulk.code, 1);
    assert!(bulk.out.contains("web: running\n") && bulk.out.contains("nope: error: "), "{bulk:?}");
    let health = run(order(&astra, &["health"]), b"");
    assert_eq!((health.code, &*health.out), (1, "degraded\nbroken: crashed\n"));
    assert_eq!(succeed(&astra, &["health", "web"]), "web: unknown\n");
    let broken = run(order(&astra, &["health", "broken"]), b"");
    assert_eq!((broken.code, &*broken.out), (1, "broken: unknown\n"));
    let both = run(order(&astra, &["restart", "nope", "worker"]), b"");
    assert!(both.code == 2 && both.out.starts_with("worker: "), "the others are done: {both:?}");
}

#[test]
fn output_of_several_services_is_prefixed() {
    let astra = services();
    assert_eq!(succeed(&astra, &["logs", "web"]), "begun\n");
    assert_eq!(succeed(&astra, &["logs", "web", "worker"]), "web    | begun\nworker | working\n");
    let mut follow = order(&astra, &["logs", "-f", "web", "worker"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut first: Vec<String> = (0..2).map(|_| lines.next().unwrap().unwrap()).collect();
    first.sort();
    assert_eq!(first, ["web    | begun", "worker | working"]);
    astra.settle("restart", "worker");
    assert_eq!(lines.next().unwrap().unwrap(), "worker | working");
    follow.kill().unwrap();
    follow.wait().unwrap();
}

#[test]
fn events_are_printed_as_they_occur() {
    let astra = services();
    let mut events = order(&astra, &["events"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(events.stdout.take().unwrap()).lines();
    // The stream is open once it is counted.
    eventually("it listens", || (astra.log().contains("GET /supervisor/health")).then_some(()));
    std::thread::scope(|threads| {
        let stops = threads.spawn(|| astra.settle("stop", "web"));
        let mut lines = lines.map(Result::unwrap);
        let found = lines.find(|line| line.contains(" web: stop"));
        assert!(found.is_some());
        stops.join().unwrap();
    });
    events.kill().unwrap();
    events.wait().unwrap();
}

#[test]
fn completions_and_manual_pages_match_the_commands() {
    let print = |arguments: &[&str]| {
        let mut command = binary();
        command.args(arguments);
        run(command, b"")
    };
    for shell in ["bash", "zsh", "fish"] {
        let script = print(&["completions", shell]);
        assert_eq!(script.code, 0);
        for word in ["astra", "ctl", "completions", "restart", "events", "follow", "kill-timeout"] {
            assert!(script.out.contains(word), "{shell}: {word}");
        }
    }
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), print(&["completions", "bash"]).out).unwrap();
    for (arguments, offered) in [
        ("ctl re", "restart reload"),
        ("ctl logs --f", "--follow"),
        ("ctl --token x bulk re", "restart reload"),
        ("comp", "completions"),
    ] {
        let mut bash = Command::new("bash");
        let complete = "source \"$1\"; COMP_WORDS=(llm-shell $2); \
            COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); \
            _llm__shell llm-shell \"${COMP_WORDS[COMP_CWORD]}\"; echo \"${COMPREPLY[@]}\"";
        bash.args(["-c", complete, "bash"]).arg(script.path()).arg(arguments);
        assert_eq!(run(bash, b"").out.trim(), offered, "{arguments}");
    }
    let page = print(&["man"]);
    assert!(page.out.starts_with(".ie") && page.out.contains("llm\\-shell"), "{}", page.out);
    let page = print(&["man", "ctl", "logs"]);
    assert!(page.out.contains("\\-\\-follow") && page.out.contains("Show output"), "{}", page.out);
    assert_eq!(print(&["man", "nope"]).code, 2);
    assert_eq!(print(&["completions", "nope"]).code, 2);
}
