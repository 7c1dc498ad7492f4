//! Tokens with scopes.

use crate::harness::{Answer, Astra, Instance, Server, binary, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::TempDir;

pub const SCOPES: [&str; 3] = ["read", "operate", "run"];

/// A tokens file with a token for each scope, which is also its name.
pub struct TokensFile {
    folder: TempDir,
    headers: Vec<String>,
}

impl TokensFile {
    pub fn new() -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap(), headers: Vec::new() };
        let made = SCOPES.map(|scope| make(scope, scope));
        let lines = made.each_ref().map(|(_, line)| line.as_str());
        file.write(&format!("{}\n", lines.join("\n")));
        let headers = made.map(|(token, _)| format!("Authorization: Bearer {token}")).into();
        Self { headers, ..file }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    pub fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
        fs::set_permissions(self.path(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Returns the header with the token of this scope.
    pub fn header(&self, scope: &str) -> &str {
        &self.headers[SCOPES.iter().position(|it| *it == scope).unwrap()]
    }

    pub fn server(&self) -> Server {
        let mut command = binary();
        command.arg("--tokens-file").arg(self.path());
        Server::start_command(command)
    }

    pub fn astra(&self, services: Value) -> Astra {
        let mut command = binary();
        command.env("LLM_SHELL_TOKENS_FILE", self.path());
        Astra::start_command(command, services)
    }
}

/// Makes a token. Returns it with its line for the file.
fn make(name: &str, scope: &str) -> (String, String) {
    let made = binary().args(["token", name, scope]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let text = String::from_utf8(made.stdout).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap())
}

/// Checks each route of a server with each scope. Returns the routes with the scope they need.
fn routes_by_scope(server: &Instance, tokens: &TokensFile) -> BTreeSet<String> {
    let document = server.request("GET /openapi.json", &[tokens.header("read")], b"").json();
    let mut seen = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|it| it.0 != "servers") {
            let security = operation["security"].as_array().expect("each has its security");
            let Some(needed) = security.get(1).map(|it| it["bearer"][0].as_str().unwrap()) else {
                continue;
            };
            let method = method.to_uppercase();
            seen.insert(format!("{needed} {method} {path}"));
            let path = path.replace(['{', '}'], "");
            // Nothing is done: every route refuses an unknown parameter.
            let head = format!("{method} {path}?nothing=1");
            server.request(&head, &[], b"").problem(401, "unauthorized");
            for scope in SCOPES {
                let answer = server.request(&head, &[tokens.header(scope)], b"");
                let is_enough = SCOPES.iter().position(|it| it == &scope)
                    >= SCOPES.iter().position(|it| *it == needed);
                if is_enough {
                    assert!(![401, 403].contains(&answer.status), "{scope}: {head}");
                    continue;
                }
                let challenge = answer.header("www-authenticate").unwrap().to_owned();
                assert!(challenge.contains(&format!("scope=\"{needed}\"")), "{challenge}");
                let detail = answer.problem(403, "forbidden");
                let expected = format!("needs the scope {needed}, and these credentials have");
                assert!(detail.contains(&expected), "{head}: {detail}");
            }
        }
    }
    seen
}

#[test]
fn every_route_of_the_shell_requires_its_scope() {
    let tokens = TokensFile::new();
    let routes = routes_by_scope(&tokens.server(), &tokens);
    for expected in [
        "run POST /start",
        "run POST /stdin",
        "operate POST /kill",
        "operate POST /restart",
        "operate POST /signal",
        "operate POST /resize",
        "read GET /status",
        "read GET /logs",
        "read GET /runs",
        "read GET /whoami",
        "read GET /metrics",
    ] {
        assert!(routes.contains(expected), "{expected}: {routes:?}");
    }
}

#[test]
fn every_route_of_astra_requires_its_scope() {
    let tokens = TokensFile::new();
    let routes = routes_by_scope(&tokens.astra(json!({})), &tokens);
    for expected in [
        "run POST /supervisor/stdin/{service}",
        "operate POST /supervisor/start",
        "operate POST /supervisor/stop",
        "operate POST /supervisor/restart",
        "operate POST /supervisor/reload",
        "operate POST /supervisor/bulk",
        "operate POST /supervisor/signal/{service}",
        "read GET /supervisor/status",
        "read GET /supervisor/logs/{service}",
        "read GET /supervisor/events",
        "read GET /supervisor/health/{service}",
    ] {
        assert!(routes.contains(expected), "{expected}: {routes:?}");
    }
}

#[test]
fn configurations_need_run_and_commands_of_checks_need_operate() {
    let tokens = TokensFile::new();
    let astra = tokens.astra(json!({
        "web": {"cmd": "exec sleep 60", "health_check": {"cmd": ["true"]}},
        "plain": {"cmd": "exec sleep 60", "health_check": {"tcp": "127.0.0.1:1"}},
    }));
    let act = |scope: &str, verb: &str, body: &Value| -> Answer {
        let body = body.to_string();
        let head = format!("POST /supervisor/{verb}?wait=20");
        astra.request(&head, &[tokens.header(scope)], body.as_bytes())
    };
    act("operate", "restart", &json!({"name": "web"})).expect(200);
    let chosen = json!({"name": "web", "config": {"env": {"A": "b"}}});
    let detail = act("operate", "restart", &chosen).problem(403, "forbidden");
    assert!(detail.contains("configuration needs the scope run"), "{detail}");
    act("operate", "start", &json!({"name": "new", "config": {"cmd": "true"}})).expect(403);
    act("run", "restart", &chosen).expect(200);
    let check = |scope: &str, name: &str| {
        let head = format!("GET /supervisor/health/{name}");
        astra.request(&head, &[tokens.header(scope)], b"")
    };
    let detail = check("read", "web").problem(403, "forbidden");
    assert!(detail.contains("needs the scope operate"), "{detail}");
    check("operate", "web").expect(200);
    check("read", "plain").expect(200);
}

