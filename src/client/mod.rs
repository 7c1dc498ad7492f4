//! A client of a server: one that runs elsewhere, or one within this process.

mod stream;

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use stream::StreamConnector;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Error, config::Config};

/// How long an answer may take: the longest wait that a request can ask for, and time to end a
/// tree behind it.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(15);

/// How long the way to the server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest answer that is taken, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A client of one server. Its requests may come from several threads.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a client of {}", self.url)
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
#[error("The server at {url} does not answer ({why}): see whether it runs, and where.")]
pub struct Away {
    /// Where it was looked for.
    pub url: String,
    /// What was found there.
    pub why: String,
}

impl Client {
    /// A client of the server at `url`, which sends this `Authorization` where there is one.
    #[must_use]
    pub fn of_url(url: &str, authorization: Option<String>) -> Self {
        let agent = config().new_agent();
        Self { agent, url: url.trim_end_matches('/').to_owned(), authorization }
    }

    /// A client of a server that is reached through what `connect` gives.
    pub fn through(connect: impl Fn() -> io::Result<UnixStream> + Send + Sync + 'static) -> Self {
        let connector = StreamConnector::new(connect);
        let agent = Agent::with_parts(config(), connector, DefaultResolver::default());
        Self { agent, url: "http://localhost".to_owned(), authorization: None }
    }

    /// Sends a JSON body to a path, with these headers more. Blocks until it is answered, 15
    /// minutes at most.
    ///
    /// # Errors
    /// `Away` when there is no answer, or one over 64 MiB.
    pub fn post(
        &self,
        path: &str,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Result<Answer, Away> {
        let away = |error: Error| Away { url: self.url.clone(), why: error.to_string() };
        let mut request = self.agent.post(format!("{}{path}", self.url));
        let authorization = self.authorization.iter().map(|value| ("Authorization", value));
        let headers = headers.iter().map(|(name, value)| (*name, value)).chain(authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.header("Content-Type", "application/json");
        let mut answer = request.send(body).map_err(away)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok(Answer { status, body: body.map_err(away)? })
    }
}

fn config() -> Config {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(ANSWER_TIMEOUT))
        .user_agent(concat!("llm-shell/", env!("CARGO_PKG_VERSION")))
        .build()
}
