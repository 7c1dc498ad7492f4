//! Input, signals and terminal sizes, read from requests.

use super::{body, parameters};
use crate::logs::Range;
use crate::ops::{
    Error, Escapes, LogQuery, OutputMark, RunSource, Until, fitting_wait, logs_response, wait_until,
};
use crate::process::{Signal, TerminalSize};
use crate::protocol::{Size, StdinRequest, StdinResponse};
use crate::runs::{EndsInput, Written};
use http1::{Problem, Query, Request};
use std::time::Duration;

/// The longest input of one request, in bytes.
pub const STDIN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Input for a command, and the wait for its reaction.
pub struct Input {
    /// The bytes.
    pub data: Vec<u8>,
    /// Names of keys whose bytes follow.
    pub keys: Vec<String>,
    /// Whether they are the last.
    pub ends: EndsInput,
    wait: Option<Duration>,
    until: Until,
    bytes_max: Option<u64>,
}

impl Input {
    /// Reads the input: from JSON if the Content-Type says so, else the body as it is. The query
    /// has `wait`, `until` and `max_bytes`, which JSON may have as well.
    pub fn read(request: &mut Request<'_>, mut query: Query) -> Result<Self, Problem> {
        let wait = parameters::wait(&mut query, "wait")?;
        let (until, bytes_max) = (query.take("until"), parameters::count(&mut query, "max_bytes")?);
        query.finish()?;
        let media_type = request.header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        let is_json = media_type.eq_ignore_ascii_case("application/json");
        let body = if is_json {
            let example = "{\"data\": \"y\\n\", \"eof\": false}";
            body::json_up_to(request, example, STDIN_BYTES_MAX)?
        } else {
            StdinRequest::default()
        };
        let StdinRequest { data, keys, eof, .. } = body;
        let data = if is_json { data.into_bytes() } else { request.body(STDIN_BYTES_MAX)? };
        let ends = if eof { EndsInput::Yes } else { EndsInput::No };
        let wait = wait.or(fitting_wait("wait", body.wait)?);
        let (until, bytes_max) = (until.or(body.until), bytes_max.or(body.max_bytes));
        let until = parameters::until_of(until.as_deref(), wait, request)?.unwrap_or(Until::Line);
        // Validates the size before anything is written.
        LogQuery::of_output(String::new(), Range::All, bytes_max, Escapes::Kept)?;
        Ok(Self { data, keys, ends, wait, until, bytes_max })
    }

    /// Waits for the reaction, and returns the answer. `path` is that of the run's log.
    pub fn answer(
        &self,
        request: &Request<'_>,
        written: &Written,
        path: String,
    ) -> Result<StdinResponse, Problem> {
        let Some(wait) = self.wait else {
            return Ok(StdinResponse { written: written.bytes, output: None });
        };
        let (source, mark) =
            (RunSource::of_view(written.run.clone()), OutputMark::of_input(written));
        let range = Range::After(mark.lines());
        let mut query = LogQuery::of_output(path, range, self.bytes_max, Escapes::Kept)?;
        query.waited = Some(wait_until(request, &source, &mark, &self.until, wait)?);
        let output = Some(logs_response(&source, &query)?);
        Ok(StdinResponse { written: written.bytes, output })
    }
}

/// Reads the signal to send.
pub fn signal(mut query: Query) -> Result<Signal, Problem> {
    let signal = parameters::signal(&mut query, "type")?;
    query.finish()?;
    let missing = || {
        Error::Invalid("The parameter type is missing: give a signal such as type=SIGINT.".into())
    };
    Ok(signal.ok_or_else(missing)?)
}

/// Reads the new size of a terminal.
pub fn size(request: &mut Request<'_>, query: Query) -> Result<TerminalSize, Problem> {
    query.finish()?;
    let size: Size = body::json(request, "{\"rows\": 24, \"cols\": 80}")?;
    Ok(size.try_into()?)
}