#[test]
fn tools_require_their_scope() {
    let tokens = TokensFile::new();
    let server = tokens.server();
    let call = |scope: &str, method: &str, params: Value| {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let headers = [tokens.header(scope)];
        server.request("POST /mcp", &headers, message.to_string().as_bytes()).expect(200).json()
    };
    let listed = SCOPES.map(|scope| {
        let tools = call(scope, "tools/list", json!({}))["result"]["tools"].clone();
        let names = tools.as_array().unwrap().iter().map(|it| it["name"].to_string());
        names.collect::<Vec<_>>().join(" ").replace('"', "")
    });
    assert_eq!(listed[0], "wait read_logs list_runs");
    assert_eq!(listed[1], "wait read_logs send_signal kill restart list_runs");
    assert!(listed[2].starts_with("start_command ") && listed[2].contains("send_input"));
    let start = json!({"name": "start_command", "arguments": {"command": "touch pwned"}});
    let refused = call("operate", "tools/call", start)["result"].clone();
    assert_eq!(refused["isError"], true);
    let text = refused["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("This tool needs the scope run"), "{text}");
    assert!(!server.folder().join("pwned").exists());
}

#[test]
fn whoami_has_name_and_scope() {
    let tokens = TokensFile::new();
    let server = tokens.server();
    for scope in SCOPES {
        let answer = server.request("GET /whoami", &[tokens.header(scope)], b"").expect(200);
        assert_eq!(answer.json(), json!({"name": scope, "scope": scope}));
    }
    let alone = Server::start();
    assert_eq!(alone.get("/whoami").json(), json!({"name": null, "scope": "run"}));
    eventually("the access log names the client", || {
        server
            .log()
            .lines()
            .any(|line| line.contains("GET /whoami 200") && line.ends_with(" operate"))
            .then_some(())
    });
    let counted = "llm_shell_requests_total{scope=\"read\",outcome=\"ok\"} 1\n";
    let metrics = server.request("GET /metrics", &[tokens.header("run")], b"").text();
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn sighup_reloads_the_tokens_and_ends_sessions_of_removed_ones() {
    let tokens = TokensFile::new();
    let server = tokens.server();
    let who = |header: &str| server.request("GET /whoami", &[header], b"").status;
    let sessions = ["read", "operate"].map(|scope| {
        let token = tokens.header(scope).rsplit(' ').next().unwrap();
        let body = json!({"token": token}).to_string();
        let session = server.request("POST /login", &[], body.as_bytes()).expect(200).json();
        format!("Authorization: Bearer {}", session["token"].as_str().unwrap())
    });
    let status = server.request("POST /kill", &[&sessions[0]], b"").status;
    assert_eq!(status, 403, "a session has the scope of its token");
    let text = fs::read_to_string(tokens.path()).unwrap();
    tokens.write("invalid\n");
    server.signal("HUP");
    server.wait_for_log("the tokens stay as they were");
    assert_eq!(who(tokens.header("read")), 200);
    let (_, others) = text.split_once('\n').unwrap();
    tokens.write(others);
    server.signal("HUP");
    eventually("the token is gone", || (who(tokens.header("read")) == 401).then_some(()));
    assert_eq!(who(&sessions[0]), 401);
    assert_eq!((who(tokens.header("operate")), who(&sessions[1])), (200, 200));
}

#[test]
fn an_unusable_tokens_file_is_refused_with_its_line() {
    let tokens = TokensFile::new();
    let text = fs::read_to_string(tokens.path()).unwrap();
    let start = || {
        let mut command = binary();
        command.args(["--port", "0", "--tokens-file"]).arg(tokens.path());
        let folder = tempfile::tempdir().unwrap();
        let output = command.current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    for (added, said) in [
        ("x read s3cret\n", "line 4: the digest must be 64"),
        (&*format!("{}\n", text.lines().next().unwrap()), "line 4: the name is already on line 1"),
        (&text.lines().next().unwrap().replace(" read ", " write "), "line 4: the scope must be"),
    ] {
        tokens.write(&format!("{text}{added}"));
        let error = start();
        assert!(error.contains(said) && !error.contains("s3cret"), "{error}");
    }
    tokens.write(&text);
    fs::set_permissions(tokens.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let error = start();
    assert!(error.contains("other users can read or change"), "{error}");
    fs::remove_file(tokens.path()).unwrap();
    assert!(start().contains("cannot be read"));
}

#[test]
fn idempotency_keys_are_of_a_token() {
    let tokens = TokensFile::new();
    let server = tokens.server();
    let start = || {
        let body = json!({"command": "sleep 60"}).to_string();
        server.request("POST /start", &[tokens.header("run")], body.as_bytes()).expect(201);
    };
    let kill = |scope: &str| {
        let headers = [tokens.header(scope), "Idempotency-Key: same"];
        server.request("POST /kill", &headers, b"").expect(200).json()
    };
    start();
    let first = kill("operate");
    start();
    assert_eq!(kill("operate"), first, "the same token gets the same answer");
    assert_ne!(kill("run"), first, "another token has keys of its own");
}
