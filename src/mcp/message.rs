//! JSON-RPC messages, as far as a server needs them.

use serde_json::{Map, Value, json};

/// What is wrong with a message, or what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What kind of fault.
    pub code: Code,
    /// What is wrong, and what to do.
    pub message: String,
    /// More of it, for programs.
    pub data: Option<Value>,
}

/// The kinds of faults: those of JSON-RPC 2.0, 5.1, and of MCP 2026-07-28.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// It is no JSON.
    Parse = -32700,
    /// It is no message.
    InvalidRequest = -32600,
    /// There is no such method.
    MethodNotFound = -32601,
    /// The method cannot take these.
    InvalidParams = -32602,
    /// A header says something else than the body.
    HeaderMismatch = -32020,
    /// It is of a revision that is not spoken here.
    UnsupportedVersion = -32022,
}

impl Fault {
    /// One without data.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The answer to the request of this id.
    pub fn answer(self, id: &Value) -> Value {
        let mut error = json!({"code": self.code as i32, "message": self.message});
        if let Some(data) = self.data {
            error["data"] = data;
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }
}

/// One message of a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// It wants an answer.
    Request(Call),
    /// It wants none.
    Notification,
    /// It is an answer itself, to a question that was never asked.
    Answer,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What its answer carries as well: a text or a whole number.
    pub id: Value,
    /// What is asked.
    pub method: String,
    /// With what; `None` where they are left out.
    pub params: Option<Map<String, Value>>,
}

impl Call {
    /// The `_meta` of the params.
    pub fn meta(&self) -> Option<&Map<String, Value>> {
        self.params.as_ref()?.get("_meta")?.as_object()
    }

    /// A param.
    pub fn param(&self, name: &str) -> Option<&Value> {
        self.params.as_ref()?.get(name)
    }
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// The fault, with the id of the message where it has a usable one.
    pub fn read(value: Value) -> Result<Self, (Fault, Value)> {
        let Value::Object(mut fields) = value else {
            return Err((invalid("a message is an object"), Value::Null));
        };
        let id = fields.remove("id");
        let shown = id.clone().filter(is_id).unwrap_or_default();
        let fault = |what: &str| Err((invalid(what), shown.clone()));
        if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return fault("\"jsonrpc\" is \"2.0\"");
        }
        if id.as_ref().is_some_and(|id| !is_id(id)) {
            return fault("an id is a text or a whole number");
        }
        let method = match fields.remove("method") {
            Some(Value::String(method)) => method,
            None if fields.contains_key("result") || fields.contains_key("error") => {
                return Ok(Self::Answer);
            }
            _ => return fault("a method is a text"),
        };
        let params = match fields.remove("params") {
            Some(Value::Object(params)) => Some(params),
            None => None,
            Some(_) => return fault("params are an object"),
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

fn invalid(what: &str) -> Fault {
    Fault::new(Code::InvalidRequest, format!("This is no message of JSON-RPC 2.0: {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_refused_with_its_id_where_it_has_one() {
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
            let (fault, told) = Message::read(serde_json::from_str(text).unwrap()).unwrap_err();
            assert_eq!((fault.code, told), (Code::InvalidRequest, id), "{text}");
        }
    }

    #[test]
    fn requests_notifications_and_answers_are_told_apart() {
        let read = |value| Message::read(value).unwrap();
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let Message::Request(call) = read(request) else { panic!("a request") };
        assert_eq!((call.id, &*call.method, call.params), (json!(1), "ping", None));
        assert_eq!(read(json!({"jsonrpc": "2.0", "method": "x"})), Message::Notification);
        assert_eq!(read(json!({"jsonrpc": "2.0", "id": 1, "result": {}})), Message::Answer);
    }
}
