//! The ways in which a command can end, and how each is reported: in /status, in /runs, as text,
//! and by the next server.

use crate::harness::{Server, eventually, kill};
use serde_json::{Value, json};

/// `status`, `exit_code`, `signal` and `ended_by`, as they are reported.
type End = (&'static str, Option<i32>, Option<&'static str>, &'static str);

fn exited(code: i32) -> End {
    ("exited", Some(code), None, "itself")
}

fn signalled(code: i32, name: &'static str, by: &'static str) -> End {
    ("killed", Some(code), Some(name), by)
}

/// A command that ignores SIGTERM, and one that exits with 0 on it.
const DEAF: &str = "trap '' TERM; echo ready; while :; do sleep 0.02; done";
const POLITE: &str = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done";
const PLAIN: &str = "echo ready; exec sleep 60";

/// Asserts the reported end of the last run.
#[track_caller]
fn check(server: &Server, what: &str, expected: End) {
    let ended = server.ended();
    check_told(&ended, what, expected);
    let listed = server.get("/runs?limit=1").expect(200).json()["runs"][0].clone();
    check_told(&listed, what, expected);
    let text = server.request("GET /status", &["Accept: text/plain"], b"").expect(200).text();
    let (status, code, signal, by) = expected;
    let with = signal.map_or_else(|| format!("exit code {}", code.unwrap()), str::to_owned);
    let by = if status == "killed" { format!(" ({by})") } else { String::new() };
    assert!(text.contains(&format!("| {status}{by} | {with} |")), "{what}: {text}");
}

#[track_caller]
fn check_told(run: &Value, what: &str, (status, code, signal, by): End) {
    let actual = (&run["status"], &run["exit_code"], &run["signal"], &run["ended_by"]);
    let expected = (&json!(status), &json!(code), &json!(signal), &json!(by));
    assert_eq!(actual, expected, "{what}: {run}");
    assert!(run["stopped_at"].is_string() && run["stdin_open"] == false, "{what}: {run}");
}

#[test]
fn own_end_is_reported_by_exit_code_or_signal() {
    let server = Server::start();
    let memory = "ulimit -v 200000; exec python3 -c 'x = bytearray(10**9)'";
    for (command, expected) in [
        ("exit 0", exited(0)),
        ("exit 7", exited(7)),
        ("exit 255", exited(255)),
        // A shell reports a child killed by a signal with its own exit code.
        ("exit 130", exited(130)),
        ("sh -c 'kill -KILL $$'; exit $?", exited(137)),
        ("no-such-program", exited(127)),
        ("/etc/passwd", exited(126)),
        ("set -e; false; exit 0", exited(1)),
        ("trap 'exit 3' TERM; kill -TERM $$", exited(3)),
        ("kill -KILL $$", signalled(-9, "SIGKILL", "signal")),
        ("kill -TERM $$", signalled(-15, "SIGTERM", "signal")),
        ("kill -SEGV $$", signalled(-11, "SIGSEGV", "signal")),
        ("exec python3 -c 'import os; os.abort()'", signalled(-6, "SIGABRT", "signal")),
        ("kill -37 $$", signalled(-37, "SIGRTMIN+3", "signal")),
        // Limits of the command's own.
        (memory, exited(1)),
        ("ulimit -f 1; exec dd if=/dev/zero of=big count=9", signalled(-25, "SIGXFSZ", "signal")),
        ("ulimit -t 1; while :; do :; done", signalled(-9, "SIGKILL", "signal")),
    ] {
        server.run(command);
        check(&server, command, expected);
    }
}

#[test]
fn requested_end_is_reported_with_its_cause() {
    let server = Server::start();
    let pid = || server.get("/status").expect(200).json()["process_pid"].as_u64().unwrap();
    let signal = |name: &str| kill(name, u32::try_from(pid()).unwrap());
    let post = |path: &str| drop(server.post(path).expect(200));
    let rows: [(&str, &str, &dyn Fn(), End); 10] = [
        ("kill", PLAIN, &|| post("/kill"), signalled(-15, "SIGTERM", "kill")),
        ("kill of a polite one", POLITE, &|| post("/kill"), ("killed", Some(0), None, "kill")),
        (
            "kill with SIGKILL",
            PLAIN,
            &|| post("/kill?type=SIGKILL"),
            signalled(-9, "SIGKILL", "kill"),
        ),
        ("signal", PLAIN, &|| post("/signal?type=INT"), signalled(-2, "SIGINT", "signal")),
        ("signal to a polite one", POLITE, &|| post("/signal?type=15"), exited(0)),
        ("USR1 by another process", PLAIN, &|| signal("USR1"), signalled(-10, "SIGUSR1", "signal")),
        ("KILL by another process", DEAF, &|| signal("KILL"), signalled(-9, "SIGKILL", "signal")),
        ("TERM by another process", POLITE, &|| signal("TERM"), exited(0)),
        (
            "STOP, then kill",
            PLAIN,
            &|| (signal("STOP"), post("/kill")).1,
            signalled(-15, "SIGTERM", "kill"),
        ),
        (
            "KILL by another process of what a shell waits for",
            "sh -c 'echo ready; exec sleep 60'; exit $?",
            &|| {
                let children = format!("/proc/{0}/task/{0}/children", pid());
                let child = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
                kill("KILL", child);
            },
            exited(137),
        ),
    ];
    for (what, command, act, expected) in rows {
        server.run(command);
        server.wait_for_output("ready");
        act();
        check(&server, what, expected);
    }
}

#[test]
fn ignored_sigterm_ends_in_sigkill() {
    let server = Server::start_with(&["--kill-timeout", "0.2"]);
    server.run(DEAF);
    server.wait_for_output("ready");
    server.post("/kill").expect(200);
    check(&server, "kill of a deaf one", signalled(-9, "SIGKILL", "kill"));
    server.post_json("/start", &json!({"command": DEAF, "timeout": 0.5})).expect(201);
    check(&server, "timeout of a deaf one", signalled(-9, "SIGKILL", "timeout"));
}

#[test]
fn timeout_is_never_reported_as_success() {
    let server = Server::start();
    for (command, expected) in [
        (PLAIN, signalled(-15, "SIGTERM", "timeout")),
        (POLITE, ("killed", Some(0), None, "timeout")),
        // Too late for this one.
        ("echo ready", exited(0)),
    ] {
        server.post_json("/start", &json!({"command": command, "timeout": 2})).expect(201);
        check(&server, command, expected);
        // A shell may also report the end of a child of its own.
        assert!(server.content("").starts_with("ready"), "what was printed is kept");
    }
}

#[test]
fn restarted_runs_are_listed_with_their_ends() {
    let server = Server::start();
    server.run(PLAIN);
    server.wait_for_output("ready");
    server.post("/restart?timeout=0.2").expect(200);
    let old = server.get("/runs").expect(200).json()["runs"][1].clone();
    check_told(&old, "restart", signalled(-15, "SIGTERM", "restart"));
    server.post("/kill").expect(200);
    server.run(DEAF);
    server.wait_for_output("ready");
    server.post("/restart?timeout=0.2").expect(200);
    let old = server.get("/runs").expect(200).json()["runs"][1].clone();
    check_told(&old, "restart of a deaf one", signalled(-9, "SIGKILL", "restart"));
    server.post("/kill?type=SIGKILL").expect(200);
    server.run("trap 'echo asked' TERM; echo ready; while :; do sleep 0.02; done");
    server.wait_for_output("ready");
    std::thread::scope(|threads| {
        let restart = threads.spawn(|| server.post("/restart?timeout=60"));
        server.wait_for_output("asked");
        server.post("/kill?type=SIGKILL").expect(200);
        restart.join().unwrap().problem(409, "conflict");
    });
    let last = server.get("/runs?limit=1").expect(200).json()["runs"][0].clone();
    check_told(&last, "kill in a restart's grace", signalled(-9, "SIGKILL", "kill"));
}

#[test]
fn runs_ended_by_a_shutdown_are_reported_afterwards() {
    let mut server = Server::start();
    let start = |server: &Server| {
        let body = json!({"command": format!("echo ready; {DEAF}"), "pty": true});
        server.post_json("/start", &body).expect(201);
        // The second process prints that it ignores the signal.
        server.wait_for_output("ready\nready");
    };
    let end = |server: &mut Server, signal: &str| {
        server.signal(signal);
        server.wait();
        server.start_again();
        let run = server.get("/runs").expect(200).json()["runs"][0].clone();
        assert_eq!(run["pty"], true, "{run}");
        run
    };
    start(&server);
    server.signal("TERM");
    let run = end(&mut server, "TERM");
    check_told(&run, "shutdown", signalled(-9, "SIGKILL", "shutdown"));
    start(&server);
    let run = end(&mut server, "KILL");
    check_told(&run, "the server's death", ("killed", None, None, "lost"));
}

/// Requires a memory cgroup, as root of a machine or of a container with its own.
#[test]
fn own_cgroup_memory_kill_is_reported_as_a_signal() {
    let server = Server::start();
    let group = format!("/sys/fs/cgroup/memory/llm-shell-test-{}", server.pid());
    let limit = format!("{group}/memory.limit_in_bytes");
    if std::fs::create_dir(&group).and_then(|()| std::fs::write(&limit, "30000000")).is_err() {
        let _none = std::fs::remove_dir(&group);
        return eprintln!("no memory cgroup can be made here: not tested");
    }
    let hog = "exec python3 -c 'x = bytearray(10**9)'";
    server.run(&format!("echo $$ > {group}/cgroup.procs; {hog}"));
    let ended = server.ended();
    eventually("the group is empty", || std::fs::remove_dir(&group).ok());
    check_told(&ended, "memory", signalled(-9, "SIGKILL", "signal"));
}
