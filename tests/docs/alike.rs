//! Comparison of a command's output with a document, apart from values that vary.

use regex::Regex;
use serde_json::Value;

/// Fields whose values vary, but not their types.
const VARYING: [&str; 11] = [
    "process_pid",
    "created_at",
    "stopped_at",
    "log_file",
    "run_id",
    "uptime",
    "cpu_percent",
    "memory_mb",
    "cwd",
    "leftover_pids",
    "timestamp",
];

/// Fails unless `given` matches the shown text. JSON has the same fields with the same values, or
/// values of one type if those vary; in text, numbers and ids may differ, and so may the spaces of
/// a table; `…` matches anything.
pub fn assert_alike(command: &str, shown: &str, given: &str) {
    if shown.contains('…') {
        assert!(is_shortened(shown, given), "{command}\nshown: {shown}\ngiven: {given}");
    } else if shown.starts_with('{') {
        assert_same_fields(command, shown, given);
    } else {
        assert_eq!(masked(given), masked(shown), "{command}\nshown: {shown}\ngiven: {given}");
    }
}

/// Whether another text consists of the parts between `…` in that order, from its beginning
/// to its end.
fn is_shortened(shown: &str, given: &str) -> bool {
    let (shown, given) = (without_what_varies(shown), without_what_varies(given));
    let parts: Vec<&str> = shown.split('…').map(str::trim).collect();
    let mut rest = given.as_str();
    for (index, part) in parts.iter().enumerate() {
        let place = if index + 1 == parts.len() { rest.rfind(part) } else { rest.find(part) };
        let Some(place) = place.filter(|place| index > 0 || *place == 0) else { return false };
        rest = &rest[place + part.len()..];
    }
    parts.last().is_some_and(|part| part.is_empty()) || rest.is_empty()
}

/// Removes instants, ids, log paths, fractions and numbers of several digits from a text; small
/// numbers, such as exit codes, stay.
fn without_what_varies(text: &str) -> String {
    let varying = [
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T_ ][-0-9:.]+Z?(_[0-9]+)?",
        r"[0-9a-f]{16}",
        r"[0-9]+\.[0-9]+",
        r"[0-9]{3,}",
    ];
    let varying = Regex::new(&varying.join("|")).unwrap();
    let text = varying.replace_all(text.trim(), "N").into_owned();
    Regex::new(" +").unwrap().replace_all(&text, " ").into_owned()
}

fn assert_same_fields(command: &str, shown: &str, given: &str) {
    let fields = |text: &str| -> Vec<String> {
        let parsed: serde_json::Map<String, Value> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{command}: {error}: {text}"));
        parsed.keys().cloned().collect()
    };
    assert_eq!(fields(shown), fields(given), "{command}\nshown: {shown}\ngiven: {given}");
    let (shown, given): (Value, Value) =
        (serde_json::from_str(shown).unwrap(), serde_json::from_str(given).unwrap());
    for (field, shown) in shown.as_object().unwrap() {
        let given = &given[field];
        if field == "idle" {
            // Null until the first output, which may precede or follow the request.
            assert!(given.is_null() || given.is_number(), "{command}: {given}");
        } else if VARYING.contains(&field.as_str()) {
            let kind = std::mem::discriminant::<Value>;
            assert_eq!(kind(shown), kind(given), "{command}: {field}: {shown}, {given}");
        } else {
            let (shown, given) = (shown.to_string(), given.to_string());
            let message = format!("{command}: {field}");
            assert_eq!(without_numbers(&shown), without_numbers(&given), "{message}");
        }
    }
}

/// Removes numbers of several digits from a text: pids, ports and ids in a sentence.
fn without_numbers(text: &str) -> String {
    let is_id = |word: &str| word.len() == 16 && word.chars().all(|c| c.is_ascii_hexdigit());
    let is_number =
        |word: &str| is_id(word) || word.len() > 2 && word.chars().all(|c| c.is_ascii_digit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let numbers: Vec<&str> = words.filter(|word| is_number(word)).collect();
    numbers.iter().fold(text.to_owned(), |text, number| text.replacen(number, "N", 1))
}

/// Removes ids, numbers and repeated spaces from a text.
fn masked(text: &str) -> String {
    let text =
        Regex::new("[0-9a-f]{16}|#[0-9a-f]{8}|[0-9]+").unwrap().replace_all(text.trim(), "N");
    let spaces = Regex::new("[ \r]+(\n|$)?|\r").unwrap();
    spaces
        .replace_all(&text, |found: &regex::Captures<'_>| {
            found.get(1).map_or(" ", |end| end.as_str()).to_owned()
        })
        .into_owned()
}

#[test]
fn numbers_are_taken_out_of_a_sentence() {
    assert_eq!(without_numbers("Process 4242 on port 8765, 5 s"), "Process N on port N, 5 s");
}

#[test]
fn shortened_text_keeps_order_and_small_numbers() {
    let given = r#"{"pid":4242,"at":"2026-11-23T10:20:22.778260Z","exit_code":0,"signal":null}"#;
    assert!(is_shortened(r#"{"pid":29060,…,"exit_code":0,…}"#, given));
    assert!(is_shortened(r#"{"pid":29060,"at":"2026-11-24T10:20:22.778261Z",…"#, given));
    assert!(!is_shortened(r#"{"pid":29060,…,"exit_code":1,…}"#, given));
    assert!(!is_shortened(r#"{…,"exit_code":0}"#, given));
    assert!(!is_shortened(r#""at":…}"#, given));
    assert!(!is_shortened(r#"{…"signal":null,…"exit_code":0,…}"#, given));
}

#[test]
fn wider_tables_are_equal() {
    assert_eq!(masked("NAME   PID\nweb    12\n"), masked("NAME PID \nweb  4242"));
}
