//! The tools of Astra.

use super::{call, listed, refused, tool_text};
use crate::harness::{Astra, eventually};
use serde_json::{Value, json};

/// Calls a tool, asserts success, and returns its text without the number of its frame.
#[track_caller]
fn text_of(astra: &Astra, tool: &str, arguments: &Value) -> String {
    super::unframed(&tool_text(astra, tool, arguments))
}

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
    let text = text_of(&astra, "list_services", &json!({}));
    assert!(text.starts_with("[4 services | 3 running | "), "{text}");
    assert!(text.contains("\nbroken | crashed | exit code 3 | "), "{text}");
    let web = text.lines().find(|line| line.starts_with("web |")).unwrap();
    assert!(web.contains(" % CPU | ") && web.contains(" MiB | "), "{web}");
    assert!(text.contains("\nweb | running | pid ") && text.contains(" | port 8080 | "), "{text}");
    let one = call(&astra, "list_services", &json!({"name": "web"}));
    let expected = json!({"text": one.text, "service": "web", "state": "running"});
    assert_eq!(one.data, expected);
    assert!(
        refused(&astra, "list_services", &json!({"name": "nope"})).contains("the nearest of 4 are")
    );
}

#[test]
fn a_service_is_stopped_started_restarted_and_reloaded() {
    let astra = start();
    let stopped = text_of(&astra, "stop_service", &json!({"name": "worker"}));
    assert!(stopped.starts_with("[worker | stopped | "), "{stopped}");
    assert!(
        refused(&astra, "stop_service", &json!({"name": "worker"})).contains("worker is stopped")
    );
    let config = json!({"env": {"GREETING": "hello"}, "cmd": "echo $GREETING; exec sleep 60"});
    let started = call(&astra, "start_service", &json!({"name": "worker", "config": config}));
    assert_eq!((started.is_error, &started.data["state"]), (false, &json!("running")));
    astra.wait_for_line("worker", "hello");
    let restarted = text_of(&astra, "restart_service", &json!({"name": "worker"}));
    assert!(restarted.starts_with("[worker | running | pid "), "{restarted}");
    assert!(restarted.contains(" | 1 restart in total]\nRunning."), "{restarted}");
    let reloaded = text_of(&astra, "reload_service", &json!({}));
    assert!(reloaded.contains("list_services"), "{reloaded}");
    let unchanged = text_of(&astra, "reload_service", &json!({"name": "web"}));
    assert!(unchanged.contains("nothing was restarted.\nRunning."), "{unchanged}");
    astra.write_text("{");
    assert!(refused(&astra, "reload_service", &json!({})).contains("services.json:1:"));
    assert!(refused(&astra, "start_service", &json!({"name": "web", "wait": 51})).contains("50"));
}

#[test]
fn output_of_a_service_is_read_by_cursor() {
    let astra = start();
    let text = text_of(&astra, "service_logs", &json!({"name": "broken"}));
    assert!(text.starts_with("[broken | crashed | lines 1-1 of 1]\n["), "{text}");
    assert!(text.contains("] oops\n[crashed: start_service name=broken"), "{text}");
    let next = call(&astra, "service_logs", &json!({"name": "web", "after": 1, "wait": 0.1}));
    let expected = json!({"text": next.text, "service": "web", "state": "running", "next": 1});
    assert_eq!(next.data, expected);
    assert!(next.text.contains("\n(no output)\n"), "{}", next.text);
    let cut =
        text_of(&astra, "service_logs", &json!({"name": "big", "lines": 0, "max_bytes": 600}));
    assert!(cut.contains(" left out: service_logs name=big after="), "{cut}");
    assert!(refused(&astra, "service_logs", &json!({"name": ""})).contains("name is empty"));
    assert!(refused(&astra, "list_services", &json!({"name": ""})).contains("name is empty"));
    let none = text_of(&astra, "service_logs", &json!({"name": "web", "grep": "nothing like it"}));
    assert!(none.contains("(no output)"), "{none}");
    assert!(refused(&astra, "service_logs", &json!({"name": "web", "line": 5})).contains("`line`"));
}

#[test]
fn health_and_bulk_tools_work() {
    let astra = start();
    let system = text_of(&astra, "check_health", &json!({}));
    assert!(system.starts_with("[system | degraded]\nbroken: crashed\n"), "{system}");
    let one = text_of(&astra, "check_health", &json!({"name": "web"}));
    assert!(one.starts_with("[web | unknown]\n(no checks ran"), "{one}");
    let bulk = json!({"action": "restart", "services": ["web", "worker", "nope"]});
    let text = text_of(&astra, "bulk", &bulk);
    assert!(text.contains("web running\n") && text.contains("worker running\n"), "{text}");
    assert!(text.contains("nope error: There is no service"), "{text}");
    eventually("they are up", || (astra.status("worker")["status"] == "running").then_some(()));
}

