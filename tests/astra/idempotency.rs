//! `Idempotency-Key`: a repeated request is executed once.

use crate::harness::{Answer, Astra};
use serde_json::{Value, json};

fn send(astra: &Astra, verb: &str, key: &str, body: &Value) -> Answer {
    let header = format!("Idempotency-Key: {key}");
    let path = format!("POST /supervisor/{verb}");
    astra.request(&path, &[&header], body.to_string().as_bytes())
}

fn service() -> Astra {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    astra
}

#[test]
fn each_operation_runs_once_per_key() {
    let astra = service();
    let (name, all) = (json!({"name": "web"}), json!({"action": "restart", "services": ["web"]}));
    let code = json!({"name": "web", "type": "code"});
    for (verb, body, restarts) in [
        ("restart?wait=60", &name, 1),
        ("reload?wait=60", &code, 2),
        ("bulk?wait=60", &all, 3),
        ("stop?wait=60", &name, 3),
        ("start?wait=60", &name, 3),
    ] {
        let first = send(&astra, verb, verb, body).expect(200).text();
        let report = astra.status("web");
        assert_eq!(report["restart_count"], restarts, "{verb}");
        for _ in 0..2 {
            assert_eq!(send(&astra, verb, verb, body).expect(200).text(), first, "{verb}");
        }
        assert_eq!(astra.status("web")["pid"], report["pid"], "{verb}");
    }
}

#[test]
fn key_reused_for_another_request_is_refused() {
    let astra = service();
    let body = json!({"name": "web"});
    send(&astra, "restart?wait=60", "one", &body).expect(200);
    let pid = astra.pid_of("web");
    let other = json!({"name": "web", "config": {"env": {"A": "1"}}});
    send(&astra, "restart?wait=60", "one", &other).problem(409, "conflict");
    assert_eq!(astra.pid_of("web"), pid);
    // Keys are separate for each route.
    send(&astra, "stop?wait=60", "one", &body).expect(200);
}

#[test]
fn refused_request_can_be_repeated() {
    let astra = service();
    let body = json!({"name": "web"});
    send(&astra, "start", "one", &body).problem(409, "conflict");
    astra.settle("stop", "web");
    let started = send(&astra, "start?wait=60", "two", &body).expect(200).json();
    assert_eq!(started["status"], "running");
    astra.settle("stop", "web");
    send(&astra, "start", "one", &body).expect(200);
    astra.wait_for("web", "running");
}

#[test]
fn concurrent_duplicates_run_once() {
    let astra = service();
    std::thread::scope(|scope| {
        let restart = || {
            let body = json!({"name": "web"});
            send(&astra, "restart?wait=60", "twins", &body).expect(200).text()
        };
        let twins: Vec<_> = (0..5).map(|_| scope.spawn(restart)).collect();
        let mut answers: Vec<String> = twins.into_iter().map(|it| it.join().unwrap()).collect();
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
    });
    assert_eq!(astra.status("web")["restart_count"], 1);
}
