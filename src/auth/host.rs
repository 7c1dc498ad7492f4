//! The host names that the server accepts.

use std::net::IpAddr;

/// The accepted host names, besides addresses and `localhost`.
#[derive(Clone, Debug, Default)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// Creates the list from names in any case, with or without a port (then with only that one).
    pub fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Returns whether a `Host` is accepted. DNS rebinding needs a name: addresses cannot be
    /// rebound and `localhost` is not resolved by DNS, but any other name may have led a browser
    /// here from a page of another site.
    pub fn has(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = without_port(&host);
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        name == "localhost"
            || address.unwrap_or(name).parse::<IpAddr>().is_ok()
            || self.0.iter().any(|allowed| *allowed == host || *allowed == name)
    }
}

/// Removes the port from `name:port`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_localhost_and_allowed_names_are_accepted() {
        let hosts = Hosts::new(&["Shell.Example".into(), "b.example:8443".into()]);
        for accepted in [
            "127.0.0.1",
            "127.0.0.1:8000",
            "[::1]:8000",
            "[::1]",
            "192.168.1.7:80",
            "localhost",
            "LOCALHOST:8000",
            "shell.example",
            "shell.example:443",
            "b.example:8443",
        ] {
            assert!(hosts.has(accepted), "{accepted}");
        }
        for rejected in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "b.example",
            "b.example:80",
            "[::1].evil.example",
            "localhost:80:80",
        ] {
            assert!(!hosts.has(rejected), "{rejected}");
        }
    }
}
