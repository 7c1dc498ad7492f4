//! Names that are valid in Kubernetes.

use super::error::ExportError;
use std::collections::BTreeMap;

/// The maximum length of a Service's name and a label's value.
const LABEL_BYTES_MAX: usize = 63;

/// The maximum length of a `StatefulSet`'s name: its revision label adds eleven bytes.
pub(super) const SET_BYTES_MAX: usize = 52;

/// The requirements for a name, as they follow "expected".
const EXPECTED: &str = "small letters, digits and `-`, beginning with a letter and not too long";

/// A namespace of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// Parses a namespace.
    ///
    /// # Errors
    /// `Flag` for an invalid name.
    pub fn parse(name: &str) -> Result<Self, ExportError> {
        is_label(name).then(|| Self(name.to_owned())).ok_or_else(|| {
            flag_error("namespace", name, "small letters, digits and `-`, 63 at most")
        })
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Checks a name given with a flag.
pub(super) fn checked(
    flag: &'static str,
    name: &str,
    bytes_max: usize,
) -> Result<String, ExportError> {
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    let is_name = begins && is_label(name) && name.len() <= bytes_max;
    is_name.then(|| name.to_owned()).ok_or_else(|| flag_error(flag, name, EXPECTED))
}

/// Checks the name of an existing object, which may contain dots.
pub(super) fn checked_object(flag: &'static str, name: &str) -> Result<String, ExportError> {
    const OBJECT_BYTES_MAX: usize = 253;
    let is_name = name.len() <= OBJECT_BYTES_MAX && name.split('.').all(is_label);
    let expected = "small letters, digits, `-` and `.`, 253 at most";
    is_name.then(|| name.to_owned()).ok_or_else(|| flag_error(flag, name, expected))
}

fn flag_error(flag: &'static str, value: &str, expected: &'static str) -> ExportError {
    ExportError::Flag { flag, value: value.to_owned(), expected }
}

/// Returns whether this is a label by RFC 1123.
fn is_label(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Returns the name of each service in the cluster.
///
/// # Errors
/// `SameName` if two services would have the same name.
pub(super) fn of_services<'a>(
    services: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, ExportError> {
    let (mut names, mut taken) = (BTreeMap::new(), BTreeMap::new());
    for service in services {
        let name = label_of(service);
        if let Some(first) = taken.insert(name.clone(), service) {
            let (first, second) = (first.to_owned(), service.to_owned());
            return Err(ExportError::SameName { first, second, name });
        }
        names.insert(service.to_owned(), name);
    }
    Ok(names)
}

/// Converts a service's name into a label that begins with a letter, as a Service requires.
fn label_of(service: &str) -> String {
    let small = service.to_ascii_lowercase().replace(['.', '_'], "-");
    let bare = small.trim_matches('-');
    let begins = bare.starts_with(|first: char| first.is_ascii_lowercase());
    let name = if begins { bare.to_owned() } else { format!("s-{bare}") };
    name[..name.len().min(LABEL_BYTES_MAX)].trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_get_valid_names() {
        for (service, name) in [
            ("web", "web"),
            ("Web_Server.v2", "web-server-v2"),
            ("2fa", "s-2fa"),
            ("-x-", "x"),
            ("_", "s"),
            ("...", "s"),
        ] {
            assert_eq!(label_of(service), name, "{service}");
            assert!(is_label(&label_of(service)));
        }
        let long = format!("{}-{}", "a".repeat(62), "b");
        assert_eq!(label_of(&long), "a".repeat(62));
    }

    #[test]
    fn services_with_the_same_name_are_refused() {
        let error = of_services(["a.b", "web", "a_b"].into_iter()).unwrap_err().to_string();
        assert!(error.starts_with("\"a.b\" and \"a_b\" would both be \"a-b\""), "{error}");
    }

    #[test]
    fn names_given_with_flags_are_checked_and_kept() {
        assert_eq!(checked("name", "a-1", 52).unwrap(), "a-1");
        for name in ["", "A", "1a", "-a", "a-", "a.b", &"a".repeat(53)] {
            assert!(checked("name", name, 52).is_err(), "{name}");
        }
        assert!(checked_object("token-secret", "a.b-c").is_ok());
        for name in ["", "a..b", "A", "a_b"] {
            assert!(checked_object("token-secret", name).is_err(), "{name}");
        }
        assert_eq!(Namespace::parse("1-a").unwrap().name(), "1-a");
        assert!(Namespace::parse("a.b").is_err());
    }
}
