//! Requests from foreign pages: other origins, and unknown host names.

use crate::harness::{Astra, Server, binary};
use serde_json::{Value, json};

#[test]
fn foreign_host_name_is_refused() {
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
    let form = server.request("POST /start", &link, b"{\"command\":\"touch pwned\"}");
    form.problem(403, "forbidden");
    server.get("/status").expect(404);
}

#[test]
fn absolute_target_takes_precedence_over_host() {
    let server = Server::start();
    let own = server.address().to_string();
    let ask = |target: &str, host: &str| server.request_as(host, target, &[], b"");
    ask("GET http://evil.example/health", &own).problem(403, "forbidden");
    ask(&format!("GET http://{own}/health"), "evil.example").expect(200);
}

#[test]
fn answers_cannot_be_framed() {
    let server = Server::start();
    server.run_to_end("echo '<script>alert(1)</script>'");
    for path in ["/logs?format=text", "/status", "/nope", "/health"] {
        let answer = server.get(path);
        let policy = answer.header("content-security-policy");
        assert_eq!(policy, Some("frame-ancestors 'none'; default-src 'none'"), "{path}");
    }
}

fn services() -> Astra {
    let check = json!({"cmd": ["touch", "checked"], "interval": 3600});
    Astra::start(json!({
        "web": {"cmd": "exec sleep 60"},
        "checked": {"cmd": "exec sleep 60", "autostart": false, "health_check": check},
    }))
}

#[test]
fn cross_site_link_runs_no_check() {
    let astra = services();
    astra.post_json("/supervisor/start?wait=20", &json!({"name": "checked"})).expect(200);
    let ran = astra.folder().join("checked");
    std::fs::remove_file(&ran).unwrap();
    let link = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];
    for prefix in ["/supervisor", "/api/supervisor"] {
        let path = format!("GET {prefix}/health/checked");
        astra.request(&path, &link, b"").problem(403, "forbidden");
    }
    assert!(!ran.exists());
    astra.request("GET /supervisor/logs/web", &link, b"").expect(200);
}

#[test]
fn allowed_origin_cannot_choose_commands() {
    let astra = services();
    let page = ["Origin: http://localhost:3000"];
    let ask = |route: &str, body: Value| {
        astra.request(&format!("POST /supervisor/{route}"), &page, body.to_string().as_bytes())
    };
    astra.request("GET /supervisor/status", &page, b"").expect(200);
    ask("restart?wait=20", json!({"name": "web"})).expect(200);
    ask("stop?wait=20", json!({"name": "web"})).expect(200);
    ask("start?wait=20", json!({"name": "web"})).expect(200);
    ask("bulk", json!({"action": "restart", "services": ["web"]})).expect(200);
    ask("reload", json!({})).expect(200);
    let evil = json!({"name": "evil", "config": {"cmd": "touch pwned"}});
    let steered = json!({"name": "web", "config": {"env": {"BASH_FUNC_ls%%": "() { id; }"}}});
    for (route, body) in [
        ("start", &evil),
        ("start", &steered),
        ("restart", &steered),
        ("stdin/web", &json!({"data": "x"})),
        ("signal/web?type=KILL", &Value::Null),
    ] {
        let detail = ask(route, body.clone()).problem(403, "forbidden");
        assert!(detail.contains("LLM_SHELL_TOKEN"), "{detail}");
    }
    astra
        .post_json(
            "/supervisor/start?wait=20",
            &json!({
                "name": "added", "config": {"cmd": "exec sleep 60"},
            }),
        )
        .expect(200);
    for route in ["stop", "restart", "reload"] {
        ask(route, json!({"name": "added"})).problem(403, "forbidden");
    }
    ask("bulk", json!({"action": "stop", "services": ["web", "added"]})).problem(403, "forbidden");
    let tool = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "start_service", "arguments": evil,
    }});
    let call = astra.request("POST /mcp", &page, tool.to_string().as_bytes()).text();
    assert!(call.contains("without credentials"), "{call}");
    assert!(!astra.folder().join("pwned").exists());
}

#[test]
fn allowed_origin_with_token_may_do_everything() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token-0123");
    let astra = Astra::start_command(command, json!({}));
    let page = ["Origin: http://localhost:3000", "Authorization: Bearer s3cret-token-0123"];
    let body = json!({"name": "added", "config": {"cmd": "exec sleep 60"}}).to_string();
    astra.request("POST /supervisor/start", &page[..1], body.as_bytes()).expect(401);
    astra.request("POST /supervisor/start?wait=20", &page, body.as_bytes()).expect(200);
}

#[test]
fn allowed_origin_gets_cors_headers() {
    let mut command = binary();
    command
        .env("LLM_SHELL_ALLOWED_ORIGINS", "http://localhost:3000,https://ui.example")
        .env("LLM_SHELL_TOKEN", "s3cret-token-0123");
    let server = Server::start_command(command);
    let (allowed, token) =
        ("Origin: http://localhost:3000", "Authorization: Bearer s3cret-token-0123");
    let preflight = [allowed, "Access-Control-Request-Method: POST"];
    let answer = server.request("OPTIONS /start", &preflight, b"").expect(204);
    for (name, value) in [
        ("access-control-allow-origin", "http://localhost:3000"),
        ("access-control-allow-methods", "GET, HEAD, POST, DELETE"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let headers = answer.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("Authorization") && headers.contains("Content-Type"), "{headers}");
    for (headers, status) in [(vec![allowed, token], 404), (vec![allowed], 401)] {
        let answer = server.request("GET /status", &headers, b"").expect(status);
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(allowed, Some("http://localhost:3000"), "errors too must be readable");
    }
    let foreign = ["Origin: http://localhost:3001", "Access-Control-Request-Method: POST"];
    let answer = server.request("OPTIONS /start", &foreign, b"").expect(403);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("vary"), Some("Origin"));
    assert_eq!(server.get("/health").header("access-control-allow-origin"), None);
}
