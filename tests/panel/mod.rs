//! The files of the web panel, as served to browsers.

use crate::harness::{Answer, Astra, Server, binary};
use serde_json::json;

/// Returns the files that a page refers to.
fn named(page: &str) -> Vec<String> {
    let names = page.split(['"', '\'']).filter(|word| word.starts_with("panel/"));
    names.map(|name| format!("/{name}")).collect()
}

/// Returns the files that a module imports, statically or dynamically.
fn imported(path: &str, module: &str) -> Vec<String> {
    let folder = path.rsplit_once('/').unwrap().0;
    let above = folder.rsplit_once('/').unwrap().0;
    let resolve = |word: &str| match (word.strip_prefix("./"), word.strip_prefix("../")) {
        (Some(name), _) => Some(format!("{folder}/{name}")),
        (_, Some(name)) => Some(format!("{above}/{name}")),
        _ => None,
    };
    module.split('"').filter_map(resolve).collect()
}

fn check_headers(answer: &Answer, path: &str) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.split("; ").any(|found| found == part), "{path}: {part}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    let expected = match path.rsplit('.').next().unwrap() {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    };
    assert_eq!(answer.header("content-type"), Some(expected), "{path}");
}

fn check_page(get: impl Fn(&str) -> Answer, title: &str) {
    let page = get("/").expect(200);
    check_headers(&page, "/");
    let page = page.text();
    assert!(page.contains(&format!("<title>{title}</title>")), "{page}");
    for inline in ["<script>", "style=", "<style", "onclick", "http://", "https://", "//"] {
        assert!(!page.contains(inline), "{inline} in {page}");
    }
    let mut files = named(&page);
    let mut seen = 0;
    while let Some(path) = files.get(seen).cloned() {
        seen += 1;
        let file = get(&path).expect(200);
        check_headers(&file, &path);
        assert!(!file.body.is_empty(), "{path}");
        for other in imported(&path, &file.text()) {
            if !files.contains(&other) {
                files.push(other);
            }
        }
    }
    assert!(seen > 20, "{files:?}");
}

#[test]
fn each_mode_serves_its_page_and_assets() {
    let shell = Server::start();
    check_page(|path| shell.get(path), "LLM Shell");
    let astra = Astra::start(json!({}));
    check_page(|path| astra.get(path), "Astra supervisor");
}

#[test]
fn page_is_public_and_its_data_is_not() {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token-0123").env("LLM_SHELL_BASIC_AUTH", "ann:wordword");
    let server = Server::start_command(command);
    check_page(|path| server.get(path), "LLM Shell");
    server.get("/runs").problem(401, "unauthorized");
    // Otherwise the browser would show its own password dialog over the page's form.
    let script = ["Sec-Fetch-Dest: empty", "Sec-Fetch-Site: same-origin"];
    let answer = server.request("GET /runs", &script, b"").expect(401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"llm-shell\""));
    let answer = server.request("POST /login", &script, b"{\"token\":\"wrong\"}").expect(401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"llm-shell\""));
}

#[test]
fn page_is_refused_for_foreign_hosts_and_origins() {
    let server = Server::start();
    server.request_as("evil.example", "GET /", &[], b"").problem(403, "forbidden");
    let foreign = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"];
    server.request("GET /panel/common/dom.js", &foreign, b"").problem(403, "forbidden");
}

#[test]
fn unknown_panel_paths_are_not_found() {
    let server = Server::start();
    for path in ["/panel/common/nope.js", "/panel/..%2F..%2Fapi/panel.rs", "/panel/shell/%00"] {
        let detail = server.get(path).problem(404, "not_found");
        assert!(detail.contains("open / instead"), "{detail}");
    }
    for path in ["/panel", "/panel/common", "/panel/common/deep/dom.js"] {
        server.get(path).problem(404, "not_found");
    }
    let head = server.request("HEAD /", &[], b"").expect(200);
    assert!(head.body.is_empty());
    server.get("/?a=b").problem(400, "bad_request");
    server.post("/").problem(405, "method_not_allowed");
}
