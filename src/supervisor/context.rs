//! What every service is run with.

use super::service_handle::ServiceHandle;
use super::services_file::ServiceConfig;
use crate::logs::{FolderLock, Keep, LogFolder, LogWriter};
use crate::probe::{Check, HealthReport, ProbeContext, Prober, probe};
use crate::process::{
    Cgroups, Input, NoCgroup, OrphanPolicy, Reaper, ResourceLimits, TerminalSize,
};
use crate::runs::{
    End, ManagerConfig, Metering, Numbering, OnEnd, ProcessManager, RunSpec, RunView,
};
use crate::supervisor::error::Error;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How many runs of a service are known with their ends, those whose logs are gone included. Each
/// takes about half a KiB, and there may be a thousand services.
const RECORDS_MAX: usize = 100;

/// What every service is run with.
#[derive(Debug)]
pub struct SupervisorContext {
    /// The shell that runs commands that are text, with `-c`.
    pub shell: PathBuf,
    /// The environment that services and checks begin with.
    pub environment: Arc<[(OsString, OsString)]>,
    /// The directory that relative ones are in.
    pub directory: PathBuf,
    /// The directory that has one of logs for each service.
    pub log_directory: PathBuf,
    /// What keeps other servers out of that.
    pub lock: Arc<FolderLock>,
    /// How much is kept of each service's logs where it does not say otherwise.
    pub keep: Keep,
    /// What captures the output of all.
    pub writer: Arc<LogWriter>,
    /// What collects the dead of all.
    pub reaper: Arc<Reaper>,
    /// What gives each run a control group, or why there is none.
    pub cgroups: Result<Arc<Cgroups>, NoCgroup>,
    /// Who is told that a service that is required was given up.
    pub on_fatal: OnFatal,
}

/// Who is told that a required service was given up, if anybody.
#[derive(Default)]
pub struct OnFatal(pub Option<Box<dyn Fn() + Send + Sync>>);

impl OnFatal {
    /// Tells it. Does not block.
    pub(super) fn tell(&self) {
        if let Some(told) = &self.0 {
            told();
        }
    }
}

impl std::fmt::Debug for OnFatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OnFatal").field(&self.0.is_some()).finish()
    }
}

impl SupervisorContext {
    /// Opens the log directory of a service, or creates it. Blocks for the disk.
    ///
    /// # Errors
    /// `Log` when their directory cannot be made.
    pub fn logs(&self, name: &str, config: &ServiceConfig) -> Result<Arc<LogFolder>, Error> {
        let path = self.log_directory.join(name);
        Ok(Arc::new(LogFolder::under(&self.lock, &path, self.keep_of(config))?))
    }

    /// How much is kept of a service's logs.
    #[must_use]
    pub fn keep_of(&self, config: &ServiceConfig) -> Keep {
        let runs_max = config.log.runs_max.unwrap_or(self.keep.runs_max);
        let bytes_max = config.log.bytes_max.unwrap_or(self.keep.bytes_max);
        let records_max = RECORDS_MAX.max(runs_max);
        Keep { runs_max, bytes_max, records_max, ..self.keep }
    }

    /// A service that was never started, with its log directory. `on_end` is called when a run of
    /// it has ended.
    pub fn supervise(
        &self,
        name: &str,
        config: Arc<ServiceConfig>,
        logs: Arc<LogFolder>,
        on_end: impl Fn(&str, End) + Send + Sync + 'static,
    ) -> ServiceHandle {
        let manager = ManagerConfig {
            shell: self.shell.clone(),
            environment: Arc::clone(&self.environment),
            directory: self.directory.clone(),
            kill_grace: config.stop_timeout,
            cgroups: self.cgroups.as_ref().ok().cloned(),
            orphan_policy: OrphanPolicy::AreForeign,
            numbering: Numbering::Continuous,
            metering: Metering::Elsewhere,
            on_end: OnEnd(Some(Arc::new(on_end))),
        };
        let (writer, reaper) = (Arc::clone(&self.writer), Arc::clone(&self.reaper));
        let manager = Arc::new(ProcessManager::new(manager, logs, writer, reaper));
        ServiceHandle::new(name.to_owned(), manager, config)
    }

    /// Looks once with a check of a run. Blocks for `timeout` at most, and little more.
    ///
    /// # Errors
    /// Why it failed, in a few words.
    pub fn look(
        &self,
        (check, prober): (&Check, &Prober),
        timeout: Duration,
        (config, run): (&ServiceConfig, &RunView),
    ) -> Result<(), String> {
        self.within(config, run, |around| probe(check, timeout, prober, around))
    }

    /// Looks once with all checks of a run, at the same time. Blocks for the longest of their
    /// timeouts at most, and little more.
    #[must_use]
    pub fn look_with_all(
        &self,
        service: &ServiceHandle,
        config: &ServiceConfig,
        run: &RunView,
    ) -> HealthReport {
        let checks = config.health_checks.iter();
        let checks: Vec<_> = checks
            .map(|(name, it)| (&**name, &it.check, it.timeout, service.prober(name)))
            .collect();
        self.within(config, run, |around| HealthReport::take(&checks, around))
    }

    /// Looks from where the checks of a run do.
    fn within<T>(
        &self,
        config: &ServiceConfig,
        run: &RunView,
        look: impl FnOnce(ProbeContext<'_>) -> T,
    ) -> T {
        let directory = self.directory.join(&config.directory);
        let environment = self.environment_of_checks(config, run.id());
        let end = run.end_descriptor();
        look(ProbeContext {
            reaper: &self.reaper,
            shell: &self.shell,
            directory: &directory,
            environment: &environment,
            marks: &run.log().folder().marks(run.id()),
            until: Some(end.as_fd()),
        })
    }

    /// The environment of a service's checks: that of its runs, as far as its file does not come
    /// from elsewhere, with the id of the run that they look at.
    fn environment_of_checks(
        &self,
        config: &ServiceConfig,
        run_id: &str,
    ) -> Vec<(OsString, OsString)> {
        let spec = RunSpec {
            command: config.command.clone(),
            directory: None,
            environment: config.run_environment().unwrap_or_else(|_| config.environment.clone()),
            input: Input::Nothing,
            timeout: None,
            limits: ResourceLimits::default(),
        };
        spec.environment_over(&self.environment, run_id)
    }

    /// What a run by this configuration is. Reads its `env_file`.
    ///
    /// # Errors
    /// `EnvironmentFile` when that cannot be read.
    pub fn run_spec(config: &ServiceConfig) -> Result<RunSpec, Error> {
        Ok(RunSpec {
            command: config.command.clone(),
            directory: Some(config.directory.clone()),
            environment: config.run_environment()?,
            input: if config.pty {
                Input::Terminal(TerminalSize::default())
            } else {
                Input::Nothing
            },
            timeout: None,
            limits: config.limits,
        })
    }
}
