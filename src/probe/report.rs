//! What the health checks of one service found, taken together.

use super::check::Check;
use super::prober::Prober;
use super::run_check::{ProbeContext, probe};
use crate::protocol::HealthStatus;
use std::io;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// What the health checks of one service found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// How the service is.
    pub status: HealthStatus,
    /// By check, in the order of the services file: nothing, or why it failed.
    pub checks: Vec<(String, Result<(), String>)>,
    /// How long the slowest took; `None` where there was none.
    pub response_time: Option<Duration>,
}

impl HealthReport {
    /// A report without a check.
    #[must_use]
    pub fn unknown() -> Self {
        Self { status: HealthStatus::Unknown, checks: Vec::new(), response_time: None }
    }

    /// Looks with each check (a name, what is looked at, how long that may take, what it keeps),
    /// all at once.
    /// Blocks for the longest of the timeouts at most, and little more.
    #[must_use]
    pub fn take(checks: &[(&str, &Check, Duration, Prober)], context: ProbeContext<'_>) -> Self {
        let findings = thread::scope(|scope| {
            let mut threads = Vec::with_capacity(checks.len());
            for (name, check, timeout, prober) in checks {
                let thread = thread::Builder::new()
                    .name("probe".into())
                    .spawn_scoped(scope, move || timed(check, *timeout, prober, context));
                threads.push(((*name).to_owned(), thread));
            }
            let join = |(name, thread): (String, io::Result<_>)| {
                (name, thread.map_or_else(|error| no_thread(&error), join))
            };
            threads.into_iter().map(join).collect()
        });
        Self::of(findings)
    }

    /// The report of what was found by each check, and how long that took.
    fn of(findings: Vec<(String, Finding)>) -> Self {
        let response_time = findings.iter().map(|(_, (_, took))| *took).max();
        let checks: Vec<_> = findings.into_iter().map(|(name, (found, _))| (name, found)).collect();
        let status = match checks.iter().all(|(_, found)| found.is_ok()) {
            _ if checks.is_empty() => HealthStatus::Unknown,
            true => HealthStatus::Healthy,
            false => HealthStatus::Unhealthy,
        };
        Self { status, checks, response_time }
    }

    /// Why the first of the checks that failed did.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.checks.iter().find_map(|(_, found)| found.as_ref().err()).map(String::as_str)
    }
}

/// What a look found, and how long it took.
type Finding = (Result<(), String>, Duration);

fn timed(check: &Check, timeout: Duration, prober: &Prober, context: ProbeContext<'_>) -> Finding {
    let began = Instant::now();
    let found = probe(check, timeout, prober, context);
    (found, began.elapsed())
}

fn join(thread: ScopedJoinHandle<'_, Finding>) -> Finding {
    // One that panicked has said so on stderr.
    thread.join().unwrap_or_else(|_| (Err("the check itself failed".to_owned()), Duration::ZERO))
}

fn no_thread(error: &io::Error) -> Finding {
    (Err(format!("no thread to look with: {error}")), Duration::ZERO)
}
