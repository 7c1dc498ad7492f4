//! Requests to one server, over TCP or a Unix socket.

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

/// What requests over a Unix socket name as their host.
const LOCAL: &str = "http://localhost";

/// The media type of what may be no text.
const BYTES: &str = "application/octet-stream";

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

/// Whether the reading of a stream failed because its time was up.
#[must_use]
pub fn is_time_up(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    matches!(error, Some(Error::Timeout(_)))
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// A stream, or why there is none.
pub enum Streamed {
    /// What comes, as it comes.
    Body(Box<dyn Read + Send>),
    /// What was answered in its place.
    Refused(Answer),
}

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
#[error("The server at {url} does not answer ({why}): see whether it runs, and where.")]
pub struct Unreachable {
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

    /// A client of the server at a Unix socket, which sends this `Authorization`, if there is one.
    #[must_use]
    pub fn of_socket(path: PathBuf, authorization: Option<String>) -> Self {
        let url = format!("unix:{}", path.display());
        Self { url, authorization, ..Self::through(move || UnixStream::connect(&path)) }
    }

    /// The same of a socket that may have a name that is no file's.
    #[must_use]
    pub fn of_address(address: SocketAddr, authorization: Option<String>) -> Self {
        Self { authorization, ..Self::through(move || UnixStream::connect_addr(&address)) }
    }

    /// A client of a server that is reached through what `connect` gives.
    pub fn through(connect: impl Fn() -> io::Result<UnixStream> + Send + Sync + 'static) -> Self {
        let connector = StreamConnector::new(connect);
        let agent = Agent::with_parts(config(), connector, DefaultResolver::default());
        Self { agent, url: LOCAL.to_owned(), authorization: None }
    }

    /// The same client, showing nothing of what the server asks for.
    #[must_use]
    pub fn without_credentials(&self) -> Self {
        Self { authorization: None, ..self.clone() }
    }

    /// Where the server is, for people.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a JSON body to a path, with these headers more. Blocks until it is answered, 15
    /// minutes at most.
    ///
    /// # Errors
    /// `Unreachable` when there is no answer, or one over 64 MiB.
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
        let answer = request.send(body).map_err(|error| self.away(&error))?;
        self.whole(answer)
    }

    /// Sends whatever bytes to a path. Blocks until it is answered, 15 minutes at most.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub fn post_bytes(&self, target: &str, body: &[u8]) -> Result<Answer, Unreachable> {
        self.send(target, &[], (BYTES, body))
    }

    /// Asks for a path. Blocks until it is answered, 15 minutes at most.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub fn get(&self, target: &str) -> Result<Answer, Unreachable> {
        let answer = self.request(target, "application/json").call();
        self.whole(answer.map_err(|error| self.away(&error))?)
    }

    /// The same, within this time.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub fn get_within(&self, target: &str, within: Duration) -> Result<Answer, Unreachable> {
        let request = self.request(target, "application/json");
        let answer = request.config().timeout_global(Some(within)).build().call();
        self.whole(answer.map_err(|error| self.away(&error))?)
    }

    /// Asks for a stream of this media type, and gives it as it comes, or the answer that is given
    /// in its place. Blocks until the head of the answer is there, 15 minutes at most. Reading
    /// fails when so much time has passed since then, as `is_time_up` tells.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub fn stream(
        &self,
        target: &str,
        accept: &str,
        within: Option<Duration>,
    ) -> Result<Streamed, Unreachable> {
        let request = self.request(target, accept).config().timeout_global(None);
        let request = request.timeout_recv_response(Some(ANSWER_TIMEOUT));
        let answer =
            request.timeout_recv_body(within).build().call().map_err(|error| self.away(&error))?;
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
        Ok(Answer { status, body: body.map_err(|error| self.away(&error))? })
    }

    fn away(&self, error: &Error) -> Unreachable {
        let why = match error {
            Error::Timeout(_) => "the time was up".to_owned(),
            error if error.to_string().contains("InvalidContentType") => {
                "it speaks plain HTTP there: give http:// in the place of https://".to_owned()
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
        // A token is for the server alone: not for a proxy that the environment names, and not
        // for where an answer leads.
        .proxy(None)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(ANSWER_TIMEOUT))
        .user_agent(concat!("llm-shell/", env!("CARGO_PKG_VERSION")))
        .build()
}
