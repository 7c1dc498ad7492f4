//! Which era a request is of, and whether it keeps that era's rules.

use super::message::{Call, Code, Fault};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// The stateless revision: each request carries its version.
pub const STATELESS: &str = "2026-07-28";

/// The revisions that begin with `initialize`, the newest first.
pub const HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Where a stateless request has its version, in its `_meta`.
pub const STATELESS_VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// Where it has what its client can do.
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// How a request is to be read and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// By the stateless revision.
    Stateless,
    /// By one of the others.
    Handshake,
}

/// The headers that say what the body says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Option<&'a str>,
    /// `Mcp-Method`.
    pub method: Option<&'a str>,
    /// `Mcp-Name`.
    pub name: Option<&'a str>,
}

impl Headers<'_> {
    /// The era that the headers alone speak of: an older client sends the version that was agreed
    /// on, or none at all.
    pub fn era(&self) -> Era {
        match self.version {
            Some(version) if !HANDSHAKE.contains(&version) => Era::Stateless,
            _ => Era::Handshake,
        }
    }
}

/// The era of a request.
///
/// # Errors
/// What the stateless revision refuses, in the order of its own ladder.
pub fn era(headers: &Headers<'_>, call: &Call) -> Result<Era, Fault> {
    let is_stateless = headers.era() == Era::Stateless
        || call.method == "server/discover"
        || call.meta().is_some_and(|meta| meta.contains_key(STATELESS_VERSION_KEY));
    if !is_stateless {
        return Ok(Era::Handshake);
    }
    let has_version = call.meta().is_some_and(|meta| meta.contains_key(STATELESS_VERSION_KEY));
    if let Some(unknown) = headers.version.filter(|_| !has_version)
        && unknown != STATELESS
        && headers.era() == Era::Stateless
    {
        // Neither era knows it.
        return Err(unsupported(unknown));
    }
    let version = version(call)?;
    check_headers(headers, call, version)?;
    let Some(version) = version.as_str() else {
        return Err(invalid(&format!("{STATELESS_VERSION_KEY} is a text")));
    };
    if version == STATELESS { Ok(Era::Stateless) } else { Err(unsupported(version)) }
}

/// Every revision that is spoken, the newest first.
pub fn versions() -> Vec<&'static str> {
    [STATELESS].into_iter().chain(HANDSHAKE).collect()
}

fn version(call: &Call) -> Result<&Value, Fault> {
    let meta = call.meta().ok_or_else(|| invalid("params have an object _meta"))?;
    if !meta.contains_key(CAPABILITIES_KEY) {
        return Err(invalid(&format!("_meta has {CAPABILITIES_KEY}")));
    }
    meta.get(STATELESS_VERSION_KEY)
        .ok_or_else(|| invalid(&format!("_meta has {STATELESS_VERSION_KEY}")))
}

fn check_headers(headers: &Headers<'_>, call: &Call, version: &Value) -> Result<(), Fault> {
    let mismatch = |name: &str, what: &str| {
        let message = format!("The header {name} is not {what}: send both alike.");
        Err(Fault::new(Code::HeaderMismatch, message))
    };
    if headers.version.is_none_or(|sent| version.as_str() != Some(sent)) {
        return mismatch("MCP-Protocol-Version", "the protocolVersion of _meta");
    }
    if headers.method != Some(&*call.method) {
        return mismatch("Mcp-Method", "the method of the body");
    }
    let named = (call.method == "tools/call").then(|| call.param("name")?.as_str()).flatten();
    match named {
        Some(name) if headers.name.and_then(decoded).as_deref() != Some(name) => {
            mismatch("Mcp-Name", "the name of the tool")
        }
        _ => Ok(()),
    }
}

/// A header's value, which is Base64 where it could not be sent as it is.
fn decoded(value: &str) -> Option<String> {
    let wrapped = value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?="));
    let Some(wrapped) = wrapped else { return Some(value.to_owned()) };
    String::from_utf8(BASE64_STANDARD.decode(wrapped).ok()?).ok()
}

