//! Expansion of `${NAME}` from the environment.

use crate::process::COMMAND_BYTES_MAX;
use std::ffi::{OsStr, OsString};

/// Expands `${NAME}` in a text, and `${NAME:-default}` with a default for unset or empty variables.
/// A `$` without a brace is left as it is.
///
/// # Errors
/// A description that completes the field's name.
pub(super) fn expand(text: &str, environment: &[(OsString, OsString)]) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, behind)) = after.split_once('}') else {
            return Err("has a `${` without a closing `}`".to_owned());
        };
        expanded += before;
        expanded += &value(inside, environment)?;
        rest = behind;
        if expanded.len() > COMMAND_BYTES_MAX {
            return Err(format!("has more than {COMMAND_BYTES_MAX} bytes after expansion"));
        }
    }
    Ok(expanded + rest)
}

fn value(inside: &str, environment: &[(OsString, OsString)]) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(format!(
            "has `${{{inside}}}`, which is neither ${{NAME}} nor ${{NAME:-default}}"
        ));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(format!("has a `${{` in the default of `${{{name}}}`, which is not supported"));
    }
    let found = environment.iter().find(|(found, _)| found == OsStr::new(name));
    let found = found.map(|(_, value)| value.to_str());
    match (found, default) {
        (None | Some(Some("")), Some(default)) => Ok(default.to_owned()),
        (Some(Some(value)), _) => Ok(value.to_owned()),
        (Some(None), _) => Err(format!("uses `${{{name}}}`, whose value is not UTF-8")),
        (None, None) => Err(format!(
            "uses `${{{name}}}`, which is not set: set it, or write ${{{name}:-default}}"
        )),
    }
}

fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let pairs = [("HOME", "/home/a"), ("EMPTY", ""), ("TWICE", "${HOME}")];
        expand(text, &pairs.map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn only_names_in_braces_are_expanded() {
        for (text, result) in [
            ("", ""),
            ("${HOME}/x/${HOME}", "/home/a/x//home/a"),
            ("$HOME $$ $", "$HOME $$ $"),
            ("$${HOME}", "$/home/a"),
            ("${NO:-other} ${NO:-}", "other "),
            ("${EMPTY}|${EMPTY:-full}", "|full"),
            ("${HOME:-x}", "/home/a"),
            ("${NO:-a:-b}", "a:-b"),
            ("${TWICE}", "${HOME}"),
            ("a}b", "a}b"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn invalid_references_are_reported() {
        for (text, expected) in [
            ("${NO}", "uses `${NO}`, which is not set"),
            ("a ${HOME", "without a closing `}`"),
            ("${}", "neither ${NAME} nor"),
            ("${1}", "neither ${NAME} nor"),
            ("${HOME-x}", "neither ${NAME} nor"),
            ("${HOME:?x}", "neither ${NAME} nor"),
            ("${NO:-${HOME}}", "in the default of `${NO}`"),
        ] {
            let error = expanded(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
