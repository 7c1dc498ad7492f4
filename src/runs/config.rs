//! Configuration of a manager.

use super::run::{End, RunView};
use crate::process::{Cgroups, Orphans, Sampler, UsageMeter};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest duration for any setting, in seconds: a day.
pub const SECONDS_MAX: f64 = 86_400.0;

/// How the lines of a manager's runs are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// From 1 in each run.
    PerRun,
    /// On from the last line of the run before.
    Continuous,
}

/// The configuration of a manager.
#[derive(Clone, Debug)]
pub struct ManagerConfig {
    /// The shell that runs the commands, with `-c`.
    pub shell: PathBuf,
    /// The environment of the commands, to which each run's own and its `RUN_ID` are added.
    pub environment: Arc<[(OsString, OsString)]>,
    /// The working directory of commands that name none: the server's own.
    pub directory: PathBuf,
    /// Time from SIGTERM to SIGKILL in a kill and in a shutdown.
    pub kill_grace: Duration,
    /// The parent of each run's control group, if the server may divide one.
    pub cgroups: Option<Arc<Cgroups>>,
    /// Which orphans belong to its runs.
    pub orphans: Orphans,
    /// How lines are numbered.
    pub numbering: Numbering,
    /// How the usage of its runs is sampled.
    pub metering: Metering,
    /// Receives the starts and ends of its runs.
    pub observer: Observer,
}

/// How the usage of a manager's runs is sampled.
#[derive(Clone, Debug)]
pub enum Metering {
    /// By the manager, with a sampler that many managers share: snapshots have it.
    Own(Arc<Sampler>),
    /// By somebody who samples many runs at once: snapshots have none.
    Elsewhere,
}

impl Metering {
    /// Returns a meter for a run that starts now; `None` if somebody else samples it.
    pub(super) fn meter(&self) -> Option<UsageMeter> {
        match self {
            Self::Own(sampler) => Some(UsageMeter::new(Arc::clone(sampler))),
            Self::Elsewhere => None,
        }
    }
}

/// The receiver of a manager's starts and ends, if there is one.
#[derive(Clone, Default)]
pub struct Observer(pub Option<Arc<dyn RunObserver>>);

/// A receiver of the starts and ends of runs. It must not block: ends come on the log writer's
/// thread.
pub trait RunObserver: Send + Sync {
    /// A run was launched. Comes before its end.
    fn started(&self, _run: &RunView) {}

    /// The end of a run's own process was recorded.
    fn ended(&self, run: &RunView, end: End);
}

impl<F: Fn(&str, End) + Send + Sync> RunObserver for F {
    fn ended(&self, run: &RunView, end: End) {
        self(run.id(), end);
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
