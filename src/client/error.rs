//! Why something that was asked for was not done, for people and for scripts.

use super::request::{Answer, Unreachable};
use crate::printable::printable;
use serde_json::Value;

/// What to do where the server wants to be shown something else.
const CREDENTIALS: &str = "It wants a token or a password, and not the one that it was shown: give \
    --token or --token-file, or set LLM_SHELL_TOKEN or LLM_SHELL_BASIC_AUTH.";

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The server does not let us.
    #[error("{url} refused us: {detail}")]
    Refused {
        /// Which server.
        url: String,
        /// Its words.
        detail: String,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Wrong(String),
    /// It could not be done now.
    #[error("{0}")]
    Failed(String),
}

impl ClientError {
    /// 2 where the request was wrong, 1 for all else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Wrong(_) => 2,
            Self::Unreachable(_) | Self::Refused { .. } | Self::Failed(_) => 1,
        }
    }

    /// Reports that another kind of server answers at this URL.
    pub(super) fn not_ours(url: &str, status: u16) -> Self {
        Self::Failed(format!("{url} is not an llm-shell server (HTTP {status})."))
    }

    /// What an answer that is no success means.
    pub(super) fn of(answer: &Answer, url: &str) -> Self {
        let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let detail = problem["detail"].as_str().map(in_our_words);
        let Some(detail) = detail else { return Self::not_ours(url, answer.status) };
        match answer.status {
            401 => Self::Refused { url: url.to_owned(), detail: CREDENTIALS.to_owned() },
            403 | 429 => Self::Refused { url: url.to_owned(), detail },
            400 | 404 | 405 | 413 => Self::Wrong(detail),
            _ => Self::Failed(detail),
        }
    }
}

/// A detail names what to ask for next by its route: each has a verb of the same name here.
fn in_our_words(detail: &str) -> String {
    let routes = ["POST /supervisor/", "GET /supervisor/", "POST /", "GET /"];
    let detail = routes.iter().fold(detail.to_owned(), |detail, it| detail.replace(it, "ctl "));
    // It may quote a command: nothing in that steers the terminal.
    printable(&detail)
}
