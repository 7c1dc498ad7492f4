//! Parameters and keys match the document. Its routes are those of the server: both come from one
//! table.

use super::document::Document;
use crate::harness::{Astra, Instance, Server};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn an_unknown_path_names_the_nearest_three_routes() {
    let detail = Server::start().get("/statsu").problem(404, "not_found");
    assert!(detail.contains("GET /status") && detail.len() < 120, "{detail}");
    let astra = Astra::start(json!({}));
    let detail = astra.get("/supervisor/statsu").problem(404, "not_found");
    assert!(detail.contains("GET /supervisor/status") && detail.len() < 200, "{detail}");
}

/// Returns the parameters that a route lists when it refuses an unknown one.
fn taken(detail: &str) -> BTreeSet<&str> {
    match detail.split_once("this route accepts ") {
        Some((_, known)) => known.trim_end_matches('.').split(", ").collect(),
        None => BTreeSet::new(),
    }
}

/// Sends unknown parameters to every route, which lists the known ones.
fn check(server: &Instance, document: &Document, filled: impl Fn(&str) -> String) {
    for operation in document.operations() {
        let (method, path, about) = (operation.method, operation.path, operation.about);
        let request = format!("{method} {}?not-there=1", filled(&path));
        let mut described = (BTreeSet::new(), BTreeSet::new());
        for parameter in about["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            match parameter["in"].as_str().unwrap() {
                "query" => described.0.insert(name),
                "header" => described.1.insert(name),
                _ => path.contains(&format!("{{{name}}}")),
            };
        }
        let detail = server.request(&request, &[], b"").problem(400, "bad_request");
        assert_eq!(taken(&detail), described.0, "{request}: {detail}");
        let detail = server.request(&request, &["Idempotency-Key: a b"], b"");
        let detail = detail.problem(400, "bad_request");
        let has_key = detail.contains("Idempotency-Key");
        assert_eq!(has_key, described.1.contains("Idempotency-Key"), "{request}: {detail}");
        let named = path.matches('{').count();
        let in_path = about["parameters"].as_array().into_iter().flatten();
        assert_eq!(in_path.filter(|it| it["in"] == "path").count(), named, "{path}");
    }
}

#[test]
fn the_document_of_the_shell_has_every_parameter() {
    let server = Server::start();
    let document = Document::of(&server.get("/openapi.json").expect(200));
    let run_id = server.run_to_end("true")["run_id"].as_str().unwrap().to_owned();
    let filled = |path: &str| path.replace("{run}", &run_id).replace("{file}", "page.js");
    check(&server, &document, filled);
}

#[test]
fn the_document_of_astra_has_every_parameter() {
    let astra = Astra::start(json!({"web": {"cmd": "exec sleep 60"}}));
    let document = Document::of(&astra.get("/openapi.json").expect(200));
    let filled = |path: &str| path.replace("{service}", "web").replace("{file}", "page.js");
    check(&astra, &document, filled);
}

#[test]
fn operations_have_descriptions_and_unique_ids() {
    let (server, astra) = (Server::start(), Astra::start(json!({})));
    for answer in [server.get("/openapi.json"), astra.get("/openapi.json")] {
        let document = Document::of(&answer.expect(200));
        assert_eq!(document.whole()["openapi"], "3.1.0");
        let mut ids = BTreeSet::new();
        for operation in document.operations() {
            let (path, about) = (&operation.path, operation.about);
            assert!(about["summary"].is_string() && about["description"].is_string(), "{path}");
            let answers = about["responses"].as_object().unwrap();
            for status in ["400", "403", "500", "503"] {
                assert!(answers.contains_key(status), "{path} never answers {status}");
            }
            assert!(answers.keys().any(|status| status.starts_with('2')), "{path}");
            if !path.starts_with("/api/") {
                assert!(ids.insert(about["operationId"].to_string()), "{path} has another's id");
            }
        }
    }
}
