//! The credentials that clients send, and the servers they may be sent to.

use crate::client::ClientError;
use crate::settings::{Secret, Settings};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Uri;
use http::uri::Scheme;
use std::net::IpAddr;

/// Returns the `Authorization` header for the credentials in the settings.
pub(super) fn authorization(settings: &Settings) -> Option<String> {
    let token = settings.token.as_ref().map(Secret::reveal);
    let password = settings.basic_auth.as_ref().map(Secret::reveal);
    token
        .map(|token| format!("Bearer {token}"))
        .or_else(|| password.map(|password| format!("Basic {}", BASE64_STANDARD.encode(password))))
}

/// Returns the `Authorization` header for the server at `url`.
///
/// # Errors
/// `Wrong` if it would cross the network unencrypted without `--insecure`.
pub(super) fn authorization_for(
    url: &str,
    settings: &Settings,
) -> Result<Option<String>, ClientError> {
    let authorization = authorization(settings);
    if authorization.is_some() && is_plain_and_remote(url) && !settings.insecure {
        return Err(ClientError::Wrong(format!(
            "refusing to send credentials to {url} over plain HTTP: use https://, or --insecure to \
             send them anyway"
        )));
    }
    Ok(authorization)
}

/// Returns whether a URL leads, or may lead, to another machine without TLS.
fn is_plain_and_remote(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return true };
    uri.scheme() != Some(&Scheme::HTTPS) && !uri.host().is_some_and(is_this_machine)
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        // The unspecified address connects to this machine.
        Ok(address) => address.to_canonical().is_loopback() || address.is_unspecified(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_accepted_for_this_machine_only() {
        for fine in ["http://localhost:1", "http://127.9.0.1", "http://[::1]:80", "https://a.b/c"] {
            assert!(!is_plain_and_remote(fine), "{fine}");
        }
        for not in ["http://a.b:1", "http://10.0.0.1", "http://localhost.a", "http://x@a", "nope"] {
            assert!(is_plain_and_remote(not), "{not}");
        }
    }
}
