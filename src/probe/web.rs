//! Asking a URL whether all is well.

use super::look::{UNKNOWN_HOST, io_reason, no_answer};
use http::Uri;
use std::sync::LazyLock;
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Error};

/// How many redirects are followed.
const REDIRECTS_MAX: u32 = 5;

/// What asks. It keeps no connection: the next look is to find out whether one can be made. It
/// takes no proxy from the environment: what is asked about is the service, not the way to it.
static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(REDIRECTS_MAX)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .user_agent(concat!("llm-shell/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
});

/// Asks a URL, and reads no more of the answer than its head. Blocks for `timeout` at most.
///
/// # Errors
/// Why it is not well, in a few words: anything but an answer of 2xx in time.
pub(super) fn get(url: &Uri, timeout: Duration) -> Result<(), String> {
    let request = AGENT.get(url).config().timeout_global(Some(timeout)).build();
    match request.call() {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("HTTP {}", answer.status().as_u16())),
        Err(error) => Err(reason(&error, timeout)),
    }
}

fn reason(error: &Error, timeout: Duration) -> String {
    match error {
        Error::Timeout(_) => no_answer(timeout),
        Error::Io(error) => io_reason(error, timeout),
        Error::HostNotFound => UNKNOWN_HOST.to_owned(),
        Error::TooManyRedirects => format!("more than {REDIRECTS_MAX} redirects"),
        Error::LargeResponseHeader(..) => "the head of the answer is too large".to_owned(),
        Error::Protocol(error) => format!("no HTTP: {error}"),
        other => other.to_string(),
    }
}
