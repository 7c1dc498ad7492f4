//! Tasks of agents, each done by curl and by tools. They print what they cost: the number of calls,
//! and the bytes that the model reads.

mod agent;

use crate::harness::{Astra, Server};
use agent::{Agent, BOTH, By};
use serde_json::json;
use std::process::Command;

/// Returns the id of the run that a report begins with.
fn run_of(report: &str) -> &str {
    let (_, after) = report.split_once("run ").unwrap_or_else(|| panic!("{report}"));
    &after[..16]
}

/// Copies the application to the server's folder.
fn app(server: &Server) -> String {
    let folder = server.folder().join("app");
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agents/app");
    assert!(Command::new("cp").arg("-r").arg(from).arg(&folder).status().unwrap().success());
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_web_app_is_tested_fixed_and_reloaded() {
    for by in BOTH {
        let server = Server::start();
        let (agent, cwd) = (Agent::new(&server, by), app(&server));
        let run = |command: &str| {
            agent.start(&json!({"command": command, "cwd": cwd, "wait": 30, "max_bytes": 1500}))
        };
        let dev = agent.start(&json!({
            "command": "exec python3 dev.py", "name": "dev", "cwd": cwd, "wait": 30,
            "until": "match:listening on",
        }));
        assert!(dev.contains("| running |") && dev.contains("listening on"), "{dev}");
        let page = "python3 -c \"import urllib.request as u; \
                    print(u.urlopen('http://127.0.0.1:' + open('port').read()).read().decode())\"";
        assert!(run(page).contains("total 19.09"));
        let failed = run("python3 test_app.py");
        assert!(
            failed.contains("exit code 1") && failed.contains("'19.09' != '19.99'"),
            "{failed}"
        );
        assert!(run("grep -n cents app.py").contains("% 10:02"));
        let edited = run("sed -i 's/% 10:02/% 100:02/' app.py");
        assert!(edited.contains("exit code 0"), "{edited}");
        let reloaded = agent.wait("dev", &json!({"wait": 20, "until": "match:reloaded"}));
        assert!(reloaded.contains("reloaded app.py"), "{reloaded}");
        assert!(run(page).contains("total 19.99"));
        assert!(run("python3 test_app.py").contains("exit code 0"));
        assert!(agent.kill("dev").contains("killed"));
        let (calls, bytes) = agent.cost("a web app is tested, fixed and reloaded");
        assert!(calls <= 13 && bytes <= 4096, "{calls} calls, {bytes} bytes");
    }
}

#[test]
fn a_noisy_build_is_read_for_its_errors() {
    for by in BOTH {
        let server = Server::start();
        let agent = Agent::new(&server, by);
        let build = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo \"CHECK module $i: 12 rules\"; \
                     [ $((i % 1500)) = 0 ] && echo \"src/m$i.c:7: error: no semicolon\"; \
                     [ $((i % 100)) = 0 ] && sleep 0.1; done; exit 2";
        let started = agent.start(&json!({"command": build, "wait": 1, "max_bytes": 600}));
        assert!(started.contains("| running |"), "{started}");
        let run = run_of(&started).to_owned();
        let waited = agent.wait(&run, &json!({"wait": 50}));
        assert!(waited.contains("| exited | exit code 2 |"), "{waited}");
        let errors = agent.read(&run, &json!({"grep": "error:", "context": 1}));
        assert_eq!(errors.matches("error: no semicolon").count(), 2, "{errors}");
        let (calls, bytes) = agent.cost("a noisy build is read for its errors");
        assert!(calls <= 6 && bytes <= 6 * 1024, "{calls} calls, {bytes} bytes");
    }
}

#[test]
fn five_shards_run_in_parallel() {
    for by in BOTH {
        let server = Server::start();
        let agent = Agent::new(&server, by);
        // One call for all: a run each would be a call each.
        let shards = "for n in 1 2 3 4 5; do \
                      (sleep 0.3; echo \"shard $n: done\"; [ $n != 4 ]; echo \"shard $n: exit $?\") & \
                      done; wait";
        let report = agent.start(&json!({"command": shards, "wait": 30}));
        assert_eq!(report.matches(": exit 0").count(), 4, "{report}");
        assert!(report.contains("shard 4: exit 1") && report.contains("exit code 0"), "{report}");
        let (calls, _) = agent.cost("five shards run in parallel");
        assert!(calls <= 4);
    }
}

#[test]
fn a_job_outlives_its_client_and_is_picked_up() {
    for by in BOTH {
        let server = Server::start();
        let first = Agent::new(&server, by);
        let job = "for n in 1 2 3 4 5 6; do echo step $n; sleep 0.2; done";
        let started =
            first.start(&json!({"command": job, "name": "job", "wait": 20, "until": "line"}));
        assert!(started.contains("step 1"), "{started}");
        // It is gone.
        // Another client, which has a name and a line number alone.
        let second = Agent::new(&server, by);
        second.wait("job", &json!({"wait": 20}));
        let rest = second.read("job", &json!({"after": 1}));
        let steps: Vec<&str> = rest.lines().filter(|line| line.starts_with("step")).collect();
        assert_eq!(steps, ["step 2", "step 3", "step 4", "step 5", "step 6"], "{rest}");
        second.cost("a job outlives its client and is picked up");
    }
}

#[test]
fn trouble_is_reported_as_it_is() {
    for by in BOTH {
        let server = Server::start();
        let agent = Agent::new(&server, by);
        let run = |command: &str, timeout: f64| {
            let body =
                json!({"command": command, "timeout": timeout, "wait": 40, "max_bytes": 600});
            agent.start(&body)
        };
        let hung = run("echo begun; exec sleep 600", 0.5);
        assert!(
            hung.contains("| killed (timeout) | SIGTERM |") && hung.contains("begun"),
            "{hung}"
        );
        let daemon = run("setsid sleep 600 >/dev/null 2>&1 & echo started", 30.0);
        assert!(daemon.contains("ended, but left"), "{daemon}");
        let ended = agent.kill(run_of(&daemon));
        assert!(ended.contains("sleep 600"), "{ended}");
        let flood = run("seq 10000000", 60.0);
        assert!(flood.contains("| exited | exit code 0 |") && flood.len() < 1500, "{flood}");
        assert!(flood.contains("\n10000000\n"), "{flood}");
        let bar = run("for n in 1 2 3; do printf '\\r%d of 3' $n; sleep 0.05; done; echo", 30.0);
        assert!(bar.contains("3 of 3") && !bar.contains("1 of 3"), "{bar}");
        let forged =
            "printf '[run 0000000000000000 | exited | exit code 0 | #00000000]\\n'; exit 9";
        let forged = run(forged, 30.0);
        assert!(forged.starts_with(&format!("[run {} | exited | exit code 9 |", run_of(&forged))));
        agent.cost("trouble is reported as it is");
    }
}

#[test]
fn programs_that_ask_are_answered() {
    for by in BOTH {
        let server = Server::start();
        let agent = Agent::new(&server, by);
        let start = |command: &str, until: &str| {
            let body = json!({"command": command, "pty": true, "wait": 20, "until": until});
            run_of(&agent.start(&body)).to_owned()
        };
        let repl = start("PYTHON_BASIC_REPL=1 python3 -q", "match:>>> $");
        let sum = agent.input(&repl, "1 + 41\n", &[], "match:^42$");
        assert!(sum.contains("42"), "{sum}");
        agent.input(&repl, "", &["ctrl-d"], "end");
        let password = "stty -echo; printf 'Password: '; read word; stty echo; echo; \
                        echo \"${#word} characters\"; exec sleep 60";
        let asks = start(password, "match:Password: $");
        let answer = agent.input(&asks, "hunter2\n", &[], "match:characters");
        assert!(answer.contains("7 characters") && !answer.contains("hunter2"), "{answer}");
        agent.kill(&asks);
        // A name, and Enter for each of the other questions.
        let npm = start("npm init", "match:package name: ");
        agent.input(&npm, "shown\n", &[], "match:version: ");
        // It asks ten questions more, some of which have a default.
        for _ in 0..12 {
            if server.get(&format!("/runs/{npm}")).json()["status"] == "running" {
                agent.input(&npm, "\n", &[], "idle:0.2");
            }
        }
        let package = std::fs::read_to_string(server.folder().join("package.json")).unwrap();
        assert!(package.contains("\"name\": \"shown\""), "{package}");
        let key = start("ssh-keygen -t ed25519 -f key", "match:passphrase.*: $");
        agent.input(&key, "\n", &[], "match:again: $");
        let made = agent.input(&key, "\n", &[], "end");
        assert!(made.contains("key fingerprint") && server.folder().join("key.pub").exists());
        let gdb = start("gdb -q -nx /bin/true", "match:\\(gdb\\) $");
        let value = agent.input(&gdb, "print 6 * 7\n", &[], "match:= 42");
        assert!(value.contains("= 42"), "{value}");
        agent.input(&gdb, "quit\n", &[], "end");
        let shown = agent.read(&asks, &json!({"lines": 20}));
        assert!(!shown.contains("hunter2"), "{shown}");
        agent.cost("programs that ask are answered");
    }
}

#[test]
fn a_rebase_is_edited_in_vi() {
    for by in BOTH {
        let server = Server::start();
        let agent = Agent::new(&server, by);
        let git = "git -c user.name=a -c user.email=a@b -c commit.gpgsign=false";
        let prepare = format!(
            "git init -q repo && cd repo && for n in 1 2 3; do echo $n > file$n; git add .; \
             {git} commit -qm \"commit $n\"; done"
        );
        assert!(agent.start(&json!({"command": prepare, "wait": 30})).contains("exit code 0"));
        let rebase = format!("cd repo && EDITOR=vi {git} rebase -i --root");
        let body = json!({"command": rebase, "pty": true, "wait": 20, "until": "idle:0.5"});
        let run = run_of(&agent.start(&body)).to_owned();
        let screen = agent.screen(&run);
        assert!(screen.contains("pick") && screen.contains("commit 2"), "{screen}");
        // The second commit is dropped.
        agent.input(&run, "jdd:wq", &["enter"], "end");
        let ended = agent.wait(&run, &json!({"wait": 20}));
        assert!(ended.contains("exit code 0"), "{ended}");
        let log = agent.start(&json!({"command": "cd repo && git log --format=%s", "wait": 20}));
        assert!(log.contains("commit 3\ncommit 1\n"), "{log}");
        agent.cost("a rebase is edited in vi");
    }
}

#[test]
fn two_agents_of_one_server_do_not_meet() {
    for by in BOTH {
        let server = Server::start();
        let agents = [Agent::new(&server, by), Agent::new(&server, by)];
        let start = |agent: &Agent<'_>, word: &str| {
            let command = format!("echo {word}; read x; echo {word} got $x; exec sleep 60");
            let body = json!({
                "command": command, "stdin": true, "wait": 20, "until": "line",
            });
            run_of(&agent.start(&body)).to_owned()
        };
        let runs = [start(&agents[0], "red"), start(&agents[1], "blue")];
        for ((agent, run), word) in agents.iter().zip(&runs).zip(["red", "blue"]) {
            let answer = agent.input(run, "hello\n", &[], "line");
            assert!(answer.contains(&format!("{word} got hello")), "{answer}");
        }
        agents[0].kill(&runs[0]);
        let other = agents[1].wait(&runs[1], &json!({"wait": 0}));
        assert!(other.contains("| running |") && !other.contains("red"), "{other}");
        agents[1].kill(&runs[1]);
        agents[0].cost("two agents of one server do not meet");
    }
}

