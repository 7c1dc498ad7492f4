//! Files of `NAME=value` lines: `.env`, and the `env_file` of a service.
//!
//! The value extends to the end of the line, without surrounding whitespace or matching quotes
//! around all of it. Nothing within is interpreted: neither `$` nor `\` nor `#`. Empty lines, and
//! lines that begin with `#`, are ignored. `export ` before a name is allowed, so that a shell can
//! read the file as well.

use std::str;

/// A variable of such a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name: ASCII letters, digits and `_`, not starting with a digit.
    pub name: String,
    /// The value, without NUL.
    pub value: String,
}

/// A line that is not `NAME=value`. It may contain a secret, so only its number is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected NAME=value")]
pub struct LineError {
    /// The line's number, from 1.
    pub line: usize,
}

/// Parses the lines that `is_wanted` selects by the text before their first `=`. The other lines
/// may be anything.
///
/// # Errors
/// The first selected line that is not `NAME=value`.
pub fn parse(content: &[u8], is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Variable>, LineError> {
    let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
    let mut variables = Vec::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        let assignment = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii_start();
        let name = assignment.split(|byte| *byte == b'=').next().unwrap_or_default();
        if line.is_empty() || line.starts_with(b"#") || !is_wanted(&String::from_utf8_lossy(name)) {
            continue;
        }
        variables.push(variable(assignment).ok_or(LineError { line: index + 1 })?);
    }
    Ok(variables)
}

fn variable(assignment: &[u8]) -> Option<Variable> {
    let (name, value) = str::from_utf8(assignment).ok()?.split_once('=')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins_well = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if !begins_well || !name.bytes().all(is_plain) || value.contains('\0') {
        return None;
    }
    Some(Variable { name: name.to_owned(), value: unquoted(value.trim()).to_owned() })
}

fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(content: &str) -> Result<Vec<(String, String)>, LineError> {
        let variables = parse(content.as_bytes(), |_| true)?;
        Ok(variables.into_iter().map(|it| (it.name, it.value)).collect())
    }

    #[test]
    fn a_value_extends_to_the_end_of_its_line() {
        for (line, value) in [
            ("A=pa$$word", "pa$$word"),
            ("A=b c # d", "b c # d"),
            ("A= b ", "b"),
            ("A=", ""),
            ("A=\"b c \"", "b c "),
            ("A='it''s'", "it''s"),
            ("A=\"open", "\"open"),
            ("A=${HOME}\\n", "${HOME}\\n"),
            ("A=b=c", "b=c"),
            ("export A=b\r", "b"),
            ("\u{feff}A=b", "b"),
            ("# A=x\n\nA=b", "b"),
        ] {
            assert_eq!(values(line), Ok(vec![("A".into(), value.into())]), "{line:?}");
        }
    }

    #[test]
    fn a_malformed_line_is_reported_by_its_number() {
        for line in ["A", "A B=c", "=b", "1A=b", "A-B=c", "A=b\0"] {
            assert_eq!(values(&format!("OK=1\n{line}\n")), Err(LineError { line: 2 }), "{line:?}");
        }
        let error = parse(b"SECRET\xff=x", |_| true).unwrap_err().to_string();
        assert_eq!(error, "line 1: expected NAME=value");
    }

    #[test]
    fn unselected_lines_may_be_anything() {
        let content = b"a b c\n\xff\nOTHER=1\nWANTED=2\n";
        let variables = parse(content, |name| name.starts_with("WANTED")).unwrap();
        assert_eq!(variables, [Variable { name: "WANTED".into(), value: "2".into() }]);
    }
}
