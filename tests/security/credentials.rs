//! Tokens and passwords.

use crate::harness::{Answer, Server, binary};

const TOKEN: &str = "Authorization: Bearer s3cret-token";
/// `ann:pass:word`
const PASSWORD: &str = "Authorization: Basic YW5uOnBhc3M6d29yZA==";

fn guarded() -> Server {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token").env("LLM_SHELL_BASIC_AUTH", "ann:pass:word");
    Server::start_command(command)
}

fn get(server: &Server, path: &str, headers: &[&str]) -> Answer {
    server.request(&format!("GET {path}"), headers, b"")
}

#[test]
fn everything_but_health_needs_credentials() {
    let server = guarded();
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
fn wrong_credentials_are_refused_and_the_right_ones_always_pass() {
    let server = guarded();
    for _ in 0..10 {
        get(&server, "/status", &["Authorization: Bearer s3cret-tokem"]).expect(401);
    }
    let answer = get(&server, "/status", &["Authorization: Basic YW5uOnBhc3M="]).expect(429);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    answer.problem(429, "too_many_requests");
    get(&server, "/status", &[TOKEN]).expect(404);
    get(&server, "/status", &[]).expect(401);
    get(&server, "/health", &[]).expect(200);
}

#[test]
fn a_login_gives_a_cookie_that_opens() {
    let server = guarded();
    let log_in = |body: &str| server.request("POST /login", &[], body.as_bytes());
    for body in ["{\"token\":\"s3cret-token\"}", "{\"user\":\"ann\",\"password\":\"pass:word\"}"] {
        let answer = log_in(body).expect(204);
        let cookie = answer.header("set-cookie").unwrap().to_owned();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("s3cret") && !cookie.contains("Secure"), "{cookie}");
        let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
        get(&server, "/status", &[&cookie]).expect(404);
        get(&server, "/status", &[&format!("{cookie}x")]).expect(401);
    }
    let tls = ["Origin: https://localhost", "Host: localhost"];
    let answer = server.request("POST /login", &tls[..1], b"{\"token\":\"s3cret-token\"}");
    answer.expect(403);
    log_in("{\"token\":\"wrong\"}").problem(401, "unauthorized");
    log_in("{\"user\":\"ann\"}").problem(400, "bad_request");
    for neither in ["{}", "{\"user\":\"ann\"}", "{\"token\":\"a\",\"user\":\"ann\"}"] {
        let detail = log_in(neither).problem(400, "bad_request");
        assert!(detail.contains("expected a token alone, or a user and a password"), "{detail}");
    }
}

#[test]
fn guesses_at_a_login_are_counted() {
    let server = guarded();
    for _ in 0..10 {
        server.request("POST /login", &[], b"{\"token\":\"wrong\"}").expect(401);
    }
    server.request("POST /login", &[], b"{\"token\":\"wrong\"}").expect(429);
    get(&server, "/status", &["Authorization: Bearer wrong"]).expect(429);
    server.request("POST /login", &[], b"{\"token\":\"s3cret-token\"}").expect(204);
}

#[test]
fn without_credentials_set_nobody_is_asked() {
    let server = Server::start();
    server.get("/status").expect(404);
    server.request("POST /login", &[], b"{\"token\":\"x\"}").problem(400, "bad_request");
}
