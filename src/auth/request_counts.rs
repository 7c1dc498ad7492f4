//! Counts of requests, by the scope of their client and by outcome.

use crate::protocol::Scope;
use http::StatusCode;
use std::sync::atomic::{AtomicU64, Ordering};

/// The scopes of clients; `None` stands for requests that were refused before their client was
/// known.
pub const SCOPES: [Option<Scope>; 4] =
    [None, Some(Scope::Read), Some(Scope::Operate), Some(Scope::Run)];

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered with a status below 400.
    Ok,
    /// It was refused for lack of credentials or rights, or after too many attempts: 401, 403, 429.
    Denied,
    /// Any other status from 400 to 499.
    ClientError,
    /// A status from 500.
    ServerError,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Denied, Self::ClientError, Self::ServerError];

    /// Returns the outcome with a status.
    #[must_use]
    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            0..400 => Self::Ok,
            401 | 403 | 429 => Self::Denied,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }

    /// Returns its name as a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
        }
    }
}

/// Numbers of requests.
#[derive(Debug, Default)]
pub struct RequestCounts([[AtomicU64; Outcome::ALL.len()]; SCOPES.len()]);

impl RequestCounts {
    pub(super) fn add(&self, scope: Option<Scope>, status: StatusCode) {
        self.at(scope, Outcome::of(status)).fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of requests since the start of the server.
    #[must_use]
    pub fn get(&self, scope: Option<Scope>, outcome: Outcome) -> u64 {
        self.at(scope, outcome).load(Ordering::Relaxed)
    }

    fn at(&self, scope: Option<Scope>, outcome: Outcome) -> &AtomicU64 {
        let row = SCOPES.iter().position(|it| *it == scope).unwrap_or_default();
        &self.0[row][outcome as usize]
    }
}
