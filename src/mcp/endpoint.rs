//! POST /mcp: the protocol over HTTP.

use super::era::{Era, Headers, era};
use super::known_clients::KnownClients;
use super::message::{Code, Message, RpcError};
use super::methods;
use super::remote::CLIENT_HEADER;
use super::stream;
use super::toolbox::Toolbox;
use crate::ops::{Audited, Client};
use http1::{Problem, Reply, Request, StatusCode};
use serde_json::Value;

/// The maximum size of a body.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The maximum size of the id of a client, in bytes.
const CLIENT_BYTES_MAX: usize = 64;

/// The only revision with batches, and the maximum size of a batch.
const BATCH_VERSION: &str = "2025-03-26";
const BATCH_MESSAGES_MAX: usize = 50;

/// Creates the handler of POST /mcp.
pub fn handler<O: Audited + Send + Sync>(
    toolbox: Toolbox<O>,
) -> impl Fn(&mut Request<'_>) -> Result<Reply, Problem> + Send + Sync {
    let clients = KnownClients::default();
    move |request| {
        let id = request.header(CLIENT_HEADER).filter(|id| id.len() <= CLIENT_BYTES_MAX);
        let toolbox = toolbox.serving(id.map(|id| clients.runs_of(id)));
        answer(&toolbox, request)
    }
}

fn answer<O: Audited + Send + Sync>(
    toolbox: &Toolbox<O>,
    request: &mut Request<'_>,
) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let body = request.body(BODY_BYTES_MAX)?;
    let (status, answer) = match parse(&body) {
        Ok(value) => {
            let headers = headers(request);
            if let Some(reply) = stream::answer(toolbox, &value, &headers, request) {
                return Ok(reply);
            }
            handle(toolbox, value, headers, request)
        }
        Err(error) => (StatusCode::BAD_REQUEST, Some(error.answer(&Value::Null))),
    };
    Ok(answer.map_or_else(|| Reply::empty(status), |answer| Reply::json(status, &answer)))
}

/// Parses a message, or a batch.
pub fn parse(body: &[u8]) -> Result<Value, RpcError> {
    serde_json::from_slice(body).map_err(|error| {
        RpcError::new(Code::Parse, format!("The body is not JSON ({error}): send one message."))
    })
}

/// Handles a message, or a batch. Returns the status, and the response if one is expected. Blocks
/// as long as the called tool.
pub fn handle<O: Audited>(
    toolbox: &Toolbox<O>,
    value: Value,
    headers: Result<Headers<'_>, RpcError>,
    client: &dyn Client,
) -> (StatusCode, Option<Value>) {
    match value {
        Value::Array(batch) => match headers {
            Ok(headers) => handle_batch(toolbox, batch, &headers, client),
            Err(error) => (StatusCode::BAD_REQUEST, Some(error.answer(&Value::Null))),
        },
        value => handle_one(toolbox, value, headers, client),
    }
}

fn handle_one<O: Audited>(
    toolbox: &Toolbox<O>,
    value: Value,
    headers: Result<Headers<'_>, RpcError>,
    client: &dyn Client,
) -> (StatusCode, Option<Value>) {
    let refusal = |status, error: RpcError, id: &Value| (status, Some(error.answer(id)));
    let call = match Message::read(value) {
        Ok(Message::Request(call)) => call,
        Ok(Message::Notification | Message::Answer) => return (StatusCode::ACCEPTED, None),
        Err((error, id)) => return refusal(StatusCode::BAD_REQUEST, error, &id),
    };
    let (era, answered) = match headers.and_then(|headers| era(&headers, &call)) {
        Ok(era) => (era, methods::answer(toolbox, era, &call, client)),
        Err(error) => (Era::Stateless, Err(error)),
    };
    match answered {
        Ok(result) => (StatusCode::OK, Some(success(&call.id, &result))),
        // The older revisions have no status codes for errors in messages.
        Err(error) if era == Era::Handshake => refusal(StatusCode::OK, error, &call.id),
        Err(error) if error.code == Code::MethodNotFound => {
            refusal(StatusCode::NOT_FOUND, error, &call.id)
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, error, &call.id),
    }
}

/// Handles a batch. None of its messages can be stateless.
fn handle_batch<O: Audited>(
    toolbox: &Toolbox<O>,
    batch: Vec<Value>,
    headers: &Headers<'_>,
    client: &dyn Client,
) -> (StatusCode, Option<Value>) {
    let has_batches = headers.version.is_none_or(|version| version == BATCH_VERSION);
    if !has_batches || !(1..=BATCH_MESSAGES_MAX).contains(&batch.len()) {
        let message = format!(
            "A body must be one message, or a batch of up to {BATCH_MESSAGES_MAX} in \
             {BATCH_VERSION}: send an object."
        );
        let error = RpcError::new(Code::InvalidRequest, message);
        return (StatusCode::BAD_REQUEST, Some(error.answer(&Value::Null)));
    }
    let mut answers = Vec::new();
    for value in batch {
        match Message::read(value) {
            Ok(Message::Request(call)) => {
                let answered = methods::answer(toolbox, Era::Handshake, &call, client);
                answers.push(match answered {
                    Ok(result) => success(&call.id, &result),
                    Err(error) => error.answer(&call.id),
                });
            }
            Ok(Message::Notification | Message::Answer) => {}
            Err((error, id)) => answers.push(error.answer(&id)),
        }
    }
    if answers.is_empty() {
        (StatusCode::ACCEPTED, None)
    } else {
        (StatusCode::OK, Some(Value::Array(answers)))
    }
}

/// Returns the headers that repeat parts of the body.
fn headers<'a>(request: &'a Request<'_>) -> Result<Headers<'a>, RpcError> {
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        let sent = request.headers().filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
        if sent.count() > 1 {
            let message = format!("The header {name} is repeated: send it once.");
            return Err(RpcError::new(Code::HeaderMismatch, message));
        }
    }
    let version = request.header("mcp-protocol-version");
    let (method, name) = (request.header("mcp-method"), request.header("mcp-name"));
    Ok(Headers { version, method, name })
}

/// Returns the response with a result.
pub(super) fn success(id: &Value, result: &Value) -> Value {
    serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result})
}
