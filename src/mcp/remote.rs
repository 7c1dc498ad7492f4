//! The endpoint of a server that is reached over HTTP.

use super::era::STATELESS_VERSION_KEY;
use super::stdio::{Endpoint, INTERNAL, error_response};
use crate::client::Client;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The header by which a server tells clients apart: the default run of a call is the last one
/// that its client has started.
pub const CLIENT_HEADER: &str = "LLM-Shell-Client";

/// Ensures that the server runs. Blocks until it does; the error is for the client.
pub type EnsureRunning = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// A server that is reached over HTTP.
pub struct Remote {
    client: Client,
    /// The id of this client.
    id: String,
    place: Option<(StartPlace, EnsureRunning)>,
}

/// Where a client's commands run, unless its call says otherwise: as if it had started them itself.
#[derive(Debug)]
pub struct StartPlace {
    /// The working directory.
    pub directory: PathBuf,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

impl StartPlace {
    /// Adds this place to the starts in a message, or a batch.
    fn add_to(&self, message: &mut Value) {
        if let Some(batch) = message.as_array_mut() {
            for message in batch {
                self.add_to(message);
            }
            return;
        }
        if message["method"] != "tools/call" || message["params"]["name"] != "start_command" {
            return;
        }
        let arguments = &mut message["params"]["arguments"];
        if arguments.is_null() {
            *arguments = Value::Object(Map::new());
        }
        let Some(arguments) = arguments.as_object_mut() else { return };
        let directory = match arguments.get("cwd") {
            None | Some(Value::Null) => Some(self.directory.clone()),
            Some(Value::String(given)) => Some(self.directory.join(given)),
            Some(_) => None,
        };
        if let Some(directory) = directory {
            arguments.insert("cwd".to_owned(), json!(directory.to_string_lossy()));
        }
        let mut environment = json!(self.environment);
        let own = environment.as_object_mut();
        match (arguments.get("env"), own) {
            (Some(Value::Object(given)), Some(own)) => own.extend(given.clone()),
            (None | Some(Value::Null), _) => {}
            // Invalid: the server says so.
            _ => return,
        }
        arguments.insert("env".to_owned(), environment);
    }
}

impl Remote {
    /// Creates the endpoint of a server that runs.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let id = format!("{:016x}", RandomState::new().build_hasher().finish());
        Self { client, id, place: None }
    }

    /// Makes it start commands in this place, and ensure that the server runs before each message.
    #[must_use]
    pub fn started_on_demand(self, place: StartPlace, ensure_running: EnsureRunning) -> Self {
        Self { place: Some((place, ensure_running)), ..self }
    }
}

impl Endpoint for Remote {
    fn answer(&self, message: &Value, line: &[u8], _: &Arc<AtomicBool>) -> Option<Vec<u8>> {
        let failed = |why: &str| {
            Some(error_response(&message["id"], INTERNAL, why).to_string().into_bytes())
        };
        let is_awaited = message.get("id").is_some() || !message.is_object();
        let mut body = line.trim_ascii().to_vec();
        if let Some((place, ensure_running)) = &self.place {
            if let Err(why) = ensure_running() {
                return failed(&why).filter(|_| is_awaited);
            }
            // What is not JSON is refused by the server.
            if !message.is_null() {
                let mut message = message.clone();
                place.add_to(&mut message);
                body = message.to_string().into_bytes();
            }
        }
        let mut headers = headers(message);
        headers.push((CLIENT_HEADER, self.id.clone()));
        match self.client.post("/mcp", &headers, &body) {
            Err(error) if is_awaited => failed(&error.to_string()),
            Err(_) => None,
            Ok(answer) => match serde_json::from_slice::<Value>(&answer.body) {
                Ok(value) if value.is_array() || value["jsonrpc"] == "2.0" => {
                    Some(value.to_string().into_bytes())
                }
                Ok(problem) if is_awaited => {
                    failed(problem["detail"].as_str().unwrap_or("The server refused the message."))
                }
                Err(_) if is_awaited => {
                    failed(&format!("The server answered {} without a message.", answer.status))
                }
                _ => None,
            },
        }
    }
}

/// Returns the headers that a stateless message has over HTTP.
fn headers(message: &Value) -> Vec<(&'static str, String)> {
    let params = &message["params"];
    let Some(version) = params["_meta"][STATELESS_VERSION_KEY].as_str() else { return Vec::new() };
    let mut headers = vec![("MCP-Protocol-Version", in_header(version))];
    headers.extend(message["method"].as_str().map(|method| ("Mcp-Method", in_header(method))));
    headers.extend(params["name"].as_str().map(|name| ("Mcp-Name", in_header(name))));
    headers
}

/// Encodes a text for a header: as Base64 if it contains invalid characters.
pub fn in_header(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_plain && text.trim() == text && !text.starts_with("=?base64?") {
        return text.to_owned();
    }
    format!("=?base64?{}?=", BASE64_STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stateless_messages_get_headers() {
        let meta = json!({STATELESS_VERSION_KEY: "2026-07-28"});
        let call = json!({"method": "tools/call", "params": {"name": "ж", "_meta": meta}});
        assert_eq!(
            headers(&call),
            [
                ("MCP-Protocol-Version", "2026-07-28".to_owned()),
                ("Mcp-Method", "tools/call".to_owned()),
                ("Mcp-Name", "=?base64?0LY=?=".to_owned()),
            ]
        );
        assert_eq!(headers(&json!({"method": "ping"})), []);
        assert_eq!(headers(&Value::Null), []);
    }

    #[test]
    fn starts_get_the_place_unless_they_have_one() {
        let environment = [("A", "1"), ("B", "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let place = StartPlace { directory: "/here".into(), environment: environment.into() };
        let call = |name: &str, arguments: Value| {
            let params = json!({"name": name, "arguments": arguments});
            json!({"method": "tools/call", "params": params})
        };
        let own = json!({"A": "1", "B": "2"});
        for (given, expected) in [
            (json!(null), json!({"cwd": "/here", "env": own})),
            (json!({"cwd": "sub"}), json!({"cwd": "/here/sub", "env": own})),
            (json!({"cwd": "/a", "env": null}), json!({"cwd": "/a", "env": own})),
            (
                json!({"env": {"A": null, "C": "3"}}),
                json!({"cwd": "/here", "env": {"A": null, "B": "2", "C": "3"}}),
            ),
            (json!({"cwd": 5, "env": []}), json!({"cwd": 5, "env": []})),
            (json!(7), json!(7)),
        ] {
            let mut message = json!([call("start_command", given)]);
            place.add_to(&mut message);
            assert_eq!(message[0]["params"]["arguments"], expected);
        }
        let mut other = call("wait", json!({}));
        place.add_to(&mut other);
        assert_eq!(other, call("wait", json!({})));
    }
}
