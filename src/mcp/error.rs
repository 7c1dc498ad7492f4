//! Errors of tools, with advice that names tools.

use crate::error::{ErrorKind, from_by};
use crate::ops::{Error, with_advice};
use crate::permits::TooManyRequests;
use crate::{logs, runs, supervisor};

/// The maximum size of an error text, in bytes.
const FAILURE_BYTES_MAX: usize = 4096;

/// The error of a tool, for a model.
#[derive(Debug, PartialEq, Eq)]
pub struct ToolError(pub String);

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        if error.kind() == ErrorKind::Internal && !error.is_of_client_that_left() {
            log::error!("{error}");
        }
        Self(with_advice(&error, advice(&error)))
    }
}

from_by!(Error => ToolError: TooManyRequests, logs::Error, runs::Error, supervisor::Error);

/// Returns what a caller of the tools can do about an error whose text is only the fact.
fn advice(error: &Error) -> Option<String> {
    let advice = match error {
        Error::Run(error) => match error {
            runs::Error::AlreadyRunning { .. } => "end it with kill, or wait for it with wait",
            runs::Error::NeverStarted => "start one with start_command",
            runs::Error::RestartCancelled => "use start_command to start it",
            runs::Error::NoSuchRun { .. } | runs::Error::AnotherRun { .. } => {
                "list_runs lists all runs"
            }
            runs::Error::NameTaken { name, .. } => {
                return Some(format!("end it with kill run={name}, or use another name"));
            }
            runs::Error::NoCommand { .. } => "run one with start_command session=NAME",
            runs::Error::TooManyRuns { .. } => "end one with kill",
            _ => return None,
        },
        Error::NotStartedSince { run_id } => {
            return Some(format!(
                "read_logs run={run_id} reads the last run before that, and start_command \
                 starts a new one"
            ));
        }
        Error::NoSuchServiceRun { .. } => "omit run to read all runs",
        Error::ServiceExists { .. } => "restart_service restarts it with another config",
        _ => return None,
    };
    Some(advice.to_owned())
}

/// Creates the error for an empty name.
pub fn empty(argument: &str) -> ToolError {
    ToolError(format!("The argument {argument} is empty: give a value, or omit it."))
}

impl ToolError {
    /// Returns the text, truncated if it repeats something long.
    pub fn into_text(mut self) -> String {
        if self.0.len() > FAILURE_BYTES_MAX {
            self.0.truncate(self.0.floor_char_boundary(FAILURE_BYTES_MAX));
            self.0.push_str(" … (truncated)");
        }
        self.0
    }
}