fn invalid(wanted: &str) -> Fault {
    let message = format!("A request of {STATELESS} says what it is of: {wanted}.");
    Fault::new(Code::InvalidParams, message)
}

fn unsupported(version: &str) -> Fault {
    let supported = versions();
    let message = format!("{version:?} is not spoken here: use {}.", supported.join(" or "));
    let data = json!({"supported": supported, "requested": version});
    Fault { data: Some(data), ..Fault::new(Code::UnsupportedVersion, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, params: Value) -> Call {
        let Value::Object(params) = params else { panic!("params") };
        Call { id: json!(1), method: method.into(), params: Some(params) }
    }

    fn meta() -> Value {
        json!({STATELESS_VERSION_KEY: STATELESS, CAPABILITIES_KEY: {}})
    }

    fn stateless<'a>(method: &'a str, name: Option<&'a str>) -> Headers<'a> {
        Headers { version: Some(STATELESS), method: Some(method), name }
    }

    #[test]
    fn an_older_request_needs_no_headers() {
        let ping = call("ping", json!({}));
        for version in [None, Some("2025-11-25"), Some("2024-11-05")] {
            let headers = Headers { version, ..Headers::default() };
            assert_eq!(era(&headers, &ping), Ok(Era::Handshake));
        }
    }

    #[test]
    fn a_stateless_request_keeps_its_rules_or_is_refused() {
        let list = || call("tools/list", json!({"_meta": meta()}));
        let named = |name: &str| call("tools/call", json!({"_meta": meta(), "name": name}));
        let without = |key: &str| {
            let mut meta = meta();
            meta.as_object_mut().unwrap().remove(key);
            call("tools/list", json!({"_meta": meta}))
        };
        let of = |version: Value| {
            let mut meta = meta();
            meta[STATELESS_VERSION_KEY] = version;
            call("tools/list", json!({"_meta": meta}))
        };
        let listed = stateless("tools/list", None);
        let called = |name| stateless("tools/call", name);
        let refused = |code| Err(Some(code));
        for (what, headers, call, expected) in [
            ("all well", listed, list(), Ok(Era::Stateless)),
            ("a tool", called(Some("kill")), named("kill"), Ok(Era::Stateless)),
            ("Base64", called(Some("=?base64?0LY=?=")), named("ж"), Ok(Era::Stateless)),
            ("no meta", listed, call("tools/list", json!({})), refused(Code::InvalidParams)),
            ("no version", listed, without(STATELESS_VERSION_KEY), refused(Code::InvalidParams)),
            ("no abilities", listed, without(CAPABILITIES_KEY), refused(Code::InvalidParams)),
            ("no headers", Headers::default(), list(), refused(Code::HeaderMismatch)),
            (
                "old header",
                Headers { version: Some("2025-11-25"), ..listed },
                list(),
                refused(Code::HeaderMismatch),
            ),
            ("other method", stateless("ping", None), list(), refused(Code::HeaderMismatch)),
            ("other case", stateless("Tools/list", None), list(), refused(Code::HeaderMismatch)),
            ("no name", called(None), named("kill"), refused(Code::HeaderMismatch)),
            ("other name", called(Some("wait")), named("kill"), refused(Code::HeaderMismatch)),
            ("bad Base64", called(Some("=?base64?x?=")), named("x"), refused(Code::HeaderMismatch)),
            ("other version", listed, of(json!("v999")), refused(Code::HeaderMismatch)),
            ("a number", listed, of(json!(5)), refused(Code::HeaderMismatch)),
            (
                "unknown",
                Headers { version: Some("v999"), ..listed },
                of(json!("v999")),
                refused(Code::UnsupportedVersion),
            ),
            (
                "discover",
                Headers::default(),
                call("server/discover", json!({})),
                refused(Code::InvalidParams),
            ),
        ] {
            let found = era(&headers, &call).map_err(|fault| Some(fault.code));
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn an_unknown_version_is_told_the_known_ones() {
        let data = unsupported("v999").data.unwrap();
        assert_eq!(data["requested"], "v999");
        assert_eq!(data["supported"][0], STATELESS);
    }
}
