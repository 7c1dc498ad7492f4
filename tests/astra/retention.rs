//! Retention and location of logs.

use crate::harness::{Astra, binary};
use serde_json::json;

#[test]
fn each_service_has_its_own_log_directory_and_limits() {
    let astra = Astra::start(json!({
        "web": {"cmd": "echo x", "autostart": false, "log": {"keep": 2}},
        "db": {"cmd": "echo y"},
    }));
    for runs in 1..=5 {
        astra.ask("start", "web").expect(200);
        astra.wait_until("web", "done", |it| {
            let page = astra.get("/supervisor/logs/web").expect(200).json();
            it["status"] == "exited" && page["total_lines"] == runs
        });
    }
    let logs = |name: &str| {
        let entries = std::fs::read_dir(astra.folder().join("logs").join(name)).unwrap();
        let paths = entries.map(|it| it.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|end| end == "log")).count()
    };
    assert_eq!(logs("web"), 2);
    astra.wait_for("db", "exited");
    assert_eq!(logs("db"), 1);
    // Dropped lines are still counted.
    let page = astra.get("/supervisor/logs/web?lines=0").expect(200).json();
    assert_eq!(
        (&page["total_lines"], &page["first"], &page["next"]),
        (&json!(5), &json!(4), &json!(5))
    );
}

#[test]
fn removed_log_directory_stops_nothing() {
    let astra = Astra::start(json!({"web": {"cmd": "echo ready; exec sleep 60"}}));
    astra.wait_for_line("web", "ready");
    std::fs::remove_dir_all(astra.folder().join("logs")).unwrap();
    assert_eq!(astra.settle("restart", "web"), "running");
    astra.wait_for_line("web", "ready");
    assert!(astra.folder().join("logs/web").is_dir());
    let mut second = binary();
    second.args(["astra", "--config", "services.json", "--port", "0", "--log-dir", "logs"]);
    let second = second.current_dir(astra.folder()).output().unwrap();
    assert_eq!(second.status.code(), Some(1), "it is locked again");
    assert_eq!(astra.living().len(), 1, "{:?}", astra.living());
}

#[test]
fn dropped_lines_are_counted_in_the_status() {
    let cmd = "echo one; while [ ! -e go ]; do sleep 0.01; done; while sleep 0.1; do echo x; done";
    let astra = Astra::start(json!({"web": {"cmd": cmd}}));
    astra.wait_for_line("web", "one");
    assert_eq!(astra.status("web")["log_dropped_lines"], 0);
    let logs = astra.folder().join("logs/web");
    std::fs::remove_dir_all(&logs).unwrap();
    std::fs::write(&logs, "in the way").unwrap();
    astra.touch("go");
    astra.wait_until("web", "missing lines", |it| it["log_dropped_lines"].as_u64() > Some(0));
}
