//! JSON-RPC messages, as far as a server needs them.

use serde_json::{Map, Value, json};

/// An error response.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    /// The error code.
    pub code: Code,
    /// What is wrong, and what to do.
    pub message: String,
    /// Details for programs.
    pub data: Option<Value>,
}

/// The error codes: those of JSON-RPC 2.0, 5.1, and of MCP 2026-07-28.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// Not JSON.
    Parse = -32700,
    /// Not a valid message.
    InvalidRequest = -32600,
    /// Unknown method.
    MethodNotFound = -32601,
    /// Invalid parameters for the method.
    InvalidParams = -32602,
    /// A header contradicts the body.
    HeaderMismatch = -32020,
    /// An unsupported revision.
    UnsupportedVersion = -32022,
}

impl RpcError {
    /// Creates an error without data.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Returns the response to the request with this id.
    pub fn answer(self, id: &Value) -> Value {
        let mut error = json!({"code": self.code as i32, "message": self.message});
        if let Some(data) = self.data {
            error["data"] = data;
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }
}

/// A message of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A request, which expects a response.
    Request(Call),
    /// A notification, which expects none.
    Notification,
    /// A response to a request that the server never sent.
    Answer,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The id, which the response repeats: a string or an integer.
    pub id: Value,
    /// The method.
    pub method: String,
    /// The parameters; `None` if omitted.
    pub params: Option<Map<String, Value>>,
}

impl Call {
    /// Returns `_meta` of the parameters.
    pub fn meta(&self) -> Option<&Map<String, Value>> {
        self.params.as_ref()?.get("_meta")?.as_object()
    }

    /// Returns a parameter.
    pub fn param(&self, name: &str) -> Option<&Value> {
        self.params.as_ref()?.get(name)
    }
}

impl Message {
    /// Parses a message.
    ///
    /// # Errors
    /// The error, with the message's id if that is usable.
    pub fn read(value: Value) -> Result<Self, (RpcError, Value)> {
        let Value::Object(mut fields) = value else {
            return Err((invalid("it is not an object"), Value::Null));
        };
        let id = fields.remove("id");
        let shown = id.clone().filter(is_id).unwrap_or_default();
        let refuse = |what: &str| Err((invalid(what), shown.clone()));
        if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return refuse("jsonrpc is not \"2.0\"");
        }
        if id.as_ref().is_some_and(|id| !is_id(id)) {
            return refuse("the id is neither a string nor an integer");
        }
        let method = match fields.remove("method") {
            Some(Value::String(method)) => method,
            None if fields.contains_key("result") || fields.contains_key("error") => {
                return Ok(Self::Answer);
            }
            _ => return refuse("the method is not a string"),
        };
        let params = match fields.remove("params") {
            Some(Value::Object(params)) => Some(params),
            None => None,
            Some(_) => return refuse("params is not an object"),
        };
        Ok(match id {
            Some(id) => Self::Request(Call { id, method, params }),
            None => Self::Notification,
        })
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

fn invalid(what: &str) -> RpcError {
    RpcError::new(Code::InvalidRequest, format!("Invalid JSON-RPC 2.0 message: {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_messages_are_refused_with_their_id() {
        for (text, id) in [
            ("5", json!(null)),
            ("[]", json!(null)),
            ("{}", json!(null)),
            (r#"{"id": 7, "method": "ping"}"#, json!(7)),
            (r#"{"jsonrpc": "2.0", "id": "a", "method": 5}"#, json!("a")),
            (r#"{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}"#, json!(null)),
            (r#"{"jsonrpc": "2.0", "id": null, "method": "ping"}"#, json!(null)),
            (r#"{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}"#, json!(1)),
        ] {
            let (error, sent) = Message::read(serde_json::from_str(text).unwrap()).unwrap_err();
            assert_eq!((error.code, sent), (Code::InvalidRequest, id), "{text}");
        }
    }

    #[test]
    fn requests_notifications_and_responses_are_distinguished() {
        let read = |value| Message::read(value).unwrap();
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let Message::Request(call) = read(request) else { panic!("a request") };
        assert_eq!((call.id, &*call.method, call.params), (json!(1), "ping", None));
        assert_eq!(read(json!({"jsonrpc": "2.0", "method": "x"})), Message::Notification);
        assert_eq!(read(json!({"jsonrpc": "2.0", "id": 1, "result": {}})), Message::Answer);
    }
}
