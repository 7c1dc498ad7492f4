//! The API explorer page is served without external resources.

use crate::harness::{Answer, Astra, Instance, Server};
use serde_json::json;

/// Returns the values of the attributes `src` and `href` of a page.
fn references(page: &str) -> Vec<&str> {
    let of = |attribute: &'static str| page.split(attribute).skip(1);
    let all = of(" src=\"").chain(of(" href=\""));
    all.map(|rest| rest.split('"').next().unwrap()).collect()
}

fn check(server: &Instance) {
    let answer = server.get("/docs").expect(200);
    let policy = answer.header("content-security-policy").unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains("unsafe-eval"), "{policy}");
    let page = answer.text();
    let references = references(&page);
    assert_eq!(references.len(), 5, "{references:?}");
    for reference in references.iter().filter(|reference| **reference != "data:,") {
        let is_ours = reference.starts_with('/') && !reference.starts_with("//");
        assert!(is_ours, "{reference} is elsewhere");
        let answer = server.get(reference).expect(200);
        let is_packed = answer.header("content-encoding") == Some("gzip");
        assert_eq!(is_packed, reference.contains("swagger-ui"), "{reference}");
    }
    assert!(!page.contains("<script>") && !page.contains("style="), "inline: {page}");
}

#[test]
fn page_loads_nothing_external() {
    check(&Server::start());
    check(&Astra::start(json!({})));
}

#[test]
fn packed_files_unpack_to_swagger_ui() {
    let server = Server::start();
    for (file, expected) in
        [("swagger-ui-bundle.js", "SwaggerUIBundle"), ("swagger-ui.css", ".swagger-ui")]
    {
        let url = format!("http://{}/docs/{file}", server.address());
        let output = std::process::Command::new("curl").args(["-s", "--compressed", &url]).output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(text.len() > 100_000 && text.contains(expected), "{file}: {} bytes", text.len());
    }
}

#[test]
fn unknown_file_of_the_page_is_not_found() {
    let server = Server::start();
    for path in ["/docs/nothing.js", "/docs/..%2findex.html", "/docs/index.html"] {
        let answer: Answer = server.get(path);
        let detail = answer.problem(404, "not_found");
        assert!(detail.contains("/docs"), "{detail}");
    }
}
