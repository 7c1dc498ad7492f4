//! A service comprises its whole process tree, and nothing else.

use crate::harness::{Astra, eventually, fixture};
use serde_json::{Value, json};

/// Commands whose tree does not end with its first process, each with the number of its processes
/// when it is ready.
fn trees() -> [(&'static str, String, usize); 7] {
    let daemon = format!("python3 {}", fixture("daemon.py"));
    [
        ("background", "for i in 1 2 3; do sleep 60 & done; echo ready; wait".into(), 4),
        ("session", "setsid sh -c 'echo ready; exec sleep 60' & wait".into(), 2),
        ("nohup", "nohup sh -c 'echo ready; exec sleep 60' & wait".into(), 2),
        ("double-fork", format!("{daemon} keep; exec sleep 60"), 2),
        ("stopped-child", "sh -c 'echo ready; kill -STOP $$; sleep 60' & wait".into(), 2),
        ("closed-output", "exec sh -c 'echo ready; exec >&- 2>&-; exec sleep 60'".into(), 1),
        (
            "deaf-grandchild",
            "setsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done' & wait".into(),
            2,
        ),
    ]
}

#[test]
fn a_stop_ends_the_whole_tree_and_no_other() {
    let trees = trees();
    let service = |cmd: &str| json!({"cmd": cmd, "stop_timeout": 0.5, "depends_on": []});
    let mut services: serde_json::Map<String, Value> =
        trees.iter().map(|(name, cmd, _)| ((*name).to_owned(), service(cmd))).collect();
    services.insert("other".into(), json!({"cmd": "exec sleep 60"}));
    let astra = Astra::start(Value::Object(services));
    let least: usize = 1 + trees.iter().map(|(_, _, count)| count).sum::<usize>();
    for (name, ..) in &trees {
        astra.wait_for_line(name, "ready");
    }
    eventually("all trees are there", || (astra.living().len() >= least).then_some(()));
    let other = astra.pid_of("other");
    for (index, (name, ..)) in trees.iter().enumerate() {
        assert_eq!(astra.settle("stop", name), "stopped", "{name}");
        let least: usize = 1 + trees[index + 1..].iter().map(|(_, _, count)| count).sum::<usize>();
        assert!(astra.living().len() >= least, "{name} took others along");
    }
    assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
    assert_eq!(astra.pid_of("other"), other);
    let children = format!("/proc/{0}/task/{0}/children", astra.pid());
    let zombies = std::fs::read_to_string(children).unwrap();
    assert!(zombies.is_empty() || zombies.trim() == other.to_string(), "{zombies}");
}

#[test]
fn a_restart_ends_the_whole_tree_before_it_starts_another() {
    let daemon = format!("python3 {} keep", fixture("daemon.py"));
    let astra = Astra::start(json!({"web": {"cmd": format!("{daemon}; exec sleep 61")}}));
    for times in 1..4 {
        eventually("the daemon is there", || {
            (astra.lines("web").len() == times && astra.living().len() == 2).then_some(())
        });
        let old = astra.living();
        astra.settle("restart", "web");
        let living = astra.living();
        assert!(old.iter().all(|line| !living.contains(line)), "{old:?} {living:?}");
    }
    eventually("one tree is there", || (astra.living().len() == 2).then_some(()));
}

#[test]
fn usage_and_ends_of_identical_services_are_separate() {
    // Two services of the same command, each with an orphan: each stop takes its own.
    let daemon = format!("python3 {} keep; exec sleep 61", fixture("daemon.py"));
    let astra = Astra::start(json!({"one": {"cmd": daemon}, "twin": {"cmd": daemon}}));
    for name in ["one", "twin"] {
        astra.wait_for_line(name, "ready");
    }
    eventually("both trees are there", || (astra.living().len() == 4).then_some(()));
    assert_eq!(astra.settle("stop", "one"), "stopped");
    eventually("the other tree is there", || (astra.living().len() == 2).then_some(()));
    assert_eq!(astra.status("twin")["status"], "running");
}

#[test]
fn leftovers_do_not_prevent_the_next_start() {
    let astra = Astra::start(json!({
        "web": {
            "cmd": "[ -e last ] && exit 0; setsid sh -c 'trap \"\" TERM; echo ready; while :; do \
                    sleep 0.05; done' & while [ ! -e end ]; do sleep 0.02; done; exit 0",
            "stop_timeout": 0.3,
        },
        "other": {"cmd": "exec sleep 60", "autostart": false},
    }));
    astra.wait_for_line("web", "ready");
    astra.touch("end");
    astra.wait_for("web", "exited");
    astra.touch("last");
    // The leftover ignores SIGTERM: ending it takes a while and delays nothing else.
    astra.ask("start", "web").expect(200);
    assert_eq!(astra.settle("start", "other"), "running");
    eventually("only the other lives", || {
        (astra.living().len() == 1 && astra.status("web")["status"] == "exited").then_some(())
    });
}
