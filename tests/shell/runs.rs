//! Runs beside each other: names, guards, limits, waits, and trees kept apart.

use crate::harness::{Server, Stream, eventually};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Starts a run beside others.
#[track_caller]
fn run(server: &Server, body: &Value) -> Value {
    server.post_json("/runs", body).expect(201).json()
}

#[track_caller]
fn ended(server: &Server, run: &str) -> Value {
    let status = server.get(&format!("/runs/{run}?wait=20")).expect(200).json();
    assert_eq!(status["reason"].as_str().unwrap_or("end"), "end", "{status}");
    status
}

fn id(run: &Value) -> &str {
    run["run_id"].as_str().unwrap()
}

#[test]
fn runs_live_beside_each_other_and_the_foreground() {
    let server = Server::start();
    let started = server.post_json("/runs", &json!({"command": "sleep 60", "name": "dev"}));
    let dev = started.expect(201);
    let location = dev.header("location").unwrap().to_owned();
    let dev = dev.json();
    assert_eq!(location, format!("/runs/{}", id(&dev)));
    assert_eq!((&dev["name"], &dev["status"]), (&json!("dev"), &json!("running")));
    server.get("/status").expect(404);
    let done = run(&server, &json!({"command": "echo one; exit 3", "wait": 20}));
    assert_eq!((&done["exit_code"], &done["output"]["content"]), (&json!(3), &json!("one")));
    assert_eq!((&done["output"]["reason"], &done["name"]), (&json!("end"), &Value::Null));
    let foreground = server.run_to_end("echo two");
    assert_eq!(server.content(""), "two");
    assert_eq!(server.get("/runs/dev").expect(200).json()["run_id"], dev["run_id"]);
    assert_eq!(server.get("/runs/dev/logs").expect(200).json()["total_lines"], 0);
    let list = server.get("/runs").expect(200).json();
    let ids: Vec<&Value> =
        list["runs"].as_array().unwrap().iter().map(|it| &it["run_id"]).collect();
    assert_eq!(ids, [&foreground["run_id"], &done["run_id"], &dev["run_id"]]);
    assert_eq!((&list["total"], &list["next"]), (&json!(3), &Value::Null));
    server.post("/runs/dev/kill").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn lists_are_paged_and_filtered() {
    let server = Server::start();
    for number in 0..5 {
        let name = ["even", "odd"][number % 2];
        run(&server, &json!({"command": "true", "name": name, "wait": 20}));
    }
    run(&server, &json!({"command": "sleep 60"}));
    let first = server.get("/runs?limit=4").expect(200).json();
    assert_eq!((first["runs"].as_array().unwrap().len(), &first["total"]), (4, &json!(6)));
    let next = first["next"].as_str().unwrap();
    let second = server.get(&format!("/runs?limit=4&before={next}")).expect(200).json();
    assert_eq!((second["runs"].as_array().unwrap().len(), &second["next"]), (2, &Value::Null));
    let count =
        |query: &str| server.get(&format!("/runs?{query}")).expect(200).json()["total"].clone();
    assert_eq!(count("name=even"), 3);
    assert_eq!(count("status=running"), 1);
    assert_eq!(count("name=odd&status=exited"), 2);
    server.get("/runs?before=0123456789abcdef").problem(404, "not_found");
    server.get("/runs?status=dead").problem(400, "bad_request");
}

#[test]
fn names_are_unique_among_live_runs_and_found_later() {
    let server = Server::start();
    let first = run(&server, &json!({"command": "sleep 60", "name": "dev"}));
    let taken = server.post_json("/runs", &json!({"command": "true", "name": "dev"}));
    let detail = taken.problem(409, "conflict");
    assert!(detail.contains(id(&first)) && detail.contains("/runs/dev/kill"), "{detail}");
    server.post("/runs/dev/kill").expect(200);
    let second = run(&server, &json!({"command": "exit 4", "name": "dev", "wait": 20}));
    assert_eq!(server.get("/runs/dev").expect(200).json()["run_id"], second["run_id"]);
    assert_eq!(server.get(&format!("/runs/{}", id(&first))).json()["ended_by"], "kill");
    for name in ["", ".", "..", "wait", "a/b", "0123456789abcdef", "a b"] {
        let refused = server.post_json("/runs", &json!({"command": "true", "name": name}));
        assert!(refused.problem(400, "bad_request").contains("name"), "{name}");
    }
    let refused = server.post_json("/start", &json!({"command": "true", "name": "dev"}));
    refused.problem(400, "bad_request");
    server.get("/runs/nobody").problem(404, "not_found");
}

#[test]
fn live_runs_are_limited() {
    let server = Server::start_with(&["--max-runs", "2"]);
    run(&server, &json!({"command": "sleep 60", "name": "a"}));
    run(&server, &json!({"command": "sleep 60", "name": "b"}));
    let refused = server.post_json("/runs", &json!({"command": "true"}));
    let detail = refused.problem(429, "too_many_requests");
    assert!(detail.contains("2 runs are running"), "{detail}");
    server.run_to_end("true");
    server.post("/runs/a/kill").expect(200);
    run(&server, &json!({"command": "true", "wait": 20}));
    run(&server, &json!({"command": "sleep 60"}));
    server.post("/runs/a/restart").problem(429, "too_many_requests");
}

#[test]
fn restart_keeps_the_name_and_the_environment() {
    let server = Server::start();
    let command = json!({
        "command": "echo $GREETING; exec sleep 60", "name": "dev", "env": {"GREETING": "hello"},
        "wait": 20, "until": "line",
    });
    let first = run(&server, &command);
    let second = server.post("/runs/dev/restart").expect(200).json();
    assert_ne!(second["run_id"], first["run_id"]);
    assert_eq!(server.get("/runs/dev").json()["run_id"], second["run_id"]);
    assert_eq!(server.get(&format!("/runs/{}", id(&first))).json()["ended_by"], "restart");
    let logs = server.get("/runs/dev/logs?after=0&wait=20").expect(200).json();
    assert_eq!((&logs["content"], &logs["run_id"]), (&json!("hello"), &second["run_id"]));
    server.post("/runs/dev/kill").expect(200);
    // Its manager is gone when another run is started.
    run(&server, &json!({"command": "true", "wait": 20}));
    let third = server.post("/runs/dev/restart").expect(200).json();
    let logs = server.get("/runs/dev/logs?after=0&wait=20").expect(200).json();
    assert_eq!((&logs["content"], &logs["run_id"]), (&json!("hello"), &third["run_id"]));
    let taken = format!("/runs/{}/restart", id(&first));
    assert_eq!(server.post(&taken).status, 409, "a live run has the name");
}

#[test]
fn requests_can_be_limited_to_one_run() {
    let server = Server::start();
    let old = server.run_to_end("true");
    let new =
        server.post_json("/start", &json!({"command": "cat", "pty": true})).expect(201).json();
    let (old, new) = (id(&old), id(&new));
    let size = json!({"rows": 30, "cols": 100});
    for (path, body) in [
        ("POST /kill?", String::new()),
        ("POST /restart?", String::new()),
        ("POST /signal?type=CONT&", String::new()),
        ("POST /stdin?", "x".to_owned()),
        ("POST /resize?", size.to_string()),
        ("GET /status?", String::new()),
        ("GET /logs?", String::new()),
    ] {
        let of = |run: &str| server.request(&format!("{path}run_id={run}"), &[], body.as_bytes());
        let detail = of(old).problem(409, "conflict");
        assert!(detail.contains(new), "{path}: {detail}");
    }
    assert_eq!(server.get("/status").json()["run_id"], new);
    server.post(&format!("/kill?run_id={new}")).expect(200);
}

#[test]
fn several_runs_are_awaited() {
    let server = Server::start();
    run(&server, &json!({"command": "exit 1", "name": "a"}));
    run(&server, &json!({"command": "sleep 60", "name": "b"}));
    let any = server.get("/runs/wait?run=b&run=a&for=any&wait=20").expect(200).json();
    assert_eq!((&any["runs"][0]["name"], &any["runs"][1]["exit_code"]), (&json!("b"), &json!(1)));
    assert_eq!(any["ended"], json!([any["runs"][1]["run_id"]]));
    let began = Instant::now();
    let all = server.get("/runs/wait?run=a&run=b&wait=0.5").expect(200).json();
    assert!(
        began.elapsed() >= Duration::from_millis(500)
            && all["ended"].as_array().unwrap().len() == 1
    );
    std::thread::scope(|threads| {
        let waits = threads.spawn(|| server.get("/runs/wait?run=a&run=b&for=all&wait=60"));
        server.post("/runs/b/kill").expect(200);
        let all = waits.join().unwrap().expect(200).json();
        assert_eq!(all["ended"].as_array().unwrap().len(), 2);
    });
    server.get("/runs/wait?wait=1").problem(400, "bad_request");
    server.get("/runs/wait?run=a&for=some").problem(400, "bad_request");
    server.get("/runs/wait?run=a&run=nobody").problem(404, "not_found");
}

#[test]
fn an_ended_run_is_forgotten_with_its_log() {
    let server = Server::start();
    let done = run(&server, &json!({"command": "echo x", "name": "done", "wait": 20}));
    run(&server, &json!({"command": "sleep 60", "name": "live"}));
    let leaves = json!({"command": "sleep 60 >/dev/null &", "name": "leaves", "wait": 20});
    run(&server, &leaves);
    let delete = |run: &str| server.request(&format!("DELETE /runs/{run}"), &[], b"");
    for live in ["live", "leaves"] {
        let detail = delete(live).problem(409, "conflict");
        assert!(detail.contains("/kill"), "{detail}");
    }
    let logs = server.logs_count();
    delete("done").expect(204);
    assert_eq!(server.logs_count(), logs - 1);
    let (by_id, by_name) = (format!("/runs/{}", id(&done)), "/runs/done");
    for path in [&*by_id, by_name] {
        server.get(path).problem(404, "not_found");
        server.get(&format!("{path}/logs")).problem(404, "not_found");
    }
    server.post("/runs/leaves/kill").expect(200);
    delete("leaves").expect(204);
    let foreground = server.run_to_end("true");
    delete(id(&foreground)).expect(204);
    server.get("/status").expect(404);
    server.run_to_end("true");
}

#[test]
fn a_kill_ends_the_tree_of_its_run_alone() {
    let server = Server::start();
    let daemons =
        "setsid sleep 61 & env -i setsid sleep 62 & (setsid sh -c 'sleep 63 & sleep 64' &)";
    for name in ["a", "b"] {
        let command = format!("{daemons}; exec sleep 60");
        run(&server, &json!({"command": command, "name": name}));
    }
    server.run(&format!("{daemons}; exec sleep 60"));
    let count = || server.living().iter().filter(|it| it.contains(" sleep 6")).count();
    eventually("all processes are there", || (count() == 18).then_some(()));
    server.post("/runs/a/kill").expect(200);
    assert_eq!(count(), 12);
    for (path, status) in [("/runs/b", "running"), ("/status", "running"), ("/runs/a", "killed")] {
        assert_eq!(server.get(path).json()["status"], status);
    }
    server.post("/kill").expect(200);
    assert_eq!(count(), 6);
    server.post("/runs/b/kill").expect(200);
    assert_eq!(server.living(), Vec::<String>::new());
}

#[test]
fn leftovers_belong_to_their_run() {
    let server = Server::start();
    let leaves = |name: &str| {
        let command = json!({"command": "sleep 60 >/dev/null &", "name": name, "wait": 20});
        run(&server, &command)["leftover_pids"].clone()
    };
    let (a, b) = (leaves("a"), leaves("b"));
    assert_eq!((a.as_array().unwrap().len(), b.as_array().unwrap().len()), (1, 1));
    assert_ne!(a, b);
    // The start of a foreground command ends only what the last one has left.
    server.run_to_end("true");
    assert_eq!(server.get("/runs/a").json()["leftover_pids"], a);
    let killed = server.post("/runs/a/kill").expect(200).json();
    assert_eq!(
        (&killed["status"], &killed["ended_leftovers"][0]["pid"]),
        (&json!("exited"), &a[0])
    );
    assert_eq!(server.get("/runs/b").json()["leftover_pids"], b);
}

#[test]
fn events_report_starts_prompts_and_ends() {
    let server = Server::start();
    let mut events = server.events("/events");
    events.line();
    let asks = json!({"command": "printf 'name? '; read x; exit 3", "name": "asks", "stdin": true});
    let asks = run(&server, &asks);
    let event = |events: &mut Stream, name: &str| {
        let event = events.event();
        assert_eq!(event.name, name, "{event:?}");
        let data = event.data;
        assert_eq!((&data["run_id"], &data["name"]), (&asks["run_id"], &json!("asks")));
        (event.id, data)
    };
    let (start, _) = event(&mut events, "start");
    let (_, prompt) = event(&mut events, "prompt");
    assert_eq!((&prompt["prompt"], &prompt["after"]), (&json!("name? "), &json!(0)));
    server.request("POST /runs/asks/stdin", &[], b"ann\n").expect(200);
    let (_, end) = event(&mut events, "end");
    assert_eq!((&end["exit_code"], &end["ended_by"]), (&json!(3), &json!("itself")));
    let resumed = format!("Last-Event-ID: {}", start.unwrap());
    let mut resumed = Stream::open(server.address(), "/events", &[&resumed]);
    resumed.line();
    event(&mut resumed, "end");
}

#[test]
fn many_runs_survive_a_killed_server_as_lost() {
    let mut server = Server::start();
    for number in 0..20 {
        let name = format!("run-{number}");
        run(
            &server,
            &json!({"command": "echo up; exec sleep 60", "name": name, "wait": 20, "until": "line"}),
        );
    }
    let done = run(&server, &json!({"command": "exit 7", "name": "done", "wait": 20}));
    server.signal("KILL");
    server.wait();
    server.start_again();
    assert_eq!(server.living(), Vec::<String>::new());
    for number in 0..20 {
        let status = server.get(&format!("/runs/run-{number}")).expect(200).json();
        assert_eq!((&status["status"], &status["ended_by"]), (&json!("killed"), &json!("lost")));
        let logs = server.get(&format!("/runs/run-{number}/logs")).expect(200).json();
        assert_eq!(logs["content"], "up");
    }
    let status = ended(&server, id(&done));
    assert_eq!((&status["exit_code"], &status["ended_by"]), (&json!(7), &json!("itself")));
    let detail = server.post("/runs/done/restart").problem(409, "conflict");
    assert!(detail.contains("start a new one"), "{detail}");
    let detail = server.post("/runs/done/kill").problem(400, "bad_request");
    assert!(detail.contains("exit code 7"), "{detail}");
    server.post("/runs/done/signal?type=INT").problem(409, "conflict");
    run(&server, &json!({"command": "true", "name": "done", "wait": 20}));
}

#[test]
fn shutdown_ends_all_runs() {
    let mut server = Server::start();
    for _ in 0..8 {
        run(&server, &json!({"command": "trap '' TERM; sleep 60 & wait; sleep 60"}));
    }
    server.run("sleep 60");
    server.signal("TERM");
    server.wait();
    assert_eq!(server.living(), Vec::<String>::new());
    server.start_again();
    let runs = server.get("/runs").expect(200).json();
    for run in runs["runs"].as_array().unwrap() {
        assert_eq!(run["ended_by"], "shutdown", "{run}");
    }
}

#[test]
fn a_cleared_environment_has_what_programs_expect() {
    let mut command = crate::harness::binary();
    command.env("SECRET", "s3cret").env("LANG", "C").env("LLM_SHELL_CLEAR_ENV", "true");
    let server = Server::start_command(command);
    let names = |body: Value| {
        let done = run(&server, &body);
        let content = done["output"]["content"].as_str().unwrap().to_owned();
        let names = content.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.retain(|name| {
            !["_", "PWD", "SHLVL", "OLDPWD", "LLMSHELL_RUN_MARK"].contains(&&**name)
        });
        names.sort();
        names
    };
    let cleared = names(json!({"command": "env", "wait": 20, "env": {"A": "1"}}));
    let known = ["A", "HOME", "LANG", "PATH", "RUN_ID", "TERM", "USER"];
    assert!(cleared.iter().all(|name| known.contains(&&**name)), "{cleared:?}");
    assert!(["A", "LANG", "PATH", "RUN_ID"].iter().all(|it| cleared.contains(&(*it).to_owned())));
    let kept = names(json!({"command": "env", "wait": 20, "clear_env": false}));
    assert!(kept.contains(&"SECRET".to_owned()), "{kept:?}");
}
