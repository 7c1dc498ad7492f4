//! What a manager needs to know about its surroundings.

use super::run::End;
use crate::process::{Cgroups, OrphanPolicy, Sampler, UsageMeter};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest duration that anything can be asked to take, in seconds: a day.
pub const SECONDS_MAX: f64 = 86_400.0;

/// How the lines of a manager's runs are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// From 1 in each run.
    PerRun,
    /// On from the last line of the run before.
    Continuous,
}

/// What a manager needs to know about its surroundings.
#[derive(Clone, Debug)]
pub struct ManagerConfig {
    /// The shell that runs the commands, with `-c`.
    pub shell: PathBuf,
    /// The environment of the commands, to which each run's own and its `RUN_ID` are added.
    pub environment: Arc<[(OsString, OsString)]>,
    /// The directory that commands start in where they name none: the server's own.
    pub directory: PathBuf,
    /// From SIGTERM to SIGKILL in a kill and in a shutdown.
    pub kill_grace: Duration,
    /// What gives each run a control group, where there is one to divide.
    pub cgroups: Option<Arc<Cgroups>>,
    /// Which orphans belong to the run.
    pub orphan_policy: OrphanPolicy,
    /// How lines are counted.
    pub numbering: Numbering,
    /// Whose business the usage of its runs is.
    pub metering: Metering,
    /// Called when a run's own process has ended and that is recorded, with the run's id, on the
    /// log writer's thread: it must not block.
    pub on_end: OnEnd,
}

/// Whose business the usage of a manager's runs is.
#[derive(Clone, Debug)]
pub enum Metering {
    /// Its own, by what all its runs share: snapshots have it.
    Own(Arc<Sampler>),
    /// That of somebody who samples many runs at once: snapshots have none.
    Elsewhere,
}

impl Metering {
    /// A meter for a run that starts now; `None` where that is somebody else's business.
    pub(super) fn meter(&self) -> Option<UsageMeter> {
        match self {
            Self::Own(sampler) => Some(UsageMeter::new(Arc::clone(sampler))),
            Self::Elsewhere => None,
        }
    }
}

/// Who is told of ends, if anybody.
#[derive(Clone, Default)]
pub struct OnEnd(pub Option<Arc<EndCallback>>);

/// Takes the run's id and its end.
pub type EndCallback = dyn Fn(&str, End) + Send + Sync;

impl std::fmt::Debug for OnEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OnEnd").field(&self.0.is_some()).finish()
    }
}
