//! Which pages may ask.

use std::str::FromStr;

/// An origin as a browser sends it: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    /// Host and port; without the port where that is the scheme's own.
    authority: String,
}

impl FromStr for Origin {
    type Err = String;

    /// Reads `http://localhost:3000`; says what it should have been where it cannot.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || "an origin such as http://localhost:3000, without a path".to_owned();
        let (scheme, authority) = text.split_once("://").ok_or_else(wanted)?;
        let scheme = scheme.to_ascii_lowercase();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(is_plain) || scheme.is_empty() {
            return Err(wanted());
        }
        let authority = normal(&scheme, authority);
        Ok(Self { scheme, authority })
    }
}

/// What a browser says about where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provenance<'a> {
    /// `Host`.
    pub host: &'a str,
    /// `Origin`, which comes with every request but plain reads.
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`, which comes with every request of a present browser.
    pub site: Option<&'a str>,
    /// `Sec-Fetch-Mode`: `navigate` where somebody follows a link or sends a form.
    pub mode: Option<&'a str>,
    /// Whether nothing is done but to answer.
    pub is_read: bool,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From no page, or from one of ours.
    Ours,
    /// From a page that was allowed; its browser must be told so.
    Allowed,
    /// From another page.
    Foreign,
}

/// Where a request comes from, by what its browser says. A program that is no browser says
/// nothing and is trusted to be none: it could say anything.
pub fn source(asked: Provenance<'_>, allowed: &[Origin]) -> Source {
    let Some(origin) = asked.origin else {
        // A request without an Origin: an image, a script, a link, in some browsers a form. Only
        // a link to read that somebody follows is let through, because it shows the answer to
        // them, and nothing to the page it is on.
        let is_foreign = matches!(asked.site, Some("cross-site" | "same-site"));
        let is_link = asked.is_read && asked.mode == Some("navigate");
        return if is_foreign && !is_link { Source::Foreign } else { Source::Ours };
    };
    let Ok(origin) = origin.parse::<Origin>() else { return Source::Foreign };
    let is_web = matches!(&*origin.scheme, "http" | "https");
    if is_web && normal(&origin.scheme, asked.host) == origin.authority {
        Source::Ours
    } else if allowed.contains(&origin) {
        Source::Allowed
    } else {
        Source::Foreign
    }
}

/// An authority in lower case, without a port that its scheme has anyway.
fn normal(scheme: &str, authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return authority,
    };
    authority.strip_suffix(own_port).map(str::to_owned).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str, origin: &str) -> Source {
        let allowed = ["http://localhost:3000".parse().unwrap()];
        let asked = Provenance { host, origin: Some(origin), ..Provenance::default() };
        source(asked, &allowed)
    }

    #[test]
    fn a_page_of_ours_or_of_an_allowed_origin_may_ask() {
        assert_eq!(of("localhost:8000", "http://localhost:8000"), Source::Ours);
        assert_eq!(of("shell.example", "https://Shell.Example"), Source::Ours);
        assert_eq!(of("shell.example", "https://shell.example:443"), Source::Ours);
        assert_eq!(of("localhost:8000", "http://localhost:3000"), Source::Allowed);
    }

    #[test]
    fn any_other_page_may_not() {
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
    fn a_read_that_another_page_makes_is_foreign_and_a_link_is_not() {
        let of = |site, mode, is_read| {
            source(Provenance { host: "localhost", origin: None, site, mode, is_read }, &[])
        };
        let from = |site, mode| of(site, mode, true);
        assert_eq!(from(None, None), Source::Ours);
        assert_eq!(from(Some("none"), Some("navigate")), Source::Ours);
        assert_eq!(from(Some("same-origin"), Some("cors")), Source::Ours);
        assert_eq!(from(Some("cross-site"), Some("navigate")), Source::Ours);
        assert_eq!(from(Some("cross-site"), Some("no-cors")), Source::Foreign);
        assert_eq!(from(Some("same-site"), Some("no-cors")), Source::Foreign);
        let navigate = Some("navigate");
        assert_eq!(of(Some("cross-site"), navigate, false), Source::Foreign, "a form");
        assert_eq!(of(Some("same-origin"), navigate, false), Source::Ours);
    }
}
