//! Health checks: a URL, a port, or a command.

use crate::process::CommandLine;
use http::Uri;
use http::uri::Authority;

/// What one health check probes.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// A URL that must answer 2xx.
    Http {
        /// A URL with the scheme http or https, and a host.
        url: Uri,
    },
    /// A port that must accept a connection.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port, never 0.
        port: u16,
    },
    /// A command that must exit with 0.
    Command(CommandLine),
}

impl Check {
    /// Parses the URL of a check.
    ///
    /// # Errors
    /// What is expected.
    pub fn http(url: &str) -> Result<Self, String> {
        let wanted = || "a URL such as http://localhost:8080/health".to_owned();
        let url: Uri = url.parse().map_err(|_| wanted())?;
        let is_web = matches!(url.scheme_str(), Some("http" | "https"));
        let has_port = url.authority().is_some_and(has_whole_port);
        let has_host = url.host().is_some_and(|host| !host.is_empty());
        if is_web && has_host && has_port { Ok(Self::Http { url }) } else { Err(wanted()) }
    }

    /// Parses the `host:port` of a check.
    ///
    /// # Errors
    /// What is expected.
    pub fn tcp(place: &str) -> Result<Self, String> {
        let wanted = || "a host and a port such as localhost:5432 or [::1]:5432".to_owned();
        let (host, port) = place.rsplit_once(':').ok_or_else(wanted)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wanted)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let is_host = !host.is_empty() && !host.contains(['[', ']', '/', '@', ' ']);
        let is_plain = bare.is_some() || !host.contains(':');
        if is_host && is_plain {
            Ok(Self::Tcp { host: host.to_owned(), port })
        } else {
            Err(wanted())
        }
    }

    /// Returns the port that the check connects to, if it does.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Http { url } if url.scheme_str() == Some("https") => {
                Some(url.port_u16().unwrap_or(443))
            }
            Self::Http { url } => Some(url.port_u16().unwrap_or(80)),
            Self::Tcp { port, .. } => Some(*port),
            Self::Command(_) => None,
        }
    }
}

/// Whether the text after the host is a port, or there is none.
fn has_whole_port(authority: &Authority) -> bool {
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    match authority.port_u16() {
        Some(port) => port != 0,
        None => place == authority.host(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_need_a_web_scheme_and_a_host() {
        for (url, port) in [
            ("http://localhost:7030/", Some(7030)),
            ("http://localhost", Some(80)),
            ("https://example.org/health?a=b", Some(443)),
            ("http://[::1]:8080/", Some(8080)),
            ("http://user:word@host/", Some(80)),
        ] {
            assert_eq!(Check::http(url).unwrap().port(), port, "{url}");
        }
        for url in [
            "",
            "/health",
            "localhost:80",
            "ftp://host/",
            "http://",
            "http:///x",
            "http://host:0/",
            "http://host:/",
            "http://host:99999/",
            "http://a b/",
            "unix:/run/x",
        ] {
            assert!(Check::http(url).is_err(), "{url}");
        }
    }

    #[test]
    fn addresses_need_a_host_and_a_port() {
        for (place, host) in
            [("localhost:5432", "localhost"), ("[::1]:5432", "::1"), ("10.0.0.1:5432", "10.0.0.1")]
        {
            let check = Check::tcp(place).unwrap();
            assert_eq!(check, Check::Tcp { host: host.to_owned(), port: 5432 });
        }
        for place in
            ["", "5432", ":5432", "host:", "host:0", "host:65536", "::1:80", "[::1]", "a b:1"]
        {
            assert!(Check::tcp(place).is_err(), "{place}");
        }
    }
}
