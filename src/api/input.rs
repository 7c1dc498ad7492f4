//! Input, signals and terminal sizes, read from requests.

use super::{body, parameters};
use crate::ops::Error;
use crate::process::{Signal, TerminalSize};
use crate::protocol::{Size, StdinRequest};
use crate::runs::EndsInput;
use http1::{Problem, Request};

/// The longest input of one request, in bytes.
pub const STDIN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Input for a command.
pub struct Input {
    /// Bytes to write.
    pub data: Vec<u8>,
    /// Names of keys whose bytes follow.
    pub keys: Vec<String>,
    /// Whether the input ends after them.
    pub ends: EndsInput,
}

/// Reads the input: from JSON if the Content-Type says so, else the body as it is.
pub fn input(request: &mut Request<'_>) -> Result<Input, Problem> {
    request.query()?.finish()?;
    let media_type = request.header("content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let data = request.body(STDIN_BYTES_MAX)?;
        return Ok(Input { data, keys: Vec::new(), ends: EndsInput::No });
    }
    let example = "{\"data\": \"y\\n\", \"eof\": false}";
    let StdinRequest { data, keys, eof } = body::json_up_to(request, example, STDIN_BYTES_MAX)?;
    let ends = if eof { EndsInput::Yes } else { EndsInput::No };
    Ok(Input { data: data.into_bytes(), keys, ends })
}

/// Reads the signal to send.
pub fn signal(request: &Request<'_>) -> Result<Signal, Problem> {
    let mut query = request.query()?;
    let signal = parameters::signal(&mut query, "type")?;
    query.finish()?;
    let missing = || {
        Error::Invalid("The parameter type is missing: give a signal such as type=SIGINT.".into())
    };
    Ok(signal.ok_or_else(missing)?)
}

/// Reads the new size of a terminal.
pub fn size(request: &mut Request<'_>) -> Result<TerminalSize, Problem> {
    request.query()?.finish()?;
    let size: Size = body::json(request, "{\"rows\": 24, \"cols\": 80}")?;
    Ok(size.try_into()?)
}
