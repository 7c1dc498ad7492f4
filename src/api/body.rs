//! Request bodies: JSON, whatever the Content-Type says, validated as a whole.

use super::wrong_type;
use crate::ops::Error;
use http1::{Problem, Request};
use serde::de::DeserializeOwned;

/// The longest JSON body, in bytes.
pub const BYTES_MAX: usize = 1024 * 1024;

/// The longest body read without credentials, in bytes: twice what credentials in a head can be.
const OPEN_BODY_BYTES_MAX: usize = 64 * 1024;

/// Reads the body as JSON. `example` is a valid body, for the error.
pub fn json<T: DeserializeOwned>(request: &mut Request<'_>, example: &str) -> Result<T, Problem> {
    let body = request.body(BYTES_MAX)?;
    parse(&body, example).map_err(Problem::from)
}

/// Reads the body as JSON; `None` if it is empty. For routes whose fields are all optional.
pub fn json_or_nothing<T: DeserializeOwned>(
    request: &mut Request<'_>,
    example: &str,
) -> Result<Option<T>, Problem> {
    let body = request.body(BYTES_MAX)?;
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    Ok(Some(parse(&body, example)?))
}

/// Reads a body of up to `bytes_max` bytes as JSON.
pub fn json_up_to<T: DeserializeOwned>(
    request: &mut Request<'_>,
    example: &str,
    bytes_max: usize,
) -> Result<T, Problem> {
    let body = request.body(bytes_max)?;
    parse(&body, example).map_err(Problem::from)
}

/// Reads the body as JSON, on a route that needs no credentials: the limit is lower, so that
/// unauthenticated clients take less memory.
pub fn open_json<T: DeserializeOwned>(
    request: &mut Request<'_>,
    example: &str,
) -> Result<T, Problem> {
    let body = request.body(OPEN_BODY_BYTES_MAX)?;
    parse(&body, example).map_err(Problem::from)
}

fn parse<T: DeserializeOwned>(body: &[u8], example: &str) -> Result<T, Error> {
    let refused =
        |why: String| Error::Invalid(format!("The body is invalid ({why}): send {example}."));
    // Serde would fill the fields of an object from an array, by their order.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(refused("it is an array at line 1 column 1".to_owned()));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (field, why) = (error.path().to_string(), error.inner().to_string());
        let place = if field == "." { "" } else { &field };
        if let Some(wrong) = wrong_type::explain(place, &why) {
            return Error::Invalid(format!("{wrong}: send {example}."));
        }
        // The path is a dot for the whole body and a question mark for a truncated one; an error
        // about an unknown field names it itself.
        let is_named = [".", "?"].contains(&&*field) || why.contains(&format!("`{field}`"));
        refused(if is_named { why } else { format!("{field}: {why}") })
    })?;
    json.end().map_err(|error| refused(error.to_string()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsing is tested")]
    struct Body {
        command: String,
    }

    #[test]
    fn errors_name_line_column_and_field() {
        for (body, said) in [
            ("", "line 1 column 0"),
            ("{\"command\":\n 5}", "\"command\" must be a string, got a number at line 2"),
            (
                "{\"comand\":\"ls\"}",
                "unknown field `comand`, expected `command` at line 1 column 9",
            ),
            ("{\"command\":\"ls\"} x", "trailing characters at line 1 column 18"),
            ("{\"command\":\"ls\",\"command\":\"ls\"}", "duplicate field `command`"),
            (" [\"ls\"]", "it is an array"),
            ("\"ls\"", "the body must be an object, got a string"),
            ("{\"command\":\"ls\"", "invalid (EOF while parsing an object"),
            ("{}", "missing field `command`"),
            ("{\"command\":\"\u{1}\"}", "control character"),
        ] {
            let error = parse::<Body>(body.as_bytes(), "{}").unwrap_err().to_string();
            assert!(error.contains(said), "{body}: {error}");
        }
        assert!(parse::<Body>(b"{\"command\":\"\xff\"}", "{}").is_err());
    }
}
