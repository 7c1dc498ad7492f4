//! The tools of the LLM Shell: texts for models, and structured results for programs.

use super::{call, listed, meta, refused, request, stateless_headers, tool_text};
use crate::harness::{Server, eventually};
use serde_json::{Value, json};
use std::time::Instant;

#[test]
fn tools_have_descriptions_and_schemas() {
    let server = Server::start();
    let listed = listed(&server);
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "start_command",
            "wait",
            "read_logs",
            "send_input",
            "send_signal",
            "kill",
            "restart",
            "list_runs"
        ]
    );
    for tool in tools {
        let (input, output) = (&tool["inputSchema"], &tool["outputSchema"]);
        assert_eq!((&input["type"], &output["type"]), (&json!("object"), &json!("object")));
        assert_eq!(input["additionalProperties"], false, "{tool}");
        assert!(tool["description"].as_str().unwrap().len() > 40, "{tool}");
    }
    // Some 2,000 tokens of OpenAI's o200k, of which 2,500 are the budget.
    assert!(listed.to_string().len() < 9_000, "{}", listed.to_string().len());
    let start = &tools[0]["inputSchema"];
    assert_eq!(
        (&start["required"], &start["properties"]["wait"]["maximum"]),
        (&json!(["command"]), &json!(50.0))
    );
    let hints = |name: usize| tools[name]["annotations"].clone();
    assert_eq!(
        (&hints(1)["readOnlyHint"], &hints(5)["destructiveHint"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn a_command_is_run_to_its_end_in_one_call() {
    let server = Server::start();
    let given = call(&server, "start_command", &json!({"command": "seq 3; exit 4"}));
    let id = given.data["run"].as_str().unwrap();
    let lines: Vec<_> = given.text.lines().collect();
    assert!(lines[0].starts_with(&format!("[run {id} | exited | exit code 4 | ")));
    let number = &lines[0][lines[0].len() - 13..];
    assert!(lines[0].ends_with(&format!(" s | lines 1-3 of 3{number}")), "{}", given.text);
    let last = format!("[ended: start_command runs the next command{number}");
    assert_eq!(lines[1..], ["1", "2", "3", &last]);
    let expected = json!({
        "text": given.text, "run": id, "state": "exited", "exit_code": 4, "next": 3,
    });
    assert_eq!(given.data, expected);
    let silent = tool_text(&server, "start_command", &json!({"command": "true"}));
    assert!(silent.contains("| no lines | #") && silent.contains("]\n(no output)\n["));
}

#[test]
fn tools_start_wait_read_restart_and_end_a_server() {
    let server = Server::start();
    let command = "echo starting; sleep 0.3; echo ready; exec sleep 60";
    let text = tool_text(&server, "start_command", &json!({"command": command, "wait": 0}));
    assert!(text.contains(" | running | "), "{text}");
    // A number beyond the output belongs to another run.
    let text = tool_text(&server, "read_logs", &json!({"after": 7, "wait": 20}));
    assert!(text.contains("| lines 1-1 of 1, after= was beyond them | #"), "{text}");
    assert!(text.contains("]\nstarting\n"), "{text}");
    let given = call(&server, "read_logs", &json!({"after": 1, "wait": 20}));
    let (text, run) = (given.text, given.data["run"].as_str().unwrap().to_owned());
    assert!(text.contains("| lines 2-2 of 2 | #"), "{text}");
    let next = format!("]\nready\n[still running: wait run={run} after=2, or kill run={run} | #");
    assert!(text.contains(&next), "{text}");
    let text = tool_text(&server, "read_logs", &json!({"after": 2, "wait": 0.1}));
    assert!(text.contains("| none of 2 lines | #") && text.contains("]\n(no output)\n"), "{text}");
    let text = tool_text(&server, "read_logs", &json!({"grep": "^rea"}));
    assert!(text.contains("]\nready\n["), "{text}");
    let restarted = call(&server, "restart", &json!({"timeout": 1}));
    assert_ne!(restarted.data["run"], run);
    let text = tool_text(&server, "kill", &json!({}));
    assert!(text.contains("| killed (kill) | SIGTERM |"), "{text}");
    let again = json!({"run": restarted.data["run"]});
    assert!(refused(&server, "kill", &again).contains("already ended"));
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn a_question_ends_the_wait_and_is_answered() {
    let server = Server::start();
    let command = "printf 'Sure? '; read x; echo \"you said $x\"; printf 'More? '; read x";
    let began = Instant::now();
    let asked =
        tool_text(&server, "start_command", &json!({"command": command, "pty": true, "wait": 50}));
    assert!(asked.contains("\nSure? \n[still running, its last line is open (silent"), "{asked}");
    let answered = tool_text(&server, "send_input", &json!({"text": "y\n", "wait": 20}));
    assert!(answered.contains("\nSure? y\nyou said y\nMore? \n[still running"), "{answered}");
    assert!(began.elapsed().as_secs() < 40, "the waits were not waited to their ends");
    tool_text(&server, "send_input", &json!({"text": "n\n"}));
    let ended = tool_text(&server, "wait", &json!({}));
    assert!(ended.contains("| exited | exit code 0 |"), "{ended}");
}

#[test]
fn signal_is_sent_and_its_effect_reported() {
    let server = Server::start();
    // The sleep gets the signal too, and the shell may report its end first.
    let command =
        "trap 'echo caught' USR1; exec 2>/dev/null; echo ready; while :; do sleep 0.02; done";
    tool_text(&server, "start_command", &json!({"command": command, "wait": 0}));
    tool_text(&server, "read_logs", &json!({"after": 0, "wait": 20}));
    let given = call(&server, "send_signal", &json!({"type": "USR1"}));
    assert_eq!(given.data["state"], "running");
    let text = tool_text(&server, "read_logs", &json!({"after": 1, "wait": 20}));
    assert!(text.contains("caught"), "{text}");
    assert!(refused(&server, "send_signal", &json!({"type": "NOPE"})).contains("NOPE"));
    tool_text(&server, "kill", &json!({"type": "SIGKILL"}));
}

#[test]
fn long_output_is_truncated_with_the_next_call() {
    let server = Server::start();
    let text = tool_text(&server, "start_command", &json!({"command": "seq 100000"}));
    assert!((30_000..=32 * 1024).contains(&text.len()), "{}", text.len());
    let omission = text.lines().find(|line| line.contains("left out")).unwrap();
    let named = |name: &str| {
        let value = omission.split(name).nth(1).unwrap().split(' ').next().unwrap();
        value.to_owned()
    };
    let after: u64 = named("after=").parse().unwrap();
    let rest = json!({"run": named("run="), "after": after, "limit": 2});
    let rest = tool_text(&server, "read_logs", &rest);
    assert!(rest.contains(&format!("]\n{}\n{}\n[more lines: read_logs", after + 1, after + 2)));
    let found = tool_text(&server, "read_logs", &json!({"grep": "7", "max_bytes": 600}));
    let omission = found.lines().find(|line| line.contains("left out")).unwrap();
    assert!(omission.ends_with(" grep=\"7\" ...]"), "{omission}");
    assert!(found.lines().next().unwrap().contains(" of lines 7-100000 of 100000"), "{found}");
    let brief = tool_text(&server, "read_logs", &json!({"max_bytes": 300}));
    assert!(brief.len() < 600, "{brief}");
    let prompt = json!({"command": "head -c 100000 /dev/zero | tr '\\0' x", "wait": 20});
    assert!(tool_text(&server, "start_command", &prompt).len() <= 32 * 1024);
}

#[test]
fn invalid_calls_are_refused_with_detail() {
    let server = Server::start();
    for (tool, arguments, expected) in [
        ("wait", json!({}), "start one with start_command."),
        ("start_command", json!({}), "missing field `command`"),
        ("start_command", json!({"comand": "ls"}), "unknown field `comand`"),
        ("start_command", json!({"command": " "}), "command is empty"),
        ("start_command", json!({"command": "ls", "wait": 51}), "give 0 to 50"),
        ("start_command", json!({"command": "ls", "wait": -1}), "give 0 to 50"),
        ("start_command", json!({"command": "ls", "wait": "1"}), "give 0 to 50"),
        ("start_command", json!({"command": "ls", "max_bytes": 5}), "256"),
        ("start_command", json!({"command": "ls", "cwd": "/no/such"}), "/no/such"),
        ("list_runs", json!({"all": true}), "unknown field `all`"),
        ("list_runs", json!({"status": "dead"}), "give running, exited or killed"),
        ("start_command", json!({"command": "ls", "until": "x"}), "match:REGEX"),
        ("start_command", json!({"command": "ls", "name": "a b"}), "\"a b\" is invalid"),
        ("wait", json!({"seconds": 5}), "unknown field `seconds`"),
        ("read_logs", json!({"run": "../x"}), "no run"),
    ] {
        let why = refused(&server, tool, &arguments);
        assert!(why.contains(expected), "{tool} {arguments}: {why}");
    }
    assert_eq!(server.logs_count(), 0);
    tool_text(&server, "start_command", &json!({"command": "true"}));
    for (tool, arguments, expected) in [
        ("read_logs", json!({"lines": 1, "after": 1}), "exclude each other"),
        ("kill", json!({"type": "SIGHUP"}), "SIGTERM or SIGKILL"),
        ("send_input", json!({"text": "x"}), "has ended"),
    ] {
        let why = refused(&server, tool, &arguments);
        assert!(why.contains(expected), "{tool} {arguments}: {why}");
    }
    assert_eq!(server.logs_count(), 1);
}

#[test]
fn escape_sequences_are_removed() {
    let server = Server::start();
    let text = tool_text(
        &server,
        "start_command",
        &json!({"command": "printf '\\033[31mred\\033[0m\\n'"}),
    );
    assert!(text.contains("]\nred\n["), "{text}");
}

#[test]
fn disconnect_ends_the_wait_not_the_command() {
    let server = Server::start_with(&["--max-streams", "1"]);
    let params = json!({"name": "start_command", "_meta": meta(), "arguments": {"command": "sleep 60", "name": "sleeper", "wait": 50}});
    let body = request("tools/call", &params).to_string();
    let headers = stateless_headers("tools/call", Some("start_command")).join("\r\n");
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    {
        use std::io::Write as _;
        let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let has_run = || server.get("/runs").json()["total"] == 1;
        eventually("it runs", || has_run().then_some(()));
        // By the metric: a request that waits would compete for the slot.
        let waiting = || server.get("/metrics").expect(200).text().contains("_streams 1\n");
        eventually("the one slot is taken", || waiting().then_some(()));
    }
    eventually("the slot is free again", || {
        (server.get("/runs/sleeper?wait=0.01").status == 200).then_some(())
    });
    let status: Value = server.get("/runs/sleeper").expect(200).json();
    assert_eq!(status["status"], "running");
    server.post("/runs/sleeper/kill").expect(200);
}

#[test]
fn start_without_a_free_wait_is_reported_as_done() {
    use std::io::Write as _;
    let server = Server::start_with(&["--max-streams", "1"]);
    server.run_to_end("true");
    // The writer occupies the only slot until its body is received.
    let mut writer = std::net::TcpStream::connect(server.address()).unwrap();
    write!(writer, "POST /stdin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nab")
        .unwrap();
    eventually("the slot is taken", || {
        server.get("/metrics").expect(200).text().contains("_streams 1\n").then_some(())
    });
    let text = tool_text(&server, "start_command", &json!({"command": "sleep 60", "wait": 20}));
    assert!(text.contains("requests are already waiting or streaming"), "{text}");
    assert!(text.contains(" | running | "), "{text}");
    drop(writer);
    tool_text(&server, "kill", &json!({}));
}

#[test]
fn wait_ignores_the_echo() {
    let server = Server::start();
    let command = "printf 'Name? '; read x; sleep 0.7; echo got $x; sleep 60";
    tool_text(&server, "start_command", &json!({"command": command, "pty": true, "wait": 20}));
    let text = tool_text(&server, "send_input", &json!({"text": "bob\n", "wait": 20}));
    assert!(text.contains("\nName? bob\ngot bob\n["), "{text}");
    tool_text(&server, "kill", &json!({}));
}

#[test]
fn open_line_ends_no_wait_after_eof() {
    let server = Server::start();
    let command = "cat >/dev/null; printf working; sleep 4; echo done";
    tool_text(&server, "start_command", &json!({"command": command, "stdin": true, "wait": 0}));
    tool_text(&server, "send_input", &json!({"eof": true}));
    let text = tool_text(&server, "wait", &json!({"wait": 30}));
    assert!(text.contains("| exited | exit code 0 |"), "{text}");
}

#[test]
fn earlier_open_line_ends_no_wait() {
    let server = Server::start();
    let start = json!({"command": "printf working; sleep 60", "pty": true, "wait": 20});
    tool_text(&server, "start_command", &start);
    let began = Instant::now();
    tool_text(&server, "wait", &json!({"wait": 2}));
    assert!(began.elapsed().as_secs_f64() >= 2.0);
    tool_text(&server, "kill", &json!({}));
}

#[test]
fn unread_input_is_reported() {
    let server = Server::start();
    tool_text(&server, "start_command", &json!({"command": "sleep 60", "stdin": true, "wait": 0}));
    let given = call(&server, "send_input", &json!({"text": "x".repeat(300_000), "wait": 0}));
    assert!(given.text.contains("of 300000 bytes were accepted"), "{}", given.text);
    tool_text(&server, "kill", &json!({}));
}

#[test]
fn tail_includes_a_prompt() {
    let server = Server::start();
    let start = json!({"command": "printf 'Sure? '; read x", "pty": true, "wait": 20});
    tool_text(&server, "start_command", &start);
    let text = tool_text(&server, "read_logs", &json!({"lines": 50}));
    assert!(text.contains("\nSure? \n[still running, its last line is open"), "{text}");
    let why = refused(&server, "read_logs", &json!({"lines": 50, "wait": 5}));
    assert!(why.contains("needs after"), "{why}");
    let why = refused(&server, "read_logs", &json!({"x".repeat(200_000): 1}));
    assert!(why.len() < 5000, "{}", why.len());
    tool_text(&server, "kill", &json!({}));
}

#[test]
fn keys_are_pressed_by_name() {
    let server = Server::start();
    let command = "stty -icanon -echo -icrnl; echo ready; exec cat -v";
    let start = json!({"command": command, "pty": true, "wait": 20, "until": "match:ready"});
    tool_text(&server, "start_command", &start);
    let keys = json!({"text": "yes", "keys": ["up", "ctrl-c"]});
    let text = refused(&server, "send_input", &json!({"keys": ["entr"]}));
    assert!(text.contains("did you mean \"enter\"?"), "{text}");
    // The terminal still takes ^C as a signal.
    tool_text(&server, "send_input", &keys);
    let ended = tool_text(&server, "wait", &json!({}));
    assert!(ended.contains("| killed (signal) | SIGINT |"), "{ended}");
    tool_text(&server, "start_command", &json!({"command": "sleep 60", "wait": 0}));
    let text = refused(&server, "send_input", &json!({"keys": ["enter"]}));
    assert!(text.contains("needs a terminal"), "{text}");
    tool_text(&server, "kill", &json!({}));
}

#[test]
fn the_screen_of_a_terminal_is_shown() {
    let server = Server::start();
    let command = "printf 'one\\ntwo\\033[1;1Hnew'; exec sleep 60";
    let start = json!({"command": command, "pty": true, "wait": 20, "until": "match:new"});
    tool_text(&server, "start_command", &start);
    let text = tool_text(&server, "read_logs", &json!({"screen": true}));
    let place = "| screen of 24 rows, 80 columns | cursor in row 0, column 3 | #";
    assert!(text.contains(place) && text.contains("]\nnew\ntwo\n[still running"), "{text}");
    tool_text(&server, "kill", &json!({}));
}

#[test]
fn matches_are_shown_with_their_context() {
    let server = Server::start();
    server.run_to_end("seq 1000");
    let text = tool_text(&server, "read_logs", &json!({"grep": "^(100|500)$", "context": 1}));
    assert!(text.contains("]\n99\n100\n101\n--\n499\n500\n501\n"), "{text}");
    let cut = json!({"grep": "0$", "context": 1, "max_bytes": 600});
    let text = tool_text(&server, "read_logs", &cut);
    assert!(text.contains(" context=1 ") && text.contains(" grep=\"0$\""), "{text}");
}

#[test]
fn a_session_keeps_its_state_between_calls() {
    let server = Server::start();
    let run = |command: &str| {
        let arguments = json!({"command": command, "session": "main"});
        call(&server, "start_command", &arguments)
    };
    let first = run("cd /usr; X=5; false");
    assert!(first.text.contains(" | exited | exit code 1 | cwd /usr | "), "{}", first.text);
    assert_eq!((&first.data["state"], &first.data["exit_code"]), (&json!("exited"), &json!(1)));
    let second = run("echo $X; pwd");
    assert!(second.text.contains("]\n5\n/usr\n[ended: the session takes"), "{}", second.text);
    assert_eq!(second.data["run"], first.data["run"]);
    let slow = json!({"command": "sleep 1; echo slept", "session": "main", "wait": 0});
    let slow = tool_text(&server, "start_command", &slow);
    assert!(slow.contains(" | running | "), "{slow}");
    let waited = tool_text(&server, "wait", &json!({"run": "main"}));
    assert!(waited.contains(" | exited | exit code 0 | "), "{waited}");
    assert!(waited.contains("]\nslept\n["), "{waited}");
    let ended = run("exit 3");
    assert!(ended.text.contains("the session has ended"), "{}", ended.text);
    let again = run("echo new $X");
    assert!(again.text.contains("]\nnew\n["), "{}", again.text);
    assert_ne!(again.data["run"], first.data["run"]);
    tool_text(&server, "kill", &json!({"run": "main"}));
}
