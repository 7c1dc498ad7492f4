//! The origins whose pages may send requests.

use std::str::FromStr;

/// An origin as a browser sends it: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    /// Host and port; without the port if it is the scheme's default.
    authority: String,
}

impl FromStr for Origin {
    type Err = String;

    /// Parses `http://localhost:3000`. The error says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "an origin such as http://localhost:3000, without a path".to_owned();
        let (scheme, authority) = text.split_once("://").ok_or_else(expected)?;
        let scheme = scheme.to_ascii_lowercase();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(is_plain) || scheme.is_empty() {
            return Err(expected());
        }
        let authority = normalize(&scheme, authority);
        Ok(Self { scheme, authority })
    }
}

/// The headers by which a browser reports where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provenance<'a> {
    /// `Host`.
    pub host: &'a str,
    /// `Origin`, which browsers send with every request but plain reads.
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`, which current browsers send with every request.
    pub site: Option<&'a str>,
    /// `Sec-Fetch-Mode`: `navigate` for links and submitted forms.
    pub mode: Option<&'a str>,
    /// Whether the request has no side effects.
    pub is_read: bool,
}

/// The source of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// No page, or one of the server's own.
    Own,
    /// A page of an allowed origin; the browser needs CORS headers.
    Allowed,
    /// Any other page.
    Foreign,
}

/// Determines the source of a request from the browser's headers. A program without these headers
/// is not a browser, and could send anything.
pub fn source(provenance: Provenance<'_>, allowed: &[Origin]) -> Source {
    let Some(origin) = provenance.origin else {
        // A request without an Origin: an image, a script, a link, in some browsers a form. From
        // another site, only a link to read that the user follows is accepted, because its
        // response is shown to the user, and not to the page it is on.
        let is_foreign = matches!(provenance.site, Some("cross-site" | "same-site"));
        let is_link = provenance.is_read && provenance.mode == Some("navigate");
        return if is_foreign && !is_link { Source::Foreign } else { Source::Own };
    };
    let Ok(origin) = origin.parse::<Origin>() else { return Source::Foreign };
    let is_web = matches!(&*origin.scheme, "http" | "https");
    if is_web && normalize(&origin.scheme, provenance.host) == origin.authority {
        Source::Own
    } else if allowed.contains(&origin) {
        Source::Allowed
    } else {
        Source::Foreign
    }
}

/// Returns an authority in lower case, without its scheme's default port.
fn normalize(scheme: &str, authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(default_port).map(str::to_owned).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str, origin: &str) -> Source {
        let allowed = ["http://localhost:3000".parse().unwrap()];
        let provenance = Provenance { host, origin: Some(origin), ..Provenance::default() };
        source(provenance, &allowed)
    }

    #[test]
    fn own_pages_and_allowed_origins_are_accepted() {
        assert_eq!(of("localhost:8000", "http://localhost:8000"), Source::Own);
        assert_eq!(of("shell.example", "https://Shell.Example"), Source::Own);
        assert_eq!(of("shell.example", "https://shell.example:443"), Source::Own);
        assert_eq!(of("localhost:8000", "http://localhost:3000"), Source::Allowed);
    }

    #[test]
    fn other_pages_are_foreign() {
        for origin in [
            "http://evil.example",
            "http://localhost",
            "http://localhost:3001",
            "https://localhost:3000",
            "http://localhost:8000.evil.example",
            "http://127.0.0.1:8000",
            "null",
            "",
            "file://",
            "http://localhost:3000/",
            "moz-extension://localhost:8000",
        ] {
            assert_eq!(of("localhost:8000", origin), Source::Foreign, "{origin}");
        }
    }

    #[test]
    fn cross_site_reads_are_foreign_and_links_are_not() {
        let of = |site, mode, is_read| {
            source(Provenance { host: "localhost", origin: None, site, mode, is_read }, &[])
        };
        let from = |site, mode| of(site, mode, true);
        assert_eq!(from(None, None), Source::Own);
        assert_eq!(from(Some("none"), Some("navigate")), Source::Own);
        assert_eq!(from(Some("same-origin"), Some("cors")), Source::Own);
        assert_eq!(from(Some("cross-site"), Some("navigate")), Source::Own);
        assert_eq!(from(Some("cross-site"), Some("no-cors")), Source::Foreign);
        assert_eq!(from(Some("same-site"), Some("no-cors")), Source::Foreign);
        let navigate = Some("navigate");
        assert_eq!(of(Some("cross-site"), navigate, false), Source::Foreign, "a form");
        assert_eq!(of(Some("same-origin"), navigate, false), Source::Own);
    }
}
