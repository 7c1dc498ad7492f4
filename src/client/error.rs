//! Errors of a client, for people and for scripts.

use super::request::{Answer, Client, Unreachable};
use crate::printable::printable;
use serde_json::Value;

/// How to send credentials.
const CREDENTIALS: &str =
    "give --token or --token-file, or set LLM_SHELL_TOKEN or LLM_SHELL_BASIC_AUTH";

/// The reason why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server is unreachable.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The server requires other credentials.
    #[error("authentication failed at {url}: {reason}; {CREDENTIALS}")]
    Unauthorized {
        /// The server.
        url: String,
        /// The reason.
        reason: &'static str,
    },
    /// The server refused the request.
    #[error("{url} refused the request: {detail}")]
    Refused {
        /// The server.
        url: String,
        /// The reason.
        detail: String,
    },
    /// The request is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The request cannot be fulfilled now.
    #[error("{0}")]
    Failed(String),
}

impl ClientError {
    /// Returns 2 if the request was wrong, 1 otherwise.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Wrong(_) => 2,
            Self::Unreachable(_)
            | Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::Failed(_) => 1,
        }
    }

    /// Creates the error for a URL where another kind of server answers.
    pub(super) fn not_ours(url: &str, status: u16) -> Self {
        Self::Failed(format!("{url} is not an llm-shell server (HTTP {status})"))
    }

    /// Converts an unsuccessful response.
    pub(super) fn of(answer: &Answer, client: &Client) -> Self {
        let url = client.url();
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let detail = problem["detail"].as_str().map(name_verbs);
        let Some(detail) = detail else { return Self::not_ours(url, answer.status) };
        match answer.status {
            401 => {
                let is_sent = client.has_credentials();
                let reason = if is_sent {
                    "the credentials were rejected"
                } else {
                    "no credentials were sent"
                };
                Self::Unauthorized { url: url.to_owned(), reason }
            }
            403 | 429 => Self::Refused { url: url.to_owned(), detail },
            400 | 404 | 405 | 413 => Self::Wrong(detail),
            _ => Self::Failed(detail),
        }
    }
}

/// Replaces the routes that a detail mentions by the verbs of `ctl` with the same names.
fn name_verbs(detail: &str) -> String {
    let routes = ["POST /supervisor/", "GET /supervisor/", "POST /", "GET /"];
    let detail = routes.iter().fold(detail.to_owned(), |detail, it| detail.replace(it, "ctl "));
    // The detail may quote a command, which must not control the terminal.
    printable(&detail)
}
