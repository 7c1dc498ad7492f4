//! Invalid files: nothing changes, and every error has its position.

use crate::harness::Astra;
use serde_json::{Value, json};

fn one_service() -> Astra {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    astra
}

/// Reloads in both ways, asserts the refusals, and returns the detail.
fn refused(astra: &Astra) -> String {
    let all = astra.post_json("/supervisor/reload", &json!({})).problem(400, "bad_request");
    let one = astra.ask("reload", "web").problem(400, "bad_request");
    assert_eq!(all, one);
    all
}

#[test]
fn every_error_has_line_column_and_field() {
    let astra = one_service();
    let pid = astra.pid_of("web");
    for (text, places) in [
        ("", &["services.json:1:"][..]),
        ("{\n \"web\": {\"cmd\": \"x\",}\n}", &["services.json:2:"][..]),
        ("[]", &["services.json:1:1: "][..]),
        ("{\n \"web\": {\"cmd\": 5}\n}", &["services.json:2:17: web.cmd: "][..]),
        ("{\n \"web\": {\"comd\": \"x\"}\n}", &["2:9: web: ", "2:10: web.comd: "][..]),
        (
            "{\n \"web\": {\"cmd\": \"x\",\n  \"health_check\": {\"url\": \"http://x\",\n   \
             \"timeout\": -1}}\n}",
            &["services.json:4:15: web.health_check.timeout"][..],
        ),
        ("{\"a\": {\"cmd\": \"x\", \"depends_on\": [\"b\"]}}", &["a.depends_on", "\"b\""][..]),
        (
            "{\"a\": {\"cmd\": \"x\", \"depends_on\": [\"b\"]},\n\"b\": {\"cmd\": \"x\", \
             \"depends_on\": [\"a\"]}}",
            &["cycle: a -> b -> a"][..],
        ),
        ("{\"a b\": {\"cmd\": \"x\"}}", &["1:2: "][..]),
        ("{\"a\": {\"cmd\": \"x\"}, \"a\": {\"cmd\": \"x\"}}", &["twice"][..]),
        ("{\"a\": {\"cmd\": \"x\", \"cwd\": \"${NO_SUCH_NAME}\"}}", &["NO_SUCH_NAME"][..]),
    ] {
        astra.write_text(text);
        let detail = refused(&astra);
        for place in places {
            assert!(detail.contains(place), "{text}\n{place}\n{detail}");
        }
        assert_eq!(astra.pid_of("web"), pid);
    }
    let all = astra.get("/supervisor/status").expect(200).json();
    assert_eq!(all["system"]["total_services"], 1);
}

#[test]
fn missing_file_changes_nothing() {
    let astra = one_service();
    std::fs::remove_file(astra.folder().join("services.json")).unwrap();
    let detail = refused(&astra);
    assert!(detail.contains("services.json") && detail.contains("No such file"), "{detail}");
    assert_eq!(astra.status("web")["status"], "running");
}

#[test]
fn unknown_field_is_reported_with_a_suggestion() {
    let astra = one_service();
    for (field, nearest) in
        [("autostrat", "autostart"), ("depend_on", "depends_on"), ("stop_timout", "stop_timeout")]
    {
        astra.write_text(&json!({"web": {"cmd": "x", field: 1}}).to_string());
        let detail = refused(&astra);
        assert!(detail.contains(&format!("did you mean \"{nearest}\"")), "{detail}");
    }
}

#[test]
fn corrected_file_is_applied() {
    let astra = one_service();
    astra.write_text("{\"web\": {}}");
    refused(&astra);
    astra.write(json!({"web": {"cmd": "echo corrected; exec sleep 60"}}));
    let answer = astra.post_json("/supervisor/reload?wait=60", &json!({})).expect(200).json();
    assert_ne!(answer["message"], Value::Null);
    astra.wait_for_line("web", "corrected");
}
