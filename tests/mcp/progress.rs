//! Notifications about the progress of a tool call.

use super::speaker::Speaker;
use super::{meta, post, request, stateless_headers};
use crate::harness::{Server, binary};
use serde_json::{Value, json};

/// A call that waits for six seconds.
fn slow_call() -> Value {
    let arguments = json!({"command": "sleep 6; echo done", "wait": 20});
    let mut call = request("tools/call", &json!({"name": "start_command", "arguments": arguments}));
    call["params"]["_meta"] = json!({"progressToken": "p1"});
    call
}

#[track_caller]
fn assert_progress(notification: &Value) {
    let params = json!({"progressToken": "p1", "progress": 5, "message": "5 s"});
    let expected = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params});
    assert_eq!(*notification, expected);
}

#[test]
fn waiting_calls_report_their_progress_on_stdio() {
    let server = Server::start();
    let url = format!("http://{}", server.address());
    let mut speakers = [Speaker::start(binary(), &[]), Speaker::start(binary(), &["--url", &url])];
    for speaker in &mut speakers {
        speaker.say(&slow_call());
    }
    for speaker in &mut speakers {
        assert_progress(&speaker.hear());
        let answer = speaker.hear();
        assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(1), &json!(false)));
        assert!(speaker.leave().success());
        assert!(speaker.lines.as_mut().unwrap().next().is_none(), "another message");
    }
}

#[test]
fn waiting_calls_report_their_progress_in_a_stream() {
    let server = Server::start();
    let mut call = slow_call();
    let accept = "Accept: application/json, text/event-stream".to_owned();
    let headers =
        |tool| [stateless_headers("tools/call", Some(tool)), vec![accept.clone()]].concat();
    for (name, value) in meta().as_object().unwrap() {
        call["params"]["_meta"][name] = value.clone();
    }
    let answer = post(&server, &headers("start_command"), &call).expect(200);
    assert!(answer.head.to_lowercase().contains("content-type: text/event-stream"));
    let text = answer.text();
    let messages: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(messages.len(), 2, "{text}");
    assert_progress(&messages[0]);
    let result = &messages[1]["result"];
    assert_eq!((&messages[1]["id"], &result["resultType"]), (&json!(1), &json!("complete")));
    assert_eq!(result["structuredContent"]["state"], "exited");
    // An invalid call has a status, and a client without a token gets JSON.
    call["params"]["name"] = json!("nope");
    post(&server, &headers("nope"), &call).expect(400).json();
    let mut short = request("tools/call", &json!({"name": "list_runs", "_meta": meta()}));
    let answer = post(&server, &headers("list_runs"), &short).expect(200).json();
    assert_eq!(answer["result"]["isError"], false);
    short["params"]["_meta"]["progressToken"] = json!(7);
    let json_only = stateless_headers("tools/call", Some("list_runs"));
    let answer = post(&server, &json_only, &short).expect(200).json();
    assert_eq!(answer["result"]["isError"], false);
}
