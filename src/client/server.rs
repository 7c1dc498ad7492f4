//! The server that a command is for: requests, responses and what is printed of them.

use super::command::{CtlCommand, Lines, Verb};
use super::console::Console;
use super::error::ClientError;
use super::request::{Answer, Client, Streamed};
use super::target::Parameters;
use crate::protocol::StdinResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{self, Read};
use std::time::Duration;

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The command succeeded, and its target is healthy.
    Healthy,
    /// The command succeeded, and its target is not healthy.
    Unhealthy,
    /// The exit code of a shell command that was waited for.
    Code(u8),
}

impl Outcome {
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Unhealthy => 1,
            Self::Code(code) => code,
        }
    }
}

/// The server, and the command for it.
pub struct Server<'a> {
    pub client: &'a Client,
    pub console: &'a Console,
    pub command: &'a CtlCommand,
}

impl Server<'_> {
    /// Returns the action.
    pub fn verb(&self) -> &Verb {
        &self.command.verb
    }

    /// Sends GET and parses the response.
    pub fn get<T: DeserializeOwned>(&self, target: &str) -> Result<Received<T>, ClientError> {
        self.read(&self.client.get(target)?)
    }

    /// Sends POST with a JSON body, or none for null, and parses the response.
    pub fn post<T: DeserializeOwned>(
        &self,
        target: &str,
        body: &Value,
    ) -> Result<Received<T>, ClientError> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let post = || self.client.post(target, &[], body.as_bytes());
        let answer = match self.command.wait {
            Some(_) => self.console.while_waiting("until it is done", post)?,
            None => post()?,
        };
        self.read(&answer)
    }

    /// Parses a successful response.
    pub fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<Received<T>, ClientError> {
        if !(200..300).contains(&answer.status) {
            return Err(ClientError::of(answer, self.client));
        }
        let received = Received::from_body(&answer.body);
        received.map_err(|error| {
            ClientError::Failed(format!("unexpected response from {}: {error}", self.client.url()))
        })
    }

    /// Opens a stream of this media type, which times out after `within`.
    pub fn stream(
        &self,
        target: &str,
        accept: &str,
        within: Option<Duration>,
    ) -> Result<Box<dyn Read + Send>, ClientError> {
        match self.client.stream(target, accept, within)? {
            Streamed::Body(body) => Ok(body),
            Streamed::Refused(answer) => Err(ClientError::of(&answer, self.client)),
        }
    }

    /// Prints the response if `--json` is given. Returns whether it is.
    pub fn print_json(&self, answer: &Value) -> bool {
        if self.command.is_json {
            self.console.say(&answer.to_string());
        }
        self.command.is_json
    }

    /// Returns the query parameters that select `lines`.
    pub fn parameters_of(&self, lines: &Lines) -> Parameters {
        Parameters::new()
            .with("lines", lines.count)
            .with("grep", lines.grep.as_deref())
            .with("follow", lines.follows.then_some(true))
            .with("format", Some(if self.command.is_json { "ndjson" } else { "text" }))
    }

    /// Writes to a program, and prints how much was written.
    pub fn write(&self, target: &str, data: &[u8]) -> Result<Outcome, ClientError> {
        let Received { json, body: StdinResponse { written, .. } } =
            self.read(&self.client.post_bytes(target, data)?)?;
        if !self.print_json(&json) {
            self.console.say(&format!("{written} of {} bytes written", data.len()));
        }
        Ok(if written == data.len() { Outcome::Healthy } else { Outcome::Unhealthy })
    }

    /// Returns the seconds to wait, if waiting is requested.
    pub fn wait_seconds(&self) -> Option<f64> {
        self.command.wait.map(|wait| wait.as_secs_f64())
    }
}

/// Returns the input for a program: the text as a line, or all of stdin.
pub fn input(text: &[String]) -> Result<Vec<u8>, ClientError> {
    if !text.is_empty() {
        return Ok((text.join(" ") + "\n").into());
    }
    let mut all = Vec::new();
    let unreadable = |error| ClientError::Failed(format!("cannot read stdin: {error}"));
    io::stdin().lock().read_to_end(&mut all).map_err(unreadable)?;
    Ok(all)
}

/// Formats a duration for people.
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

/// A response: as JSON, for `--json`, and parsed.
pub struct Received<T> {
    pub json: Value,
    pub body: T,
}

impl<T: DeserializeOwned> Received<T> {
    /// Parses the body of a response.
    pub fn from_body(body: &[u8]) -> serde_json::Result<Self> {
        let json: Value = serde_json::from_slice(body)?;
        Ok(Self { body: T::deserialize(&json)?, json })
    }
}
