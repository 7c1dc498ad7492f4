//! Both eras of the protocol on one endpoint, and invalid messages.

use super::{meta, post, request, stateless_headers};
use crate::harness::Server;
use serde_json::{Value, json};

fn error_of(answer: &Value) -> i64 {
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("an error: {answer}"))
}

#[test]
fn an_older_client_initializes_lists_and_calls() {
    let server = Server::start();
    for (wanted, given) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2024-11-05"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let params = json!({"protocolVersion": wanted, "capabilities": {}, "clientInfo": {}});
        let answer = post(&server, &[], &request("initialize", &params)).expect(200).json();
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], given, "{answer}");
        assert_eq!(result["serverInfo"]["name"], "llm-shell");
        assert!(result["capabilities"]["tools"].is_object() && result["instructions"].is_string());
    }
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let answer = post(&server, &[], &note).expect(202);
    assert_eq!((answer.text(), answer.header("mcp-session-id")), (String::new(), None));
    let ping = request("ping", &json!({}));
    assert_eq!(post(&server, &[], &ping).expect(200).json()["result"], json!({}));
    let version = ["MCP-Protocol-Version: 2025-11-25".to_owned()];
    let listed = post(&server, &version, &request("tools/list", &json!({}))).expect(200).json();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 8);
    assert_eq!(listed["result"]["ttlMs"], Value::Null);
    let params = json!({"name": "start_command", "arguments": {"command": "echo hello"}});
    let called = post(&server, &version, &request("tools/call", &params)).expect(200).json();
    let text = called["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("\nhello\n"), "{text}");
}

#[test]
fn errors_of_older_clients_are_only_in_the_message() {
    let server = Server::start();
    for (method, params, code) in [
        ("prompts/list", json!({}), -32601),
        ("tools/call", json!({}), -32602),
        ("tools/call", json!({"name": "nope"}), -32602),
        ("tools/call", json!({"name": "kill", "arguments": []}), -32602),
    ] {
        let answer = post(&server, &[], &request(method, &params)).expect(200).json();
        assert_eq!((error_of(&answer), &answer["id"]), (code, &json!(1)), "{method}");
    }
}

#[test]
fn stateless_client_discovers_and_may_cache() {
    let server = Server::start();
    let params = json!({"_meta": meta()});
    let ask = |method: &str| {
        let headers = stateless_headers(method, None);
        post(&server, &headers, &request(method, &params)).expect(200).json()["result"].clone()
    };
    let found = ask("server/discover");
    assert_eq!(found["supportedVersions"][0], "2026-07-28");
    assert_eq!(found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "llm-shell");
    for result in [found, ask("tools/list")] {
        assert_eq!(
            (&result["resultType"], &result["cacheScope"]),
            (&json!("complete"), &json!("private"))
        );
        assert!(result["ttlMs"].as_u64().unwrap() > 0);
    }
}

#[test]
fn errors_of_stateless_clients_have_a_status() {
    let server = Server::start();
    let listing = stateless_headers("tools/list", None);
    let with = |meta: Value| request("tools/list", &json!({ "_meta": meta }));
    let mut unknown = meta();
    unknown["io.modelcontextprotocol/protocolVersion"] = json!("v999");
    let of_unknown = vec!["MCP-Protocol-Version: v999".into(), "Mcp-Method: tools/list".into()];
    let named = |name: &str| request("tools/call", &json!({"name": name, "_meta": meta()}));
    let twice = [listing.clone(), vec!["Mcp-Method: tools/list".into()]].concat();
    for (what, headers, message, status, code) in [
        ("no meta", listing.clone(), request("tools/list", &json!({})), 400, -32602),
        ("an empty meta", listing.clone(), with(json!({})), 400, -32602),
        ("no headers", vec![], with(meta()), 400, -32020),
        ("another method", stateless_headers("ping", None), with(meta()), 400, -32020),
        ("a header twice", twice, with(meta()), 400, -32020),
        ("no name", stateless_headers("tools/call", None), named("kill"), 400, -32020),
        ("another name", stateless_headers("tools/call", Some("wait")), named("kill"), 400, -32020),
        ("no such tool", stateless_headers("tools/call", Some("x")), named("x"), 400, -32602),
        ("another version", of_unknown.clone(), with(unknown), 400, -32022),
        ("a version alone", of_unknown, request("tools/list", &json!({})), 400, -32022),
        (
            "ping, which is gone",
            stateless_headers("ping", None),
            request("ping", &json!({"_meta": meta()})),
            404,
            -32601,
        ),
        (
            "initialize, which is gone",
            stateless_headers("initialize", None),
            request("initialize", &json!({"_meta": meta()})),
            404,
            -32601,
        ),
    ] {
        let answer = post(&server, &headers, &message);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
        let answer = answer.expect(status).json();
        assert_eq!((error_of(&answer), &answer["id"]), (code, &json!(1)), "{what}");
        if code == -32022 {
            assert_eq!(answer["error"]["data"]["requested"], "v999", "{what}");
            assert_eq!(answer["error"]["data"]["supported"][0], "2026-07-28");
        }
    }
}

#[test]
fn invalid_message_is_refused() {
    let server = Server::start();
    for (body, code) in [
        ("", -32700),
        ("{", -32700),
        ("5", -32600),
        ("[]", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc": "1.0", "id": 1, "method": "ping"}"#, -32600),
        (r#"{"jsonrpc": "2.0", "id": {}, "method": "ping"}"#, -32600),
    ] {
        let answer = server.request("POST /mcp", &[], body.as_bytes()).expect(400).json();
        assert_eq!((error_of(&answer), &answer["jsonrpc"]), (code, &json!("2.0")), "{body}");
    }
    assert_eq!(server.get("/mcp").expect(405).header("allow"), Some("POST"));
    server.request("DELETE /mcp", &[], b"").expect(405);
    server.request("POST /mcp", &[], &vec![b' '; 2 << 20]).problem(413, "payload_too_large");
    server.request("POST /mcp", &["Origin: http://evil.example"], b"{}").problem(403, "forbidden");
}

#[test]
fn batches_are_answered_for_older_clients() {
    let server = Server::start();
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let batch = json!([request("ping", &json!({})), note.clone(), request("nope", &json!({})), 5]);
    let answers = post(&server, &[], &batch).expect(200).json();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert_eq!(answers[0]["result"], json!({}));
    assert_eq!((error_of(&answers[1]), error_of(&answers[2])), (-32601, -32600));
    post(&server, &[], &json!([note.clone()])).expect(202);
    let many = Value::Array(vec![note.clone(); 51]);
    for (version, batch) in [("2026-07-28", &batch), ("2025-11-25", &batch), ("2025-03-26", &many)]
    {
        let headers = [format!("MCP-Protocol-Version: {version}")];
        let answer = post(&server, &headers, batch).expect(400).json();
        assert_eq!(error_of(&answer), -32600);
    }
}

#[test]
fn mcp_requires_the_token() {
    let mut command = crate::harness::binary();
    command.env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let server = Server::start_command(command);
    let ping = request("ping", &json!({}));
    post(&server, &[], &ping).problem(401, "unauthorized");
    post(&server, &["Authorization: Bearer secret-of-16-chars".to_owned()], &ping).expect(200);
}
