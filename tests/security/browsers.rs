//! Pages of strangers: other origins, and names that are not ours.

use crate::harness::{Server, binary};

#[test]
fn a_name_that_is_not_ours_is_refused() {
    let mut command = binary();
    command.env("LLM_SHELL_ALLOWED_HOSTS", "shell.example, b.example");
    let server = Server::start_command(command);
    let port = server.address().port();
    for ours in ["localhost", "127.0.0.1", "[::1]", "shell.example", "B.example"] {
        server.request_as(&format!("{ours}:{port}"), "GET /health", &[], b"").expect(200);
    }
    for strange in ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example", ""] {
        let answer = server.request_as(strange, "POST /start", &[], b"{\"command\":\"ls\"}");
        let detail = answer.problem(403, "forbidden");
        assert!(detail.contains("LLM_SHELL_ALLOWED_HOSTS"), "{detail}");
    }
    server.get("/status").expect(404);
}

#[test]
fn a_page_of_another_origin_is_refused() {
    let server = Server::start();
    let port = server.address().port();
    for headers in [
        vec!["Origin: http://evil.example".to_owned()],
        vec!["Origin: null".to_owned()],
        vec![format!("Origin: http://127.0.0.1:{}", port ^ 1)],
        vec![format!("Origin: http://localhost:{port}")],
        vec!["Sec-Fetch-Site: cross-site".to_owned(), "Sec-Fetch-Mode: no-cors".to_owned()],
        vec!["Sec-Fetch-Site: same-site".to_owned(), "Sec-Fetch-Mode: no-cors".to_owned()],
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = server.request("POST /start", &headers, b"{\"command\":\"touch pwned\"}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{headers:?}");
        answer.problem(403, "forbidden");
        server.request("GET /health", &headers, b"").problem(403, "forbidden");
    }
    server.get("/status").expect(404);
    let own = format!("Origin: http://127.0.0.1:{port}");
    server.request("GET /health", &[&own, "Sec-Fetch-Site: same-origin"], b"").expect(200);
    let link = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];
    server.request("GET /health", &link, b"").expect(200);
}

#[test]
fn a_page_of_an_allowed_origin_is_told_that_it_may() {
    let mut command = binary();
    command
        .env("LLM_SHELL_ALLOWED_ORIGINS", "http://localhost:3000,https://ui.example")
        .env("LLM_SHELL_TOKEN", "s3cret-token");
    let server = Server::start_command(command);
    let (allowed, token) = ("Origin: http://localhost:3000", "Authorization: Bearer s3cret-token");
    let preflight = [allowed, "Access-Control-Request-Method: POST"];
    let answer = server.request("OPTIONS /start", &preflight, b"").expect(204);
    for (name, value) in [
        ("access-control-allow-origin", "http://localhost:3000"),
        ("access-control-allow-methods", "GET, HEAD, POST"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let headers = answer.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("Authorization") && headers.contains("Content-Type"), "{headers}");
    for (headers, status) in [(vec![allowed, token], 404), (vec![allowed], 401)] {
        let answer = server.request("GET /status", &headers, b"").expect(status);
        let told = answer.header("access-control-allow-origin");
        assert_eq!(told, Some("http://localhost:3000"), "errors too must be readable");
    }
    let foreign = ["Origin: http://localhost:3001", "Access-Control-Request-Method: POST"];
    let answer = server.request("OPTIONS /start", &foreign, b"").expect(403);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(server.get("/health").header("access-control-allow-origin"), None);
}
