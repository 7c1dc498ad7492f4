//! POST /mcp: the protocol over HTTP, with every answer as JSON.

use super::era::{Era, Headers, era};
use super::message::{Call, Code, Fault, Message};
use super::methods;
use super::service_tools::SERVICE_TOOLS;
use super::shell_tools::SHELL_TOOLS;
use super::tool::Tool;
use crate::http::{Problem, Reply, Request, Router, StatusCode};
use serde_json::Value;

/// The longest body, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The one revision that has several messages in a body, and how many we take.
const BATCH_VERSION: &str = "2025-03-26";
const BATCH_MESSAGES_MAX: usize = 50;

/// The tools of one mode.
#[derive(Debug)]
pub struct Tools {
    pub(super) tools: &'static [Tool],
    pub(super) instructions: &'static str,
}

impl Tools {
    /// Those that run commands.
    pub const SHELL: Self = Self {
        tools: SHELL_TOOLS,
        instructions: "Runs one shell command at a time, each with its whole process tree, and \
                       keeps every line it prints. Start with start_command; each result begins \
                       with a line of state and ends with what to call next. Only `exited, exit \
                       code 0` is success. Nothing (directory, environment) carries over from one \
                       command to the next.",
    };

    /// Those that steer services.
    pub const SERVICES: Self = Self {
        tools: SERVICE_TOOLS,
        instructions: "Supervises the services of a file: starts them in the order of what \
                       depends on what, restarts those that crash, checks their health. Begin \
                       with list_services; read service_logs before you restart what crashed.",
    };
}

/// The routes with `POST /mcp`.
#[must_use]
pub fn route(router: Router, tools: Tools) -> Router {
    router.post("/mcp", move |request| answer(&tools, request))
}

fn answer(tools: &Tools, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let body = request.body(BODY_BYTES_MAX)?;
    let value = match serde_json::from_slice(&body) {
        Ok(value) => value,
        Err(error) => {
            let message = format!("The body is no JSON ({error}): send one message.");
            let fault = Fault::new(Code::Parse, message);
            return Ok(refusal(StatusCode::BAD_REQUEST, fault, &Value::Null));
        }
    };
    Ok(match value {
        Value::Array(batch) => answer_batch(tools, batch, request),
        value => answer_one(tools, value, request),
    })
}

fn answer_one(tools: &Tools, value: Value, request: &mut Request<'_>) -> Reply {
    let call = match Message::read(value) {
        Ok(Message::Request(call)) => call,
        Ok(Message::Notification | Message::Answer) => {
            return Reply::empty(StatusCode::ACCEPTED);
        }
        Err((fault, id)) => return refusal(StatusCode::BAD_REQUEST, fault, &id),
    };
    let (era, answered) = match era_of(request, &call) {
        Ok(era) => (era, methods::answer(tools, era, &call, request)),
        Err(fault) => (Era::Stateless, Err(fault)),
    };
    match answered {
        Ok(result) => Reply::json(StatusCode::OK, &success(&call.id, &result)),
        // The older revisions have no status for what a message says.
        Err(fault) if era == Era::Handshake => refusal(StatusCode::OK, fault, &call.id),
        Err(fault) if fault.code == Code::MethodNotFound => {
            refusal(StatusCode::NOT_FOUND, fault, &call.id)
        }
        Err(fault) => refusal(StatusCode::BAD_REQUEST, fault, &call.id),
    }
}

/// Several messages at once. None of them can be stateless.
fn answer_batch(tools: &Tools, batch: Vec<Value>, request: &mut Request<'_>) -> Reply {
    let has_batches = version(request).is_none_or(|version| version == BATCH_VERSION);
    if !has_batches || !(1..=BATCH_MESSAGES_MAX).contains(&batch.len()) {
        let message = format!(
            "A body is one message, or in {BATCH_VERSION} at most {BATCH_MESSAGES_MAX}: send an \
             object."
        );
        let fault = Fault::new(Code::InvalidRequest, message);
        return refusal(StatusCode::BAD_REQUEST, fault, &Value::Null);
    }
    let mut answers = Vec::new();
    for value in batch {
        match Message::read(value) {
            Ok(Message::Request(call)) => {
                let answered = methods::answer(tools, Era::Handshake, &call, request);
                answers.push(match answered {
                    Ok(result) => success(&call.id, &result),
                    Err(fault) => fault.answer(&call.id),
                });
            }
            Ok(Message::Notification | Message::Answer) => {}
            Err((fault, id)) => answers.push(fault.answer(&id)),
        }
    }
    if answers.is_empty() {
        Reply::empty(StatusCode::ACCEPTED)
    } else {
        Reply::json(StatusCode::OK, &answers)
    }
}

fn version<'a>(request: &'a Request<'_>) -> Option<&'a str> {
    request.header("mcp-protocol-version")
}

fn era_of(request: &Request<'_>, call: &Call) -> Result<Era, Fault> {
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        let sent = request.headers().filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
        if sent.count() > 1 {
            let message = format!("The header {name} comes twice: send it once.");
            return Err(Fault::new(Code::HeaderMismatch, message));
        }
    }
    let (method, name) = (request.header("mcp-method"), request.header("mcp-name"));
    era(&Headers { version: version(request), method, name }, call)
}

fn success(id: &Value, result: &Value) -> Value {
    serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result})
}

fn refusal(status: StatusCode, fault: Fault, id: &Value) -> Reply {
    Reply::json(status, &fault.answer(id))
}
