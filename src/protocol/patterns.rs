//! Regular expressions that JSON Schemas demand of strings, in the syntax that ECMA-262 and Python
//! share.

/// A service's name; `.`, `..` and `.lock` are valid only as names that no service has.
pub const SERVICE_NAME: &str = "^[A-Za-z0-9._-]{1,64}$";
/// A run's name, which is neither a run id nor a part of another path.
pub const RUN_NAME: &str = r"^(?!(\.{1,2}|wait|[0-9A-Fa-f]{16})$)[A-Za-z0-9._-]{1,64}$";
/// What ends a wait; `match:` is followed by a regular expression in Rust's syntax.
pub const UNTIL: &str = "^(line|end|match:.+|idle:[0-9]+([.][0-9]+)?)$";
/// Text for a C string, which ends at a NUL.
pub const TEXT: &str = r"^[^\u0000]*$";
/// Text for a C string that is more than whitespace.
pub const TEXT_NOT_BLANK: &str = r"^[^\u0000]*[^\s\u0000][^\u0000]*$";
/// The name of an environment variable.
pub const VARIABLE_NAME: &str = r"^[^=\u0000]+$";
