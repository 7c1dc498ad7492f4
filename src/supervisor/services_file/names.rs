//! Names of services and health checks.

use crate::protocol::is_name;

/// The message about an invalid service name.
pub(super) const INVALID_NAME: &str =
    "is not a valid service name: use letters, digits, `.`, `_` and `-`, 64 at most";

/// The pattern of valid names in the JSON Schema; `.lock` is refused only by the parser.
pub(super) const NAME_PATTERN: &str = r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$";

/// Whether a text is a valid service name. The name becomes that of a directory, too.
#[must_use]
pub fn is_service_name(name: &str) -> bool {
    is_name(name) && !matches!(name, "." | ".." | ".lock")
}
