//! Report of all health checks of one service.

use super::check::Check;
use super::prober::Prober;
use super::run_check::{ProbeContext, probe};
use crate::protocol::HealthStatus;
use std::io;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// The results of the health checks of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// The status that they add up to.
    pub status: HealthStatus,
    /// The result of each check, in the order of the services file: nothing, or why it failed.
    pub checks: Vec<(String, Result<(), String>)>,
    /// Duration of the slowest probe; `None` without any.
    pub response_time: Option<Duration>,
}

impl HealthReport {
    /// Returns a report without a check.
    #[must_use]
    pub fn unknown() -> Self {
        Self { status: HealthStatus::Unknown, checks: Vec::new(), response_time: None }
    }

    /// Probes all checks at once (each a name, a check, a timeout and its prober). Blocks for the
    /// longest of the timeouts at most, and little more.
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

    /// Combines the results and durations of the checks.
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

    /// Returns why the first failed check did.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.checks.iter().find_map(|(_, found)| found.as_ref().err()).map(String::as_str)
    }
}

/// The result of a probe, and its duration.
type Finding = (Result<(), String>, Duration);

fn timed(check: &Check, timeout: Duration, prober: &Prober, context: ProbeContext<'_>) -> Finding {
    let began = Instant::now();
    let found = probe(check, timeout, prober, context);
    (found, began.elapsed())
}

fn join(thread: ScopedJoinHandle<'_, Finding>) -> Finding {
    // A thread that panicked has reported it on stderr.
    thread.join().unwrap_or_else(|_| (Err("the check itself failed".to_owned()), Duration::ZERO))
}

fn no_thread(error: &io::Error) -> Finding {
    (Err(format!("cannot start a thread for the check: {error}")), Duration::ZERO)
}
