//! The protocol era of a request, and the rules of that era.

use super::message::{Call, Code, RpcError};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// The stateless revision: each request carries its version.
pub const STATELESS: &str = "2026-07-28";

/// The revisions that begin with `initialize`, the newest first.
pub const HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The key of the version in `_meta` of a stateless request.
pub const STATELESS_VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// The key of the client's capabilities in `_meta`.
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// The rules by which a request is parsed and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Those of the stateless revision.
    Stateless,
    /// Those of the older revisions.
    Handshake,
}

/// The headers that repeat parts of the body.
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
    /// Returns the era according to the headers alone: an older client sends the negotiated
    /// version, or none at all.
    pub fn era(&self) -> Era {
        match self.version {
            Some(version) if !HANDSHAKE.contains(&version) => Era::Stateless,
            _ => Era::Handshake,
        }
    }
}

/// Determines the era of a request.
///
/// # Errors
/// The first violation of the stateless revision, in the order that it prescribes.
pub fn era(headers: &Headers<'_>, call: &Call) -> Result<Era, RpcError> {
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
        // Unknown in both eras.
        return Err(unsupported(unknown));
    }
    let version = version(call)?;
    check_headers(headers, call, version)?;
    let Some(version) = version.as_str() else {
        return Err(invalid(&format!("{STATELESS_VERSION_KEY} as a string")));
    };
    if version == STATELESS { Ok(Era::Stateless) } else { Err(unsupported(version)) }
}

/// Returns the supported revisions, the newest first.
pub fn versions() -> Vec<&'static str> {
    [STATELESS].into_iter().chain(HANDSHAKE).collect()
}

fn version(call: &Call) -> Result<&Value, RpcError> {
    let meta = call.meta().ok_or_else(|| invalid("an object _meta in params"))?;
    if !meta.contains_key(CAPABILITIES_KEY) {
        return Err(invalid(&format!("{CAPABILITIES_KEY} in _meta")));
    }
    meta.get(STATELESS_VERSION_KEY)
        .ok_or_else(|| invalid(&format!("{STATELESS_VERSION_KEY} in _meta")))
}

fn check_headers(headers: &Headers<'_>, call: &Call, version: &Value) -> Result<(), RpcError> {
    let mismatch = |name: &str, what: &str| {
        let message = format!("The header {name} does not match {what}: send the same value.");
        Err(RpcError::new(Code::HeaderMismatch, message))
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

/// Decodes a header's value, which may be Base64.
fn decoded(value: &str) -> Option<String> {
    let wrapped = value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?="));
    let Some(wrapped) = wrapped else { return Some(value.to_owned()) };
    String::from_utf8(BASE64_STANDARD.decode(wrapped).ok()?).ok()
}

fn invalid(expected: &str) -> RpcError {
    let message = format!("A request of {STATELESS} is incomplete: expected {expected}.");
    RpcError::new(Code::InvalidParams, message)
}

fn unsupported(version: &str) -> RpcError {
    let supported = versions();
    let message = format!(
        "The protocol version {version:?} is not supported: use {}.",
        supported.join(" or ")
    );
    let data = json!({"supported": supported, "requested": version});
    RpcError { data: Some(data), ..RpcError::new(Code::UnsupportedVersion, message) }
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
    fn stateless_requests_are_checked() {
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
            let found = era(&headers, &call).map_err(|error| Some(error.code));
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn an_unknown_version_gets_the_supported_ones() {
        let data = unsupported("v999").data.unwrap();
        assert_eq!(data["requested"], "v999");
        assert_eq!(data["supported"][0], STATELESS);
    }
}
