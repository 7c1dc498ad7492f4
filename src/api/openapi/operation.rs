//! The description of one route in the document.

use super::examples::{self, ENTRY, EVENTS};
use super::parameters::idempotency_key;
use super::problems;
use super::schemas::Schemas;
use crate::api::route::{Access, Mode, Retry, Route};
use crate::ops::Error;
use crate::protocol::{Scope, ScreenResponse};
use http1::Problem;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An operation of the document: what a route does, its parameters, body and answers.
pub struct Operation<'a> {
    schemas: &'a mut Schemas,
    about: Map<String, Value>,
    parameters: Vec<Value>,
    answers: Map<String, Value>,
    /// By status.
    refusals: BTreeMap<u16, Vec<Problem>>,
}

/// A success: its status, and a description.
pub type Success<'a> = (u16, &'a str);

impl<'a> Operation<'a> {
    /// Returns the operation of a route as JSON. Adds the components of its bodies to the schemas.
    pub fn of<O: Mode>(route: &Route<O>, schemas: &'a mut Schemas) -> Value {
        let (parameters, answers, refusals) = (Vec::new(), Map::new(), BTreeMap::new());
        let operation = Self { schemas, about: Map::new(), parameters, answers, refusals };
        // Every route refuses unknown parameters.
        let unknown = "Unknown query parameter \"wiat\": this route takes none, so omit it.";
        let operation = operation.refuses(Problem::bad_request(unknown));
        let mut operation = (route.describe)(operation);
        if route.retry != Retry::WithoutKey {
            let reused = Error::KeyReused { key: "7f3a".to_owned() };
            operation = operation
                .with([idempotency_key()])
                .refuses(reused)
                .may(&["Timeout", "PayloadTooLarge"]);
        }
        operation.finish(route.access, route.scope)
    }

    /// Sets its id for generated clients, its group, a summary and a description.
    pub fn does(mut self, id: &str, tag: &str, summary: &str, description: &str) -> Self {
        self.about.insert("operationId".to_owned(), json!(id));
        self.about.insert("tags".to_owned(), json!([tag]));
        self.about.insert("summary".to_owned(), json!(summary));
        self.about.insert("description".to_owned(), json!(description));
        self
    }

    /// Adds parameters.
    pub fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Adds a JSON request body, with an example.
    pub fn reads<T: JsonSchema>(mut self, example: &Value) -> Self {
        let schema = self.schemas.of_request::<T>();
        let content = json!({"application/json": {"schema": schema, "example": example}});
        self.about.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
        self.may(&["Timeout", "PayloadTooLarge"])
    }

    /// Makes the body optional.
    pub fn or_nothing(mut self) -> Self {
        self.about["requestBody"]["required"] = false.into();
        self
    }

    /// Adds a body of raw bytes.
    pub fn reads_raw(mut self, media_types: &[&str]) -> Self {
        for media_type in media_types {
            self.about["requestBody"]["content"][media_type] = json!({"example": "y\n"});
        }
        self
    }

    /// Adds a JSON answer, with an example.
    pub fn answers<T: JsonSchema>(mut self, (status, says): Success<'_>, example: &Value) -> Self {
        let schema = self.schemas.of_answer::<T>();
        self.answer(status, says)["content"]["application/json"] =
            json!({"schema": schema, "example": example});
        self
    }

    /// Adds an alternative to the JSON answer, with a summary.
    pub fn or_answers<T: JsonSchema>(
        mut self,
        (status, says): Success<'_>,
        example: &Value,
    ) -> Self {
        let schema = self.schemas.of_answer::<T>();
        let content = &mut self.answer(status, "")["content"]["application/json"];
        let (first, shown) = (content["schema"].take(), content["example"].take());
        *content = json!({
            "schema": {"anyOf": [schema, first]},
            "examples": {"usual": {"value": shown}, "other": {"summary": says, "value": example}},
        });
        self
    }

