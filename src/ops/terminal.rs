//! Terminals of runs: what they show, and the keys for them.

use super::error::{Error, Result};
use super::services::Services;
use super::shell::{Shell, Which};
use super::source::Source;
use crate::keys::{CursorKeys, bytes_of};
use crate::logs::{RawOutput, RunLog, Screen};
use crate::protocol::{ScreenCursor, ScreenResponse};
use crate::runs::{FoundRun, RunView};
use std::sync::Arc;

/// Returns the output of the terminal of the run that a log is of, with the log.
///
/// # Errors
/// `Invalid` if it is not on a terminal, `TerminalGone` if its output is no longer kept.
pub fn terminal_of(source: &dyn Source) -> Result<(Arc<RunLog>, Arc<RawOutput>)> {
    let log = source.last_log();
    if let Some(log) = log
        && let Some(raw) = log.raw()
    {
        return Ok((Arc::clone(&log), Arc::clone(raw)));
    }
    let status = source.status();
    if status["pty"] == true {
        let run_id = status["run_id"].as_str().unwrap_or_default().to_owned();
        return Err(Error::TerminalGone { run_id });
    }
    Err(Error::Invalid(
        "It does not run on a terminal, which the formats screen and raw need: start it with \
         \"pty\": true."
            .to_owned(),
    ))
}

impl Shell {
    /// Appends the bytes of keys to input for a run. Takes time for what its terminal got since the
    /// last call.
    ///
    /// # Errors
    /// `Invalid` for an unknown key, or if the run is not on a terminal; those of `Shell::find`;
    /// `NotRunning`.
    pub fn with_keys(&self, which: Which<'_>, data: Vec<u8>, keys: &[String]) -> Result<Vec<u8>> {
        if keys.is_empty() {
            return Ok(data);
        }
        match self.find(which)? {
            FoundRun::Managed(found) => with_keys(&found.run, data, keys),
            FoundRun::Past(past) => Err(past.not_running().into()),
        }
    }
}

impl Services {
    /// Appends the bytes of keys to input for a service, as [`Shell::with_keys`] does.
    ///
    /// # Errors
    /// `NoSuchService`; `ServiceInput` if it was never started; `Invalid` for an unknown key, or if
    /// it is not on a terminal.
    pub fn with_keys(&self, name: &str, data: Vec<u8>, keys: &[String]) -> Result<Vec<u8>> {
        if keys.is_empty() {
            return Ok(data);
        }
        let run = self.supervisor().find(name)?.last_run();
        let run = run.ok_or_else(|| Error::ServiceInput { name: name.to_owned() })?;
        with_keys(&run, data, keys)
    }
}

fn with_keys(run: &RunView, mut data: Vec<u8>, keys: &[String]) -> Result<Vec<u8>> {
    let Some(raw) = run.log().raw() else {
        return Err(Error::Invalid(
            "The field keys needs a terminal: on a pipe a key such as enter or ctrl-d has no \
             meaning. Send text in data (a new line is \"\\n\", and eof ends the input), or start \
             the command with \"pty\": true."
                .to_owned(),
        ));
    };
    let cursor_keys =
        if raw.has_application_cursor() { CursorKeys::Application } else { CursorKeys::Normal };
    for key in keys {
        let bytes = bytes_of(key, cursor_keys);
        data.extend(bytes.map_err(|error| Error::Invalid(format!("The field keys: {error}")))?);
    }
    Ok(data)
}

impl From<Screen> for ScreenResponse {
    fn from(screen: Screen) -> Self {
        let Screen { size, cursor_row, cursor_col, lines, title } = screen;
        let cursor = ScreenCursor { row: cursor_row, col: cursor_col };
        Self { rows: size.rows, cols: size.cols, cursor, lines, title }
    }
}
