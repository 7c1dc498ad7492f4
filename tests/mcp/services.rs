//! The tools of Astra.

use super::{call, meta, post, refused, request, stateless_headers, tool_text};
use crate::harness::{Astra, eventually};
use serde_json::json;

fn start() -> Astra {
    let astra = Astra::start(json!({
        "web": {"cmd": "echo begun; exec sleep 60", "port": 8080},
        "worker": {"cmd": "echo working; exec sleep 60", "depends_on": ["web"]},
        "broken": {"cmd": "echo oops; exit 3", "restart_policy": {"mode": "never"}},
        "big": {"cmd": "seq 1000; exec sleep 60"},
    }));
    astra.wait_for("worker", "running");
    astra.wait_for_line("big", "1000");
    astra.wait_for("broken", "crashed");
    astra.wait_for_line("worker", "working");
    astra
}

#[test]
fn services_are_listed_with_their_states() {
    let astra = start();
    let text = tool_text(&astra, "list_services", &json!({}));
    assert!(text.starts_with("[4 services | 3 running | "), "{text}");
    assert!(text.contains("\nbroken | crashed | exit code 3 | "), "{text}");
    let web = text.lines().find(|line| line.starts_with("web |")).unwrap();
    assert!(web.contains(" % CPU | ") && web.contains(" MiB | "), "{web}");
    assert!(text.contains("\nweb | running | pid ") && text.contains(" | port 8080 | "), "{text}");
    let one = call(&astra, "list_services", &json!({"name": "web"}));
    assert_eq!(one.data["services"].as_object().unwrap().len(), 1);
    assert!(
        refused(&astra, "list_services", &json!({"name": "nope"})).contains("the nearest of 4 are")
    );
}

#[test]
fn a_service_is_stopped_started_restarted_and_reloaded() {
    let astra = start();
    let stopped = tool_text(&astra, "stop_service", &json!({"name": "worker"}));
    assert!(stopped.starts_with("[worker | stopped | "), "{stopped}");
    assert!(
        refused(&astra, "stop_service", &json!({"name": "worker"})).contains("worker is stopped")
    );
    let config = json!({"env": {"GREETING": "hello"}, "cmd": "echo $GREETING; exec sleep 60"});
    let started = call(&astra, "start_service", &json!({"name": "worker", "config": config}));
    assert_eq!((started.is_error, &started.data["status"]), (false, &json!("running")));
    astra.wait_for_line("worker", "hello");
    let restarted = tool_text(&astra, "restart_service", &json!({"name": "worker"}));
    assert!(restarted.starts_with("[worker | running | pid "), "{restarted}");
    assert!(restarted.contains(" | 1 restart in total]\nRunning."), "{restarted}");
    let reloaded = tool_text(&astra, "reload_service", &json!({}));
    assert!(reloaded.contains("list_services"), "{reloaded}");
    let unchanged = tool_text(&astra, "reload_service", &json!({"name": "web"}));
    assert!(unchanged.contains("nothing was restarted.\nRunning."), "{unchanged}");
    astra.write_text("{");
    assert!(refused(&astra, "reload_service", &json!({})).contains("services.json:1:"));
    assert!(refused(&astra, "start_service", &json!({"name": "web", "wait": 51})).contains("50"));
}

#[test]
fn output_of_a_service_is_read_by_cursor() {
    let astra = start();
    let text = tool_text(&astra, "service_logs", &json!({"name": "broken"}));
    assert!(text.starts_with("[broken | crashed | lines 1-1 of 1]\n["), "{text}");
    assert!(text.contains("] oops\n[crashed: start_service name=broken"), "{text}");
    let next = call(&astra, "service_logs", &json!({"name": "web", "after": 1, "wait": 0.1}));
    assert_eq!((&next.data["logs"], &next.data["next"]), (&json!([]), &json!(1)));
    assert!(next.text.contains("\n(no output)\n"), "{}", next.text);
    let cut =
        tool_text(&astra, "service_logs", &json!({"name": "big", "lines": 0, "max_bytes": 600}));
    assert!(cut.contains(" left out: service_logs name=big after="), "{cut}");
    assert!(refused(&astra, "service_logs", &json!({"name": ""})).contains("name is empty"));
    assert!(refused(&astra, "list_services", &json!({"name": ""})).contains("name is empty"));
    let none =
        tool_text(&astra, "service_logs", &json!({"name": "web", "grep": "nothing like it"}));
    assert!(none.contains("(no output)"), "{none}");
    assert!(refused(&astra, "service_logs", &json!({"name": "web", "line": 5})).contains("`line`"));
}

#[test]
fn health_and_bulk_tools_work() {
    let astra = start();
    let system = tool_text(&astra, "check_health", &json!({}));
    assert!(system.starts_with("[system | degraded]\nbroken: crashed\n"), "{system}");
    let one = tool_text(&astra, "check_health", &json!({"name": "web"}));
    assert!(one.starts_with("[web | unknown]\n(no checks ran"), "{one}");
    let bulk = json!({"action": "restart", "services": ["web", "worker", "nope"]});
    let text = tool_text(&astra, "bulk", &bulk);
    assert!(text.contains("web running\n") && text.contains("worker running\n"), "{text}");
    assert!(text.contains("nope error: There is no service"), "{text}");
    eventually("they are up", || (astra.status("worker")["status"] == "running").then_some(()));
}

#[test]
fn service_tools_are_listed() {
    let astra = start();
    let headers = stateless_headers("tools/list", None);
    let listed = post(&astra, &headers, &request("tools/list", &json!({"_meta": meta()})));
    let listed = listed.expect(200).json();
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "list_services",
            "start_service",
            "stop_service",
            "restart_service",
            "reload_service",
            "service_logs",
            "check_health",
            "bulk"
        ]
    );
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
    }
}

#[test]
fn service_before_its_first_passed_check_is_starting() {
    let astra = Astra::start(json!({
        "slow": {"cmd": "echo begun; exec sleep 60", "health_check": {"cmd": "exit 1"}},
    }));
    astra.wait_for_line("slow", "begun");
    let text = tool_text(&astra, "service_logs", &json!({"name": "slow"}));
    assert!(text.starts_with("[slow | starting | lines 1-1 of 1]\n"), "{text}");
    assert!(
        text.ends_with("\n[service_logs name=slow after=1 wait=20 waits for more]\n"),
        "{text}"
    );
}
