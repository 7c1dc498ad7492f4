//! GET /events: all changes of state and health, in order.

use crate::harness::{Astra, Event, Stream};
use serde_json::{Value, json};

const PATH: &str = "/supervisor/events";

/// Opens a stream and waits until it is open.
fn open(astra: &Astra) -> Stream {
    let mut stream = astra.events(PATH);
    assert!(stream.line().starts_with(':'));
    stream
}

/// Opens a stream that resumes after an event.
fn resumed(astra: &Astra, id: u64) -> Stream {
    let id = format!("Last-Event-ID: {id}");
    Stream::open(astra.address(), PATH, &["Accept: text/event-stream", &id])
}

/// Reads the states of a service, up to this one.
fn states(stream: &mut Stream, name: &str, last: &str) -> Vec<String> {
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != last) {
        let event = stream.event_that(|event| event.data["service"] == name);
        if event.name == "state" {
            states.push(event.data["status"].as_str().unwrap().to_owned());
        }
    }
    states
}

#[test]
fn events_report_every_state() {
    let policy = json!({"max_restarts": 1, "backoff_seconds": 0.1});
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60", "autostart": false},
        "bad": {"cmd": "exit 1", "autostart": false, "restart_policy": policy},
    }));
    let mut stream = open(&astra);
    astra.settle("start", "web");
    assert_eq!(states(&mut stream, "web", "running"), ["starting", "running"]);
    astra.settle("restart", "web");
    let received = states(&mut stream, "web", "running");
    assert_eq!((&*received[0], received.len()), ("restarting", received.len()), "{received:?}");
    astra.settle("stop", "web");
    assert_eq!(states(&mut stream, "web", "stopped"), ["stopping", "stopped"]);
    astra.ask("start", "bad").expect(200);
    let received = states(&mut stream, "bad", "fatal");
    assert_eq!(received[0], "starting");
    assert_eq!(received.iter().filter(|state| *state == "backoff").count(), 1, "{received:?}");
}

#[test]
fn event_has_change_time_and_reason() {
    let astra = Astra::start(json!({"web": {
        "cmd": "exec sleep 60", "autostart": false,
        "health_check": {"cmd": "test -e well", "interval": 0.1, "retries": 1},
    }}));
    astra.touch("well");
    let mut stream = open(&astra);
    let before = chrono::Utc::now();
    astra.settle("start", "web");
    let starting = stream.event();
    assert_eq!((&*starting.name, &starting.data["status"]), ("state", &json!("starting")));
    let fields: Vec<_> = starting.data.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["at", "health", "message", "service", "status"]);
    let at: chrono::DateTime<chrono::Utc> = starting.data["at"].as_str().unwrap().parse().unwrap();
    assert!(at >= before - chrono::Duration::milliseconds(1) && at <= chrono::Utc::now(), "{at}");
    let health = stream.event_that(|event| event.name == "health");
    assert_eq!(
        (&health.data["health"], &health.data["service"]),
        (&json!("healthy"), &json!("web"))
    );
    std::fs::remove_file(astra.folder().join("well")).unwrap();
    let health = stream.event_that(|event| event.name == "health");
    assert_eq!(
        (&health.data["health"], &health.data["status"]),
        (&json!("unhealthy"), &json!("running"))
    );
    assert!(health.data["message"].as_str().unwrap().contains("exit code 1"), "{health:?}");
}

#[test]
fn all_clients_get_events_in_the_same_order() {
    let names: Vec<String> = (0..8).map(|index| format!("s{index}")).collect();
    let service = json!({"cmd": "exec sleep 60"});
    let services: Value = names.iter().map(|name| (name.clone(), service.clone())).collect();
    let astra = Astra::start(services);
    for name in &names {
        astra.wait_for(name, "running");
    }
    let streams = [open(&astra), open(&astra), open(&astra)];
    let body = json!({"action": "restart", "services": names});
    astra.post_json("/supervisor/bulk?wait=60", &body).expect(200);
    let body = json!({"action": "stop", "services": names});
    astra.post_json("/supervisor/bulk?wait=60", &body).expect(200);
    let all = streams.map(|mut stream| {
        let mut events: Vec<Event> = Vec::new();
        while events.iter().filter(|it| it.data["status"] == "stopped").count() < names.len() {
            events.push(stream.event());
        }
        events
    });
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    let ids: Vec<u64> = all[0].iter().map(|event| event.id.unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
}

#[test]
fn reconnecting_event_client_gets_each_event_once() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    let mut stream = open(&astra);
    astra.settle("stop", "web");
    let stopping = stream.event();
    drop(stream);
    astra.settle("start", "web");
    let mut stream = resumed(&astra, stopping.id.unwrap());
    let received: Vec<Event> = (0..3).map(|_| stream.event()).collect();
    let words: Vec<_> =
        received.iter().map(|event| event.data["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["stopped", "starting", "running"]);
    assert_eq!(received[0].id, stopping.id.map(|id| id + 1));
}

#[test]
fn client_is_notified_of_missed_events() {
    let mut astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    let mut stream = open(&astra);
    astra.settle("restart", "web");
    let last = stream.event_that(|event| event.data["status"] == "running").id.unwrap();
    for id in [0, 5] {
        let mut stream = resumed(&astra, id);
        assert_eq!(stream.event().name, "missed");
        assert!(stream.event().id <= Some(last), "what is kept follows");
    }
    astra.signal("TERM");
    astra.wait();
    astra.start_again();
    astra.wait_for("web", "running");
    let mut stream = resumed(&astra, last);
    assert_eq!(stream.event().name, "missed");
    let first = stream.event();
    assert!(first.id > Some(last), "numbers grow over restarts of the supervisor: {first:?}");
}

#[test]
fn unknown_event_id_does_not_block() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    for id in [u64::MAX, u64::MAX - 1, u64::MAX / 2] {
        let mut stream = resumed(&astra, id);
        astra.settle("restart", "web");
        stream.event_that(|event| event.data["status"] == "running");
    }
}

#[test]
fn events_report_a_removed_service() {
    let astra = Astra::start(json!({
        "web": {"cmd": "exec sleep 60"}, "db": {"cmd": "exec sleep 60"},
    }));
    astra.wait_for("web", "running");
    let mut stream = open(&astra);
    astra.write(json!({"db": {"cmd": "exec sleep 60"}}));
    astra.post_json("/supervisor/reload?wait=60", &json!({})).expect(200);
    let gone = stream.event_that(|event| event.name == "removed");
    assert_eq!(gone.data["service"], "web");
}

#[test]
fn event_stream_takes_a_slot_and_returns_it() {
    let astra =
        Astra::start_with(&["--max-streams", "1"], json!({"web": {"cmd": "exec sleep 60"}}));
    astra.wait_for("web", "running");
    let stream = open(&astra);
    astra.get(PATH).problem(503, "unavailable");
    drop(stream);
    crate::harness::eventually("the slot is free", || {
        (astra.get("/supervisor/logs/web?after=0&wait=0.01").status == 200).then_some(())
    });
}
