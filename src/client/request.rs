//! Requests to a server, over TCP or a Unix socket.

use super::stream::StreamConnector;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::WithoutBody;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body, Error, RequestBuilder, config::Config};

/// The host for requests over a Unix socket.
const LOCAL: &str = "http://localhost";

/// The media type of arbitrary bytes.
const BYTES: &str = "application/octet-stream";

/// The time limit for a response: the longest wait that a request may ask for, and time to stop a
/// process tree after it.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(15);

/// The time limit for a connection to the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum size of a response.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A client of one server. Several threads may use it.
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

/// Returns whether reading a stream failed because of its time limit.
#[must_use]
pub fn is_timeout(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    matches!(error, Some(Error::Timeout(_)))
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// A stream, or the error response instead of it.
pub enum Streamed {
    /// The body, as it arrives.
    Body(Box<dyn Read + Send>),
    /// The response instead of a stream.
    Refused(Answer),
}

/// The reason why there is no response.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the server at {url} ({why}): check that it runs, and its address")]
pub struct Unreachable {
    /// The server's URL.
    pub url: String,
    /// The cause.
    pub why: String,
}

impl Client {
    /// Creates a client of the server at `url` that sends this `Authorization`, if any.
    #[must_use]
    pub fn of_url(url: &str, authorization: Option<String>) -> Self {
        let agent = config().new_agent();
        Self { agent, url: url.trim_end_matches('/').to_owned(), authorization }
    }

    /// Creates a client of the server at a Unix socket that sends this `Authorization`, if any.
    #[must_use]
    pub fn of_socket(path: PathBuf, authorization: Option<String>) -> Self {
        let url = format!("unix:{}", path.display());
        Self { url, authorization, ..Self::through(move || UnixStream::connect(&path)) }
    }

    /// Creates such a client for a socket that may have an abstract name.
    #[must_use]
    pub fn of_address(address: SocketAddr, authorization: Option<String>) -> Self {
        Self { authorization, ..Self::through(move || UnixStream::connect_addr(&address)) }
    }

    /// Creates a client that reaches its server through the streams of `connect`.
    pub fn through(connect: impl Fn() -> io::Result<UnixStream> + Send + Sync + 'static) -> Self {
        let connector = StreamConnector::new(connect);
        let agent = Agent::with_parts(config(), connector, DefaultResolver::default());
        Self { agent, url: LOCAL.to_owned(), authorization: None }
    }

    /// Returns a copy of this client without credentials.
    #[must_use]
    pub fn without_credentials(&self) -> Self {
        Self { authorization: None, ..self.clone() }
    }

    /// Returns whether requests carry credentials.
    #[must_use]
    pub(super) fn has_credentials(&self) -> bool {
        self.authorization.is_some()
    }

    /// Returns the server's URL, for messages.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a JSON body to a path, with additional headers. Blocks until the response has
    /// arrived, 15 minutes at most.
    ///
    /// # Errors
    /// `Unreachable` if there is no response, or one over 64 MiB.
    pub fn post(
        &self,
        target: &str,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> Result<Answer, Unreachable> {
        self.send(target, headers, ("application/json", body))
    }

    fn send(
        &self,
        target: &str,
        headers: &[(&str, String)],
        (media_type, body): (&str, &[u8]),
    ) -> Result<Answer, Unreachable> {
        let mut request = self.agent.post(self.at(target));
        let authorization = self.authorization.iter().map(|value| ("Authorization", value));
        let headers = headers.iter().map(|(name, value)| (*name, value)).chain(authorization);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.header("Content-Type", media_type);
        let answer = request.send(body).map_err(|error| self.unreachable(&error))?;
        self.whole(answer)
    }

    /// Sends arbitrary bytes to a path. Blocks until the response has arrived, 15 minutes at most.
    ///
    /// # Errors
    /// The errors of [`Self::post`].
    pub fn post_bytes(&self, target: &str, body: &[u8]) -> Result<Answer, Unreachable> {
        self.send(target, &[], (BYTES, body))
    }

    /// Requests a path. Blocks until the response has arrived, 15 minutes at most.
    ///
    /// # Errors
    /// The errors of [`Self::post`].
    pub fn get(&self, target: &str) -> Result<Answer, Unreachable> {
        let answer = self.request(target, "application/json").call();
        self.whole(answer.map_err(|error| self.unreachable(&error))?)
    }

    /// Requests a path. Blocks for at most `within`.
    ///
    /// # Errors
    /// The errors of [`Self::post`].
    pub fn get_within(&self, target: &str, within: Duration) -> Result<Answer, Unreachable> {
        let request = self.request(target, "application/json");
        let answer = request.config().timeout_global(Some(within)).build().call();
        self.whole(answer.map_err(|error| self.unreachable(&error))?)
    }

    /// Requests a stream of this media type. Blocks until the head of the response has arrived, 15
    /// minutes at most. After `within` from then on, reading fails with an error that `is_timeout`
    /// recognizes.
    ///
    /// # Errors
    /// The errors of [`Self::post`].
    pub fn stream(
        &self,
        target: &str,
        accept: &str,
        within: Option<Duration>,
    ) -> Result<Streamed, Unreachable> {
        let request = self.request(target, accept).config().timeout_global(None);
        let request = request.timeout_recv_response(Some(ANSWER_TIMEOUT));
        let answer = request
            .timeout_recv_body(within)
            .build()
            .call()
            .map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(Streamed::Body(Box::new(answer.into_body().into_reader())));
        }
        self.whole(answer).map(Streamed::Refused)
    }

    fn request(&self, target: &str, accept: &str) -> RequestBuilder<WithoutBody> {
        let request = self.agent.get(self.at(target)).header("Accept", accept);
        match &self.authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        }
    }

    fn at(&self, target: &str) -> String {
        let base = if self.url.starts_with("unix:") { LOCAL } else { &self.url };
        format!("{base}{target}")
    }

    fn whole(&self, mut answer: Response<Body>) -> Result<Answer, Unreachable> {
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok(Answer { status, body: body.map_err(|error| self.unreachable(&error))? })
    }

    fn unreachable(&self, error: &Error) -> Unreachable {
        let why = match error {
            Error::Timeout(_) => "timed out".to_owned(),
            error if error.to_string().contains("InvalidContentType") => {
                "it uses plain HTTP: give http:// instead of https://".to_owned()
            }
            error => error.to_string(),
        };
        Unreachable { url: self.url.clone(), why }
    }
}

fn config() -> Config {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        // A token is for the server alone: not for a proxy from the environment, and not for the
        // target of a redirect.
        .proxy(None)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(ANSWER_TIMEOUT))
        .user_agent(concat!("llm-shell/", env!("CARGO_PKG_VERSION")))
        .build()
}
