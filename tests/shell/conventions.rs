//! Rules for all routes: errors as problems, unknown paths, request ids.

use crate::harness::{Server, eventually};
use serde_json::json;

#[test]
fn an_unknown_path_is_not_found() {
    let detail = Server::start().get("/starts").problem(404, "not_found");
    assert!(detail.contains("\"/starts\"") && detail.contains("POST /start"), "{detail}");
}

#[test]
fn wrong_method_lists_the_allowed_ones() {
    let server = Server::start();
    for (path, allowed) in [
        ("/start", "POST"),
        ("/status", "GET, HEAD"),
        ("/kill", "POST"),
        ("/restart", "POST"),
        ("/logs", "GET, HEAD"),
        ("/health", "GET, HEAD"),
    ] {
        let answer = server.request(&format!("DELETE {path}"), &[], b"").expect(405);
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
        answer.problem(405, "method_not_allowed");
    }
}

#[test]
fn head_works_like_get_and_trailing_slashes_are_ignored() {
    let server = Server::start();
    server.run_to_end("echo hello");
    for path in ["/status", "/logs", "/health"] {
        let head = server.request(&format!("HEAD {path}"), &[], b"").expect(200);
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(head.header("content-type"), Some("application/json"), "{path}");
        server.get(&format!("{path}/")).expect(200);
    }
}

#[test]
fn answers_have_an_id_and_security_headers() {
    let server = Server::start();
    for (path, status) in [("/health", 200), ("/status", 404), ("/nope", 404)] {
        let answer = server.get(path).expect(status);
        assert!(!answer.header("x-request-id").unwrap().is_empty());
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let id = "a".repeat(64);
    let mine = server.request("GET /health", &[&format!("X-Request-Id: {id}")], b"");
    assert_eq!(mine.header("x-request-id"), Some(&*id));
    for bad in ["a".repeat(65), "a b".to_owned()] {
        let other = server.request("GET /health", &[&format!("X-Request-Id: {bad}")], b"");
        assert_ne!(other.header("x-request-id"), Some(&*bad));
    }
    eventually("the access log names the request", || {
        let log = server.log();
        log.lines().any(|line| line.contains("GET /health 200") && line.contains(&id)).then_some(())
    });
}

#[test]
fn query_strings_are_not_logged() {
    let server = Server::start();
    server.get("/health?secret=hunter2").problem(400, "bad_request");
    server.wait_for_log("GET /health 400");
    assert!(!server.log().contains("hunter2"), "{}", server.log());
}

#[test]
fn unknown_and_repeated_parameters_are_named() {
    let server = Server::start();
    server.run("sleep 60");
    for (request, expected) in [
        ("POST /start?comand=ls", "comand"),
        ("GET /status?verbose=1", "verbose"),
        ("POST /kill?signal=SIGTERM", "signal"),
        ("POST /kill?type=SIGTERM&type=SIGKILL", "type"),
        ("POST /restart?timout=1", "timout"),
        ("GET /logs?line=5", "line"),
        ("GET /health?x=%ff", "UTF-8"),
    ] {
        let detail = server.request(request, &[], b"{\"command\":\"ls\"}");
        let detail = detail.problem(400, "bad_request");
        assert!(detail.contains(expected), "{request}: {detail}");
    }
    assert_eq!(server.get("/status").expect(200).json()["status"], "running");
    server.post("/kill").expect(200);
}

#[test]
fn invalid_body_is_named_and_starts_nothing() {
    let server = Server::start();
    for (body, expected) in [
        ("", "line 1 column 0"),
        ("{\"command\": \n", "line 2 column 0"),
        ("{\"comand\":\"ls\"}", "`comand`"),
        ("{\"command\":\"ls\",\"shell\":true}", "`shell`"),
        (
            "{\"command\":[\"ls\"]}",
            "\"command\" must be a string, got an array at line 1 column 11",
        ),
        ("[\"ls\"]", "array"),
        ("{\"command\":\"ls\"} trailing", "line 1 column 18"),
    ] {
        let detail = server.request("POST /start", &[], body.as_bytes());
        let detail = detail.problem(400, "bad_request");
        assert!(detail.contains(expected), "{body}: {detail}");
    }
    server.get("/status").problem(404, "not_found");
}

#[test]
fn body_is_parsed_as_json_for_any_content_type() {
    let server = Server::start();
    let body = json!({"command": "true"}).to_string();
    for kind in ["application/x-www-form-urlencoded", "text/plain", "application/json"] {
        let header = format!("Content-Type: {kind}");
        server.request("POST /start", &[&header], body.as_bytes()).expect(201);
        server.ended();
    }
}

#[test]
fn a_body_over_a_mebibyte_is_too_large() {
    let server = Server::start();
    let body = vec![b' '; 1024 * 1024 + 1];
    let detail = server.request("POST /start", &[], &body).problem(413, "payload_too_large");
    assert!(detail.contains("1048576"), "{detail}");
    let fits = [&vec![b' '; 1024 * 1024 - 18][..], b"{\"command\":\"true\"}"].concat();
    server.request("POST /start", &[], &fits).expect(201);
    server.ended();
}
