//! Type errors of JSON bodies, rewritten from Rust's types to JSON's.

/// Rewrites serde's `invalid type: string "5", expected f64 at line 1 column 9` about a field;
/// `None` for any other message.
pub fn explain(field: &str, message: &str) -> Option<String> {
    let (is_type, rest) = match message.strip_prefix("invalid type: ") {
        Some(rest) => (true, rest),
        None => (false, message.strip_prefix("invalid value: ")?),
    };
    let (found, rest) = rest.rsplit_once(", expected ")?;
    let (expected, place) = match rest.rsplit_once(" at line ") {
        Some((expected, place)) => (expected, format!(" at line {place}")),
        None => (rest, String::new()),
    };
    let found = if is_type { kind(found) } else { value(found) };
    let subject = if field.is_empty() { "the body".to_owned() } else { format!("{field:?}") };
    Some(format!("{subject} must be {}, got {found}{place}", wanted(expected)))
}

/// Returns the JSON type: `a string` for `string "5"`.
fn kind(found: &str) -> &str {
    match found.split(' ').next().unwrap_or_default() {
        "string" => "a string",
        "integer" | "floating" => "a number",
        "boolean" => "a boolean",
        "sequence" => "an array",
        "map" => "an object",
        _ => found,
    }
}

/// Returns the value: `-1` for ``integer `-1` ``.
fn value(found: &str) -> &str {
    found.split(['`', '"']).nth(1).unwrap_or(found)
}

/// Returns the JSON name of an expected Rust type.
fn wanted(expected: &str) -> &str {
    match expected {
        "f64" | "f32" => "a number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0",
        "a boolean" => "true or false",
        "a map" => "an object",
        "a sequence" => "an array",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_json_names() {
        for (message, said) in [
            (
                "invalid type: string \"5\", expected f64 at line 1 column 9",
                "\"x\" must be a number, got a string at line 1 column 9",
            ),
            (
                "invalid type: integer `5`, expected a string",
                "\"x\" must be a string, got a number",
            ),
            ("invalid type: map, expected a boolean", "\"x\" must be true or false, got an object"),
            ("invalid type: null, expected u64", "\"x\" must be a whole number from 0, got null"),
            (
                "invalid value: integer `-1`, expected u64 at line 1 column 2",
                "\"x\" must be a whole number from 0, got -1 at line 1 column 2",
            ),
        ] {
            assert_eq!(explain("x", message).as_deref(), Some(said));
        }
        assert_eq!(explain("x", "missing field `command`"), None);
        let body = explain("", "invalid type: string \"ls\", expected struct Body");
        assert_eq!(body.as_deref(), Some("the body must be an object, got a string"));
    }
}