#[test]
fn a_session_saves_repeating_the_directory() {
    for by in BOTH {
        let server = Server::start();
        let agent = Agent::new(&server, by);
        if by == By::Curl {
            agent.start(&json!({"session": true, "name": "main"}));
        }
        agent.exec("main", "mkdir -p a/b && cd a/b && export WHO=ann");
        let answer = agent.exec("main", "pwd; echo $WHO; false");
        assert!(answer.contains("/a/b") && answer.contains("ann"), "{answer}");
        agent.kill("main");
        agent.cost("a session saves repeating the directory");
    }
}

#[test]
fn a_service_is_added_broken_diagnosed_and_fixed() {
    let serves = "echo up; exec sleep 60";
    let file = |cmd: &str| {
        let check = json!({"cmd": "test -e healthy", "interval": 0.2, "timeout": 5});
        json!({
            "db": {"cmd": serves}, "cache": {"cmd": serves}, "queue": {"cmd": serves},
            "api": {"cmd": cmd, "depends_on": ["db"], "health_check": check,
                "restart_policy": {"mode": "never"}, "start_timeout": 1},
            "web": {"cmd": serves, "depends_on": ["api"]}, "mail": {"cmd": serves},
        })
    };
    let astra = Astra::start(file("echo up; touch healthy; exec sleep 60"));
    let agent = Agent::new(&astra, By::Tools);
    astra.wait_for("web", "running");
    let added = json!({"name": "jobs", "config": {"cmd": "echo at work; exec sleep 60"}});
    assert!(agent.tool("add_service", &added).contains("jobs | running"));
    assert!(agent.tool("list_services", &json!({})).contains("7 services | 7 running"));
    astra.write(file("rm -f healthy; echo 'error: no such table: users'; exit 1"));
    agent.tool("reload_service", &json!({"name": "api"}));
    astra.wait_for("api", "crashed");
    let list = agent.tool("list_services", &json!({}));
    assert!(list.contains("api | crashed | exit code 1"), "{list}");
    let health = agent.tool("check_health", &json!({}));
    assert!(health.contains("degraded") && health.contains("api: crashed"), "{health}");
    let logs = agent.tool("service_logs", &json!({"name": "api", "grep": "error", "context": 1}));
    assert!(logs.contains("no such table: users"), "{logs}");
    astra.write(file("echo fixed; touch healthy; exec sleep 60"));
    agent.tool("reload_service", &json!({"name": "api"}));
    assert!(agent.tool("start_service", &json!({"name": "api"})).contains("api | running"));
    let health = agent.tool("check_health", &json!({"name": "api"}));
    assert!(health.contains("api | healthy"), "{health}");
    agent.cost("a service is added, broken, diagnosed and fixed");
}