#[test]
fn service_tools_are_listed() {
    let astra = start();
    let listed = listed(&astra);
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "list_services",
            "describe_service",
            "start_service",
            "add_service",
            "stop_service",
            "restart_service",
            "remove_service",
            "reload_service",
            "service_logs",
            "read_events",
            "check_health",
            "bulk"
        ]
    );
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        assert_eq!(tool["outputSchema"], tools[0]["outputSchema"], "{tool}");
    }
    assert!(listed.to_string().len() < 9_500, "{}", listed.to_string().len());
}

#[test]
fn service_before_its_first_passed_check_is_starting() {
    let astra = Astra::start(json!({
        "slow": {"cmd": "echo begun; exec sleep 60", "health_check": {"cmd": "exit 1"}},
    }));
    astra.wait_for_line("slow", "begun");
    let text = text_of(&astra, "service_logs", &json!({"name": "slow"}));
    assert!(text.starts_with("[slow | starting | lines 1-1 of 1]\n"), "{text}");
    assert!(
        text.ends_with("\n[service_logs name=slow after=1 wait=20 waits for more]\n"),
        "{text}"
    );
}

#[test]
fn logs_are_searched_with_context_and_awaited() {
    let astra = start();
    let found = json!({"name": "big", "grep": "^500$", "context": 1});
    let text = text_of(&astra, "service_logs", &found);
    let lines: Vec<_> = text.lines().filter_map(|line| line.split_once("] ")).collect();
    let numbers: Vec<_> = lines.iter().map(|(_, line)| *line).take(3).collect();
    assert_eq!(numbers, ["499", "500", "501"], "{text}");
    let matched = json!({"name": "big", "after": 1, "limit": 1, "wait": 20, "until": "match:^9"});
    assert!(text_of(&astra, "service_logs", &matched).contains("\n[matched: 9]\n"));
    let until = json!({"name": "big", "until": "end"});
    assert!(refused(&astra, "service_logs", &until).contains("needs wait"));
    let context = json!({"name": "big", "context": 1});
    assert!(refused(&astra, "service_logs", &context).contains("context needs grep"));
}

#[test]
fn a_service_is_described_with_masked_secrets() {
    let astra = start();
    let config = json!({"cmd": "exec sleep 60", "env": {"API_TOKEN": "s3cret-value"}});
    let added = call(&astra, "add_service", &json!({"name": "extra", "config": config}));
    let expected = json!({"text": added.text, "service": "extra", "state": "running"});
    assert_eq!(added.data, expected);
    let text = text_of(&astra, "describe_service", &json!({"name": "extra"}));
    assert!(text.starts_with("[extra | running | added by a client]\n{\n"), "{text}");
    assert!(text.contains("\"API_TOKEN\": \"***\"") && !text.contains("s3cret"), "{text}");
    let broken = text_of(&astra, "describe_service", &json!({"name": "broken"}));
    assert!(broken.contains("| exit code 3 | itself | "), "{broken}");
    let again = json!({"name": "web", "config": config});
    assert!(refused(&astra, "add_service", &again).contains("There is a service web already"));
    assert!(refused(&astra, "add_service", &json!({"name": "x"})).contains("`config`"));
    assert!(refused(&astra, "describe_service", &json!({"name": "x"})).contains("no service"));
    let removed = call(&astra, "remove_service", &json!({"name": "extra"}));
    assert!(removed.text.starts_with("[extra | removed | #"), "{}", removed.text);
    assert_eq!(removed.data, json!({"text": removed.text, "service": "extra"}));
    assert!(refused(&astra, "remove_service", &json!({"name": "web"})).contains("services file"));
}

#[test]
fn events_are_read_after_an_id() {
    let astra = start();
    let last = call(&astra, "read_events", &json!({}));
    assert!(last.text.contains(" web running: Running"), "{}", last.text);
    let next = last.data["next"].as_u64().unwrap();
    assert!(last.text.contains(&format!("read_events after={next} wait=20")), "{}", last.text);
    let none = text_of(&astra, "read_events", &json!({"after": next, "wait": 0.1}));
    assert!(none.starts_with("[0 events]\n(no events)\n"), "{none}");
    text_of(&astra, "stop_service", &json!({"name": "worker"}));
    let stopped = text_of(&astra, "read_events", &json!({"after": next, "wait": 20}));
    assert!(stopped.contains(" worker stop"), "{stopped}");
    let gone = text_of(&astra, "read_events", &json!({"after": next + 1_000_000_000}));
    assert!(gone.contains("no longer kept: list_services"), "{gone}");
    assert!(refused(&astra, "read_events", &json!({"wait": 1})).contains("needs after"));
}
