//! Errors in the document, created by the same functions as the real ones.

use http1::{Problem, Reply};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The media type of errors.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The name of a component, when it is answered, and its constructor.
type Common = (&'static str, &'static str, fn() -> Problem);

/// Errors that many routes can answer with.
const COMMON: [Common; 8] = [
    ("Unauthorized", "Credentials are required, and none or wrong ones were sent.", || {
        Problem::unauthorized(
            "This server requires credentials: send them in Authorization, as WWW-Authenticate \
             describes.",
        )
    }),
    ("Forbidden", "A page of another origin, or a host that is not allowed.", foreign_page),
    ("MethodNotAllowed", "The path exists, but does not support the method.", || {
        Problem::method_not_allowed(
            "GET, HEAD",
            "This path does not support the method DELETE: use GET, HEAD.",
        )
    }),
    ("Timeout", "The body did not arrive in time.", || {
        Problem::timeout("The request's body was not complete within 30 s: send it faster.")
    }),
    ("PayloadTooLarge", "The body is larger than the route takes.", || {
        Problem::payload_too_large(
            "The request's body is larger than the 1048576 bytes that this route accepts: send a \
             smaller one.",
        )
    }),
    ("TooManyRequests", "Ten wrong credentials within a minute came from this address.", || {
        Problem::too_many_requests(
            "There were too many wrong credentials from this address: wait 60 s, or send the right \
             ones.",
        )
    }),
    ("Internal", "The server or the machine failed.", || {
        Problem::internal(
            "The log logs/2026-01-02_03-04-05.log cannot be read (Input/output error): check \
             LLM_SHELL_LOG_DIR and its permissions.",
        )
    }),
    ("Unavailable", "Too many requests are waiting, or the server is shutting down.", busy),
];

/// Creates the error for a page of another origin.
pub fn foreign_page() -> Problem {
    Problem::forbidden(
        "The request comes from a page of another origin: add that origin to \
         LLM_SHELL_ALLOWED_ORIGINS to allow it.",
    )
}

/// Creates the error of a server without a free permit.
pub fn busy() -> Problem {
    Problem::unavailable(
        "64 requests are already waiting or streaming: try again, or raise LLM_SHELL_MAX_STREAMS.",
    )
}

/// The schema of `code`: stable words that programs branch on.
pub struct ProblemCode;

impl JsonSchema for ProblemCode {
    fn schema_name() -> Cow<'static, str> {
        "ProblemCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let others: [fn(&str) -> Problem; 5] = [
            |detail| Problem::bad_request(detail),
            |detail| Problem::not_found(detail),
            |detail| Problem::conflict(detail),
            |detail| Problem::gone(detail),
            |detail| Problem::insufficient_storage(detail),
        ];
        let codes = COMMON.iter().map(|(_, _, make)| make().code());
        let codes: Vec<_> = codes.chain(others.into_iter().map(|make| make("").code())).collect();
        json_schema!({
            "type": "string",
            "description": "What went wrong, as a stable identifier.",
            "enum": codes,
        })
    }
}

/// Returns the components of [`COMMON`], by name.
pub fn components() -> Map<String, Value> {
    let component = |(name, description, make): &Common| {
        let problem = make();
        let status = problem.status().as_u16();
        let mut answer = answer(description, vec![("usual".to_owned(), problem)]);
        if let Some(headers) = headers(status) {
            answer["headers"] = headers;
        }
        ((*name).to_owned(), answer)
    };
    COMMON.iter().map(component).collect()
}

/// Returns the status of an error of [`COMMON`] and a reference to it; `None` for another name.
pub fn common(name: &str) -> Option<(u16, Value)> {
    let (_, _, make) = COMMON.iter().find(|(known, _, _)| *known == name)?;
    let status = make().status().as_u16();
    Some((status, json!({"$ref": format!("#/components/responses/{name}")})))
}

/// Describes an answer with named errors as examples.
pub fn answer(description: &str, examples: Vec<(String, Problem)>) -> Value {
    let example = |(name, problem): (String, Problem)| {
        let summary = problem.detail().to_owned();
        (name, json!({"summary": summary, "value": body(problem)}))
    };
    let examples: Map<_, _> = examples.into_iter().map(example).collect();
    let schema = json!({"$ref": "#/components/schemas/Problem"});
    json!({
        "description": description,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    })
}

/// Returns a problem's body, as it is sent.
fn body(problem: Problem) -> Value {
    let reply = Reply::from(problem);
    serde_json::from_slice(reply.whole_body().unwrap_or_default()).unwrap_or_default()
}

/// Returns the further headers of an answer with this status.
fn headers(status: u16) -> Option<Value> {
    let id = json!({"$ref": "#/components/headers/X-Request-Id"});
    let text =
        |description: &str| json!({"description": description, "schema": {"type": "string"}});
    let seconds = json!({
        "description": "Seconds to wait before a retry.",
        "schema": {"type": "integer", "minimum": 1},
    });
    Some(match status {
        401 => json!({
            "X-Request-Id": id, "WWW-Authenticate": text("The accepted kinds of credentials."),
        }),
        405 => json!({"X-Request-Id": id, "Allow": text("The methods that the path supports.")}),
        429 | 503 => json!({"X-Request-Id": id, "Retry-After": seconds}),
        _ => return None,
    })
}
