//! `llm-shell ctl`: orders to a server that runs, of either mode.

use super::asking::{Answer, Client, Streamed};
use super::console::Console;
use super::order::{Lines, Order, Verb};
use super::target::Parameters;
use super::trouble::Trouble;
use super::{services, shell};
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
    NotWell,
    /// A command was waited for, and this is what the exit code tells of its end.
    Code(u8),
}

impl Outcome {
    fn exit_code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::NotWell => 1,
            Self::Code(code) => code,
        }
    }
}

/// Carries out an order. Blocks for as long as that takes; without an end where something is
/// followed. Gives the exit code: 0 when all is well, 1 when not, or that of the command that was
/// waited for.
///
/// # Errors
/// `Trouble` when the server is away, refuses us, or cannot do it.
pub fn run(order: &Order, client: &Client, console: &Console) -> Result<u8, Trouble> {
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
    let said = answer.ok().and_then(|it| serde_json::from_slice::<Value>(&it.body).ok());
    said.is_some_and(|said| matches!(text(&said, "status"), "healthy" | "degraded"))
}

/// Tells whether a server is well. That needs no credentials, so that none are where a command
/// could find them.
fn health(server: &Server<'_>) -> Result<Outcome, Trouble> {
    let answer = server.client.without_credentials().get_within("/health", LOOK_TIMEOUT)?;
    let health: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let state = text(&health, "status");
    if !matches!((answer.status, state), (200, "healthy") | (503, "degraded")) {
        return Err(Trouble::of(&answer, server.client.url()));
    }
    if !server.tell_json(&health) {
        let shown = server.console.tinted(state, services::tone(state));
        let Some(troubled) = health["services"].as_object() else {
            let (version, uptime) = (text(&health, "version"), health["uptime"].as_f64());
            let uptime = lasting(uptime.unwrap_or_default());
            server.console.say(&format!("{shown}, {version}, up {uptime}"));
            return Ok(Outcome::Well);
        };
        server.console.say(&shown);
        for (name, state) in troubled {
            server.console.say(&format!("{name}: {}", state.as_str().unwrap_or_default()));
        }
    }
    Ok(if answer.status == 200 { Outcome::Well } else { Outcome::NotWell })
}

/// The server that is asked, and what is wanted of it.
pub struct Server<'a> {
    pub client: &'a Client,
    pub console: &'a Console,
    pub order: &'a Order,
}

impl Server<'_> {
    /// Whether it is Astra.
    fn has_services(&self) -> Result<bool, Trouble> {
        // That needs no credentials, so that a server that is none of ours gets none for it.
        let client = self.client.without_credentials();
        let answer = client.get_within("/supervisor/health", LOOK_TIMEOUT)?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match (answer.status, text(&said, "status"), text(&said, "code")) {
            (200, "healthy", _) | (503, "degraded", _) => Ok(true),
            // Of a LLM Shell it is a path like any other that it does not have.
            (401, _, "unauthorized") | (403, _, "forbidden") => Ok(false),
            (404, _, "not_found") if is_ours(self.client) => Ok(false),
            (404, ..) => Err(Trouble::Failed(format!(
                "There is no server of llm-shell at {}: give another --url.",
                self.client.url()
            ))),
            _ => Err(Trouble::of(&answer, self.client.url())),
        }
    }

    /// What is to be done.
    pub fn verb(&self) -> &Verb {
        &self.order.verb
    }

    /// What GET answers.
    pub fn get(&self, target: &str) -> Result<Value, Trouble> {
        self.read(&self.client.get(target)?)
    }

    /// What POST answers to this body.
    pub fn post(&self, target: &str, body: &Value) -> Result<Value, Trouble> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let post = || self.client.post(target, &[], body.as_bytes());
        let answer = match self.order.wait {
            Some(_) => self.console.while_waiting("until it is done", post)?,
            None => post()?,
        };
        self.read(&answer)
    }

    /// Reads an answer that is a success.
    pub fn read(&self, answer: &Answer) -> Result<Value, Trouble> {
        if !(200..300).contains(&answer.status) {
            return Err(Trouble::of(answer, self.client.url()));
        }
        let read = serde_json::from_slice(&answer.body);
        read.map_err(|_| Trouble::Failed(format!("{} gave no JSON.", self.client.url())))
    }

    /// A stream of this media type, which breaks off after so long.
    pub fn stream(
        &self,
        target: &str,
        accept: &str,
        within: Option<Duration>,
    ) -> Result<Box<dyn Read + Send>, Trouble> {
        match self.client.stream(target, accept, within)? {
            Streamed::Body(body) => Ok(body),
            Streamed::Refused(answer) => Err(Trouble::of(&answer, self.client.url())),
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
    pub fn write(&self, target: &str, data: &[u8]) -> Result<Outcome, Trouble> {
        let written = self.read(&self.client.post_bytes(target, data)?)?;
        if !self.tell_json(&written) {
            self.console.say(&format!("{} of {} bytes written", written["written"], data.len()));
        }
        let is_all = written["written"].as_u64() == Some(data.len() as u64);
        Ok(if is_all { Outcome::Well } else { Outcome::NotWell })
    }

    /// The seconds to wait, where that is wanted.
    pub fn wait_seconds(&self) -> Option<f64> {
        self.order.wait.map(|wait| wait.as_secs_f64())
    }
}

/// What is written to a program: the text as a line, or all that stdin gives.
pub fn input(text: &[String]) -> Result<Vec<u8>, Trouble> {
    if !text.is_empty() {
        return Ok((text.join(" ") + "\n").into());
    }
    let mut all = Vec::new();
    let unreadable = |error| Trouble::Failed(format!("Stdin cannot be read ({error})."));
    io::stdin().lock().read_to_end(&mut all).map_err(unreadable)?;
    Ok(all)
}

/// So many seconds, as people say it.
pub fn lasting(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{:.0} min", (s / 60.0).floor()),
        s if s < 86_400.0 => {
            format!("{:.0} h {:.0} min", (s / 3600.0).floor(), (s % 3600.0 / 60.0).floor())
        }
        s => format!("{:.0} d {:.0} h", (s / 86_400.0).floor(), (s % 86_400.0 / 3600.0).floor()),
    }
}

/// A text of an answer; empty where there is none.
pub fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_default()
}
