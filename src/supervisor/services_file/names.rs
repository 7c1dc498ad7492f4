//! Names of services and health checks.

/// The maximum length of a service name, in characters.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// The message about an invalid service name.
pub(super) const INVALID_NAME: &str =
    "is not a valid service name: use letters, digits, `.`, `_` and `-`, 64 at most";

/// The pattern of valid names in the JSON Schema; `.lock` is refused only by the parser.
pub(super) const NAME_PATTERN: &str = r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$";

/// Whether a text is a valid service name. The name becomes that of a directory, too.
#[must_use]
pub fn is_service_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_CHARACTERS_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && !matches!(name, "." | ".." | ".lock")
}
