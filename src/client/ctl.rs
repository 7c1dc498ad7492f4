//! `llm-shell ctl`: orders to a server that runs, of either mode.

use super::command::{CtlCommand, Lines, Verb};
use super::console::{Console, Tone};
use super::error::ClientError;
use super::request::{Answer, Client, Streamed};
use super::target::Parameters;
use super::{services, shell};
use crate::protocol::{StdinResponse, SupervisorHealth, SupervisorStatus};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{self, Read};
use std::time::Duration;

/// How long a server may take to say what it is: it looks nothing up for that.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// What came of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out, and what it was about is well.
    Well,
    /// It was carried out, and what it was about is not well.
    Unhealthy,
    /// A command was waited for, and this is what the exit code tells of its end.
    Code(u8),
}

impl Outcome {
    fn exit_code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Unhealthy => 1,
            Self::Code(code) => code,
        }
    }
}

/// Carries out an order. Blocks for as long as that takes; without an end where something is
/// followed. Gives the exit code: 0 when all is well, 1 when not, or that of the command that was
/// waited for.
///
/// # Errors
/// `ClientError` when the server is away, refuses us, or cannot do it.
pub fn run(order: &CtlCommand, client: &Client, console: &Console) -> Result<u8, ClientError> {
    let server = Server { client, console, order };
    if matches!(server.verb(), Verb::Health(names) if names.is_empty()) {
        return health(&server).map(Outcome::exit_code);
    }
    let outcome = if server.has_services()? { services::run(&server) } else { shell::run(&server) };
    outcome.map(Outcome::exit_code)
}

/// Whether it is a server of ours that answers there. Blocks for 5 s at most.
#[must_use]
pub fn is_ours(client: &Client) -> bool {
    let answer = client.without_credentials().get_within("/health", LOOK_TIMEOUT);
    answer.is_ok_and(|answer| supervisor_health(&answer).is_some())
}

/// Reads the health of a server of ours: that of an LLM Shell is a healthy one without services.
fn supervisor_health(answer: &Answer) -> Option<Received<SupervisorHealth>> {
    let health = Received::<SupervisorHealth>::from_body(&answer.body).ok()?;
    let status = match health.body.status {
        SupervisorStatus::Healthy => 200,
        SupervisorStatus::Degraded => 503,
    };
    (answer.status == status).then_some(health)
}

/// Tells whether a server is well. That needs no credentials, so that none are where a command
/// could find them.
fn health(server: &Server<'_>) -> Result<Outcome, ClientError> {
    let answer = server.client.without_credentials().get_within("/health", LOOK_TIMEOUT)?;
    let Some(Received { json, body: health }) = supervisor_health(&answer) else {
        return Err(ClientError::of(&answer, server.client.url()));
    };
    let is_well = health.status == SupervisorStatus::Healthy;
    if !server.tell_json(&json) {
        let tone = if is_well { Tone::Good } else { Tone::Bad };
        let shown = server.console.tinted(health.status.as_str(), tone);
        if is_well {
            #[expect(clippy::cast_precision_loss, reason = "shown in days")]
            let uptime = format_duration(health.uptime as f64);
            server.console.say(&format!("{shown}, {}, up {uptime}", health.version));
        } else {
            server.console.say(&shown);
        }
        for (name, problem) in &health.services {
            server.console.say(&format!("{name}: {problem}"));
        }
    }
    Ok(if is_well { Outcome::Well } else { Outcome::Unhealthy })
}

/// The server that is asked, and what is wanted of it.
pub struct Server<'a> {
    pub client: &'a Client,
    pub console: &'a Console,
    pub order: &'a CtlCommand,
}

