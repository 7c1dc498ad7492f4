//! Tokens and passwords.

use crate::harness::raw::Client;
use crate::harness::{Answer, Server, binary, eventually};

const TOKEN: &str = "Authorization: Bearer s3cret-token-0123";
/// `ann:pass:word`
const PASSWORD: &str = "Authorization: Basic YW5uOnBhc3M6d29yZA==";

fn catch_panic() -> Server {
    let mut command = binary();
    command
        .env("LLM_SHELL_TOKEN", "s3cret-token-0123")
        .env("LLM_SHELL_BASIC_AUTH", "ann:pass:word");
    Server::start_command(command)
}

fn get(server: &Server, path: &str, headers: &[&str]) -> Answer {
    server.request(&format!("GET {path}"), headers, b"")
}

#[test]
fn everything_but_health_needs_credentials() {
    let server = catch_panic();
    get(&server, "/health", &[]).expect(200);
    for request in [
        "GET /status",
        "GET /logs",
        "POST /start",
        "POST /kill",
        "POST /restart",
        "GET /nope",
        "DELETE /status",
    ] {
        let answer = server.request(request, &[], b"{\"command\":\"touch pwned\"}").expect(401);
        let challenge = answer.header("www-authenticate").unwrap().to_owned();
        assert!(challenge.contains("Bearer") && challenge.contains("Basic"), "{challenge}");
        answer.problem(401, "unauthorized");
    }
    for right in [TOKEN, PASSWORD] {
        get(&server, "/status", &[right]).problem(404, "not_found");
    }
    assert!(!server.folder().join("pwned").exists());
}

#[test]
fn login_is_blocked_after_ten_failures() {
    let server = catch_panic();
    let session = session(&server);
    let mut authenticated = Client::connect(server.address());
    let ask = format!("GET /status HTTP/1.1\r\nHost: localhost\r\n{TOKEN}\r\n\r\n");
    authenticated.send(&ask);
    assert_eq!(authenticated.answer().status, 404);
    for _ in 0..10 {
        get(&server, "/status", &["Authorization: Bearer s3cret-token-012E"]).expect(401);
    }
    let answer = get(&server, "/status", &["Authorization: Basic YW5uOnBhc3M="]).expect(429);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    answer.problem(429, "too_many_requests");
    get(&server, "/status", &[TOKEN]).expect(429);
    get(&server, "/status", &[]).expect(401);
    get(&server, "/health", &[]).expect(200);
    get(&server, "/status", &[&session]).expect(404);
    authenticated.send(&ask);
    assert_eq!(authenticated.answer().status, 404, "it was right on this connection before");
    let failed = "authentication failed: wrong credentials from 127.0.0.1:";
    let failures = || server.log().matches(failed).count();
    eventually("each failure is logged", || (failures() >= 10).then_some(()));
    server.get("/health").expect(200);
    assert_eq!(failures(), 10, "{}", server.log());
    let log = server.log();
    assert!(!log.contains("s3cret"), "{log}");
}

/// Returns the header of a session.
fn session(server: &Server) -> String {
    let body = format!("{{\"token\":\"{}\"}}", TOKEN.split(' ').next_back().unwrap());
    let answer = server.request("POST /login", &[], body.as_bytes()).expect(200).json();
    format!("Authorization: Bearer {}", answer["token"].as_str().unwrap())
}

#[test]
fn login_token_is_valid_until_logout() {
    let server = catch_panic();
    let log_in = |body: &str| server.request("POST /login", &[], body.as_bytes());
    for body in
        ["{\"token\":\"s3cret-token-0123\"}", "{\"user\":\"ann\",\"password\":\"pass:word\"}"]
    {
        let answer = log_in(body).expect(200);
        assert_eq!(answer.header("set-cookie"), None, "a cookie goes to every port of the host");
        let answer = answer.json();
        let token = answer["token"].as_str().unwrap();
        assert!(token.len() == 64 && !token.contains("s3cret"), "{token}");
        assert!(answer["expires_at"].as_str().unwrap().ends_with('Z'), "{answer}");
        let shown = format!("Authorization: Bearer {token}");
        get(&server, "/status", &[&shown]).expect(404);
        get(&server, "/status", &[&format!("Cookie: llm_shell_session={token}")]).expect(401);
        get(&server, "/status", &[&format!("{shown}0")]).expect(401);
        server.request("POST /logout", &[&shown], b"").expect(204);
        get(&server, "/status", &[&shown]).expect(401);
    }
    server.request("POST /logout", &[TOKEN], b"").problem(400, "bad_request");
    server.request("POST /logout", &[], b"").problem(401, "unauthorized");
    let tls = ["Origin: https://localhost", "Host: localhost"];
    let answer = server.request("POST /login", &tls[..1], b"{\"token\":\"s3cret-token-0123\"}");
    answer.expect(403);
    log_in("{\"token\":\"wrong\"}").problem(401, "unauthorized");
    log_in("{\"user\":\"ann\"}").problem(400, "bad_request");
    for neither in ["{}", "{\"user\":\"ann\"}", "{\"token\":\"a\",\"user\":\"ann\"}"] {
        let detail = log_in(neither).problem(400, "bad_request");
        assert!(detail.contains("expected either a token, or a user and a password"), "{detail}");
    }
}

#[test]
fn failed_logins_are_counted() {
    let server = catch_panic();
    for _ in 0..10 {
        server.request("POST /login", &[], b"{\"token\":\"wrong\"}").expect(401);
    }
    server.request("POST /login", &[], b"{\"token\":\"wrong\"}").expect(429);
    get(&server, "/status", &["Authorization: Bearer wrong"]).expect(429);
    server.request("POST /login", &[], b"{\"token\":\"s3cret-token-0123\"}").expect(429);
}

#[test]
fn no_configured_credentials_require_none() {
    let server = Server::start();
    server.get("/status").expect(404);
    server.request("POST /login", &[], b"{\"token\":\"x\"}").problem(400, "bad_request");
}
