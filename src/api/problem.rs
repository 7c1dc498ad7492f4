//! Errors as problems of HTTP: status codes, and advice that names routes.

use crate::error::{ErrorKind, from_by};
use crate::ops::{Error, with_advice};
use crate::permits::TooManyRequests;
use crate::{logs, runs, supervisor};
use http1::{HeaderValue, Problem, header};

/// The `Retry-After` of an answer to too many requests, in seconds.
const RETRY_SECONDS: u16 = 1;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = with_advice(&error, advice(&error));
        let problem = match error.kind() {
            ErrorKind::BadRequest => Self::bad_request(detail),
            ErrorKind::Forbidden => Self::forbidden(detail),
            ErrorKind::NotFound => Self::not_found(detail),
            ErrorKind::Gone => Self::gone(detail),
            ErrorKind::Conflict => Self::conflict(detail),
            ErrorKind::TooMany => Self::too_many_requests(detail),
            ErrorKind::Unavailable => Self::unavailable(detail),
            // The client has left, so the answer is not read; nothing has failed.
            ErrorKind::Internal if error.is_of_client_that_left() => Self::internal(detail),
            ErrorKind::Internal => {
                log::error!("{detail}");
                Self::internal(detail)
            }
        };
        match error {
            Error::MissingScope { needed, .. } => {
                let challenge = format!(
                    "Bearer realm=\"llm-shell\", error=\"insufficient_scope\", scope=\"{needed}\""
                );
                // A scope is plain ASCII.
                match HeaderValue::try_from(challenge) {
                    Ok(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
                    Err(_) => problem,
                }
            }
            Error::TooManyRequests(_) => {
                problem.with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS))
            }
            _ => problem,
        }
    }
}

from_by!(Error => Problem: TooManyRequests, logs::Error, runs::Error, supervisor::Error);

/// Returns what a client of the routes can do about an error whose text is only the fact.
fn advice(error: &Error) -> Option<String> {
    let advice = match error {
        Error::Run(error) => match error {
            runs::Error::AlreadyRunning { .. } => "end it with POST /kill, or wait for it",
            runs::Error::NeverStarted => "start one with POST /start",
            runs::Error::RestartCancelled => "use POST /start to start it",
            runs::Error::NoSuchRun { .. } => "GET /runs lists all runs",
            runs::Error::AnotherRun { run_id, .. } => {
                return Some(format!("the routes below /runs/{run_id} act on that one"));
            }
            runs::Error::NameTaken { name, .. } => {
                return Some(format!("end it with POST /runs/{name}/kill, or use another name"));
            }
            runs::Error::NoCommand { run_id } => {
                return Some(format!("run one with POST /runs/{run_id}/exec"));
            }
            runs::Error::TooManyRuns { .. } => "end one with POST /runs/{run}/kill",
            runs::Error::StillLives { run_id } => {
                return Some(format!("end it with POST /runs/{run_id}/kill"));
            }
            _ => return None,
        },
        Error::NotStartedSince { run_id } => {
            return Some(format!(
                "GET /runs/{run_id} shows the last run before that, and POST /start starts a new \
                 one"
            ));
        }
        Error::TerminalGone { .. } => "its lines may still be: omit format",
        Error::NoSuchServiceRun { .. } => {
            "omit run to read all runs, or follow the log as text/event-stream, which names each \
             run"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}
