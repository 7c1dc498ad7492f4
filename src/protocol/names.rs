//! Names of services, runs and tokens.

/// The maximum length of a name, in characters.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// The name of a route where that of a run could be.
const RESERVED_RUN_NAME: &str = "wait";

/// Whether a text has the form of a name: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_CHARACTERS_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

/// Whether a run can have this name: one that is neither a run id nor a part of another path.
#[must_use]
pub fn is_run_name(name: &str) -> bool {
    is_name(name) && !is_run_id(name) && !matches!(name, "." | ".." | RESERVED_RUN_NAME)
}

/// Whether a text has the form of a run id: 16 hexadecimal digits.
#[must_use]
pub fn is_run_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_names_are_no_ids_and_no_paths() {
        for name in ["dev", "dev-server.2", "0123456789abcde", "waits", "0123456789abcdefg"] {
            assert!(is_run_name(name), "{name}");
        }
        for name in ["", ".", "..", "wait", "a b", "a/b", "0123456789abcdef", "0123456789ABCDEF"] {
            assert!(!is_run_name(name), "{name}");
        }
        assert!(is_run_name(&"x".repeat(64)) && !is_run_name(&"x".repeat(65)));
    }
}