    /// Adds an answer that is text of another media type.
    pub fn answers_text(
        mut self,
        (status, says): Success<'_>,
        media_type: &str,
        example: &str,
    ) -> Self {
        let text = json!({"schema": {"type": "string"}, "example": example});
        self.answer(status, says)["content"][media_type] = text;
        self
    }

    /// Adds an answer that is JSON of any shape.
    pub fn answers_any(mut self, (status, says): Success<'_>) -> Self {
        self.answer(status, says)["content"]["application/json"] =
            json!({"schema": {"type": "object"}});
        self
    }

    /// Adds the other forms of an answer with lines of a log.
    pub fn forms_of_logs(self) -> Self {
        self.or_answers::<ScreenResponse>((200, "With `format=screen`."), &examples::screen())
            .answers_text((200, ""), "text/plain", "Hello World")
            .answers_text((200, ""), "application/octet-stream", "\u{1b}[1mHello\u{1b}[m World\r\n")
            .answers_text((200, ""), "application/x-ndjson", ENTRY)
            .answers_text((200, ""), "text/event-stream", EVENTS)
            .answers_nothing((204, "Resumed event stream that had already ended."))
    }

    /// Adds a schema that a description refers to.
    pub fn refers_to<T: JsonSchema>(self) -> Self {
        self.schemas.of_answer::<T>();
        self
    }

    /// Adds an answer without a body.
    pub fn answers_nothing(mut self, (status, says): Success<'_>) -> Self {
        self.answer(status, says);
        self
    }

    /// Adds an error.
    pub fn refuses(mut self, problem: impl Into<Problem>) -> Self {
        let problem = problem.into();
        self.refusals.entry(problem.status().as_u16()).or_default().push(problem);
        self
    }

    /// Adds common errors, by name.
    pub fn may(mut self, names: &[&str]) -> Self {
        for (status, answer) in names.iter().filter_map(|name| problems::common(name)) {
            self.answers.entry(status.to_string()).or_insert(answer);
        }
        self
    }

    fn finish(self, access: Access, scope: Scope) -> Value {
        let mut operation = self.may(&["Internal", "Unavailable"]);
        if access == Access::Guarded {
            operation = operation.may(&["Unauthorized", "TooManyRequests"]);
        }
        // Whatever credentials a client has, it may read.
        operation = if access == Access::Guarded && scope > Scope::Read {
            let (subject, granted) = ("This request", Scope::Read);
            let missing = Error::MissingScope { subject, needed: scope, granted };
            operation.refuses(problems::foreign_page()).refuses(missing)
        } else {
            operation.may(&["Forbidden"])
        };
        let Self { mut about, parameters, mut answers, refusals, .. } = operation;
        for (status, problems) in refusals {
            let says = if status == 400 { "Invalid request." } else { "See `detail`." };
            let named = problems.into_iter().enumerate();
            let named = named.map(|(index, problem)| (format!("case {}", index + 1), problem));
            let answer = problems::answer(says, named.collect());
            // A status that another answer has keeps its description.
            match answers.get_mut(&status.to_string()) {
                // A reference takes nothing beside it.
                Some(other) if other.get("$ref").is_some() => *other = answer,
                Some(other) => {
                    let problem = answer["content"][problems::MEDIA_TYPE].clone();
                    other["content"][problems::MEDIA_TYPE] = problem;
                }
                None => drop(answers.insert(status.to_string(), answer)),
            }
        }
        if !parameters.is_empty() {
            about.insert("parameters".to_owned(), parameters.into());
        }
        let security = match access {
            Access::Guarded => json!([{}, {"bearer": [scope]}, {"basic": [scope]}]),
            Access::Open | Access::Public => json!([]),
        };
        about.insert("security".to_owned(), security);
        about.insert("responses".to_owned(), answers.into());
        about.into()
    }

    fn answer(&mut self, status: u16, says: &str) -> &mut Value {
        self.answers.entry(status.to_string()).or_insert_with(|| {
            let id = json!({"$ref": "#/components/headers/X-Request-Id"});
            json!({"description": says, "headers": {"X-Request-Id": id}})
        })
    }
}