impl Server<'_> {
    /// Whether it is Astra.
    fn has_services(&self) -> Result<bool, ClientError> {
        // That needs no credentials, so that a server that is none of ours gets none for it.
        let client = self.client.without_credentials();
        let answer = client.get_within("/supervisor/health", LOOK_TIMEOUT)?;
        if supervisor_health(&answer).is_some() {
            return Ok(true);
        }
        // Of an LLM Shell it is a path like any other that it does not have.
        match answer.status {
            401 | 403 | 404 if is_ours(self.client) => Ok(false),
            status @ (401 | 403 | 404) => Err(ClientError::not_ours(self.client.url(), status)),
            _ => Err(ClientError::of(&answer, self.client.url())),
        }
    }

    /// What is to be done.
    pub fn verb(&self) -> &Verb {
        &self.order.verb
    }

    /// Sends GET and reads the answer.
    pub fn get<T: DeserializeOwned>(&self, target: &str) -> Result<Received<T>, ClientError> {
        self.read(&self.client.get(target)?)
    }

    /// Sends POST with a JSON body, or none for null, and reads the answer.
    pub fn post<T: DeserializeOwned>(
        &self,
        target: &str,
        body: &Value,
    ) -> Result<Received<T>, ClientError> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let post = || self.client.post(target, &[], body.as_bytes());
        let answer = match self.order.wait {
            Some(_) => self.console.while_waiting("until it is done", post)?,
            None => post()?,
        };
        self.read(&answer)
    }

    /// Reads an answer that is a success.
    pub fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<Received<T>, ClientError> {
        if !(200..300).contains(&answer.status) {
            return Err(ClientError::of(answer, self.client.url()));
        }
        let received = Received::from_body(&answer.body);
        received.map_err(|error| {
            ClientError::Failed(format!("unexpected answer from {}: {error}", self.client.url()))
        })
    }

    /// A stream of this media type, which breaks off after so long.
    pub fn stream(
        &self,
        target: &str,
        accept: &str,
        within: Option<Duration>,
    ) -> Result<Box<dyn Read + Send>, ClientError> {
        match self.client.stream(target, accept, within)? {
            Streamed::Body(body) => Ok(body),
            Streamed::Refused(answer) => Err(ClientError::of(&answer, self.client.url())),
        }
    }

    /// Prints what was answered, where it is for programs. Whether it was.
    pub fn tell_json(&self, answer: &Value) -> bool {
        if self.order.is_json {
            self.console.say(&answer.to_string());
        }
        self.order.is_json
    }

    /// The parameters for the lines that are wanted.
    pub fn parameters_of(&self, lines: &Lines) -> Parameters {
        Parameters::new()
            .with("lines", lines.count)
            .with("grep", lines.grep.as_deref())
            .with("follow", lines.follows.then_some(true))
            .with("format", Some(if self.order.is_json { "ndjson" } else { "text" }))
    }

    /// Writes to a program, and tells how much of it was taken.
    pub fn write(&self, target: &str, data: &[u8]) -> Result<Outcome, ClientError> {
        let Received { json, body: StdinResponse { written } } =
            self.read(&self.client.post_bytes(target, data)?)?;
        if !self.tell_json(&json) {
            self.console.say(&format!("{written} of {} bytes written", data.len()));
        }
        Ok(if written == data.len() { Outcome::Well } else { Outcome::Unhealthy })
    }

    /// The seconds to wait, where that is wanted.
    pub fn wait_seconds(&self) -> Option<f64> {
        self.order.wait.map(|wait| wait.as_secs_f64())
    }
}

/// What is written to a program: the text as a line, or all that stdin gives.
pub fn input(text: &[String]) -> Result<Vec<u8>, ClientError> {
    if !text.is_empty() {
        return Ok((text.join(" ") + "\n").into());
    }
    let mut all = Vec::new();
    let unreadable = |error| ClientError::Failed(format!("Stdin cannot be read ({error})."));
    io::stdin().lock().read_to_end(&mut all).map_err(unreadable)?;
    Ok(all)
}

/// So many seconds, as people say it.
pub fn format_duration(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{:.0} min", (s / 60.0).floor()),
        s if s < 86_400.0 => {
            format!("{:.0} h {:.0} min", (s / 3600.0).floor(), (s % 3600.0 / 60.0).floor())
        }
        s => format!("{:.0} d {:.0} h", (s / 86_400.0).floor(), (s % 86_400.0 / 3600.0).floor()),
    }
}

/// An answer: as JSON, for `--json`, and read.
pub struct Received<T> {
    pub json: Value,
    pub body: T,
}

impl<T: DeserializeOwned> Received<T> {
    /// Reads the body of an answer.
    pub fn from_body(body: &[u8]) -> serde_json::Result<Self> {
        let json: Value = serde_json::from_slice(body)?;
        Ok(Self { body: T::deserialize(&json)?, json })
    }
}
