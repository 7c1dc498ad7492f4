//! The resources that all services share.

use super::service_handle::ServiceHandle;
use super::services_file::ServiceConfig;
use crate::logs::{FolderLock, Keep, LogFolder, LogWriter};
use crate::probe::{Check, HealthReport, ProbeContext, Prober, probe};
use crate::process::{Cgroups, Input, NoCgroup, Orphans, Reaper, ResourceLimits, TerminalSize};
use crate::runs::{
    End, ManagerConfig, Metering, Numbering, Observer, ProcessManager, RunSpec, RunView,
};
use crate::supervisor::error::Error;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The number of finished runs recorded per service, including those whose logs are deleted. Each
/// takes about half a KiB, and there may be a thousand services.
const RECORDS_MAX: usize = 100;

/// The resources that all services share.
#[derive(Debug)]
pub struct SupervisorContext {
    /// Shell that runs text commands, with `-c`.
    pub shell: PathBuf,
    /// Base environment of services and checks.
    pub environment: Arc<[(OsString, OsString)]>,
    /// Directory that relative directories are relative to.
    pub directory: PathBuf,
    /// Directory with one log directory per service.
    pub log_directory: PathBuf,
    /// Lock of that directory against other servers.
    pub lock: Arc<FolderLock>,
    /// Default retention of each service's logs.
    pub keep: Keep,
    /// Writer that captures the output of all services.
    pub writer: Arc<LogWriter>,
    /// Reaper of the processes of all services.
    pub reaper: Arc<Reaper>,
    /// Control groups of the runs, or why there are none.
    pub cgroups: Result<Arc<Cgroups>, NoCgroup>,
    /// Callback for a required service that was given up.
    pub on_fatal: OnFatal,
}

/// An optional callback for a required service that was given up.
#[derive(Default)]
pub struct OnFatal(pub Option<Box<dyn Fn() + Send + Sync>>);

impl OnFatal {
    /// Calls the callback, if there is one. Does not block.
    pub(super) fn notify(&self) {
        if let Some(callback) = &self.0 {
            callback();
        }
    }
}

impl std::fmt::Debug for OnFatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OnFatal").field(&self.0.is_some()).finish()
    }
}

impl SupervisorContext {
    /// Opens or creates the log directory of a service. Blocks on disk I/O.
    ///
    /// # Errors
    /// `Log` if it cannot be created.
    pub fn logs(&self, name: &str, config: &ServiceConfig) -> Result<Arc<LogFolder>, Error> {
        let path = self.log_directory.join(name);
        Ok(Arc::new(LogFolder::under(&self.lock, &path, self.keep_of(config))?))
    }

    /// Returns the retention of a service's logs.
    #[must_use]
    pub fn keep_of(&self, config: &ServiceConfig) -> Keep {
        let runs_max = config.log.runs_max.unwrap_or(self.keep.runs_max);
        let bytes_max = config.log.bytes_max.unwrap_or(self.keep.bytes_max);
        let records_max = RECORDS_MAX.max(runs_max);
        Keep { runs_max, bytes_max, records_max, ..self.keep }
    }

    /// Creates a service that was never started. `on_end` is called when one of its runs has
    /// ended.
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
            orphans: Orphans::Attributed,
            numbering: Numbering::Continuous,
            metering: Metering::Elsewhere,
            observer: Observer(Some(Arc::new(on_end))),
        };
        let (writer, reaper) = (Arc::clone(&self.writer), Arc::clone(&self.reaper));
        let manager = Arc::new(ProcessManager::new(manager, logs, writer, reaper));
        ServiceHandle::new(name.to_owned(), manager, config)
    }

    /// Probes a run once with one check. Blocks for little more than `timeout`.
    ///
    /// # Errors
    /// The reason of the failure, in a few words.
    pub fn probe_check(
        &self,
        check: &Check,
        prober: &Prober,
        timeout: Duration,
        config: &ServiceConfig,
        run: &RunView,
    ) -> Result<(), String> {
        self.within(config, run, |context| probe(check, timeout, prober, context))
    }

    /// Probes a run once with all of its checks in parallel. Blocks for little more than the
    /// longest of their timeouts.
    #[must_use]
    pub fn probe_all(
        &self,
        service: &ServiceHandle,
        config: &ServiceConfig,
        run: &RunView,
    ) -> HealthReport {
        let checks = config.health_checks.iter();
        let checks: Vec<_> = checks
            .map(|(name, it)| (&**name, &it.check, it.timeout, service.prober(name)))
            .collect();
        self.within(config, run, |context| HealthReport::take(&checks, context))
    }

    /// Calls `work` with the context in which the checks of a run are made.
    fn within<T>(
        &self,
        config: &ServiceConfig,
        run: &RunView,
        work: impl FnOnce(ProbeContext<'_>) -> T,
    ) -> T {
        let directory = self.directory.join(&config.directory);
        let environment = self.environment_of_checks(config, run.id());
        let end = run.end_descriptor();
        work(ProbeContext {
            reaper: &self.reaper,
            shell: &self.shell,
            directory: &directory,
            environment: &environment,
            marks: &run.log().folder().marks(run.id()),
            until: Some(end.as_fd()),
        })
    }

    /// Returns the environment of a service's checks: that of its runs, with the id of the probed
    /// run. If the `env_file` cannot be read, only the variables of `env` are added.
    fn environment_of_checks(
        &self,
        config: &ServiceConfig,
        run_id: &str,
    ) -> Vec<(OsString, OsString)> {
        let spec = RunSpec {
            name: None,
            clears_environment: false,
            command: config.command.clone(),
            directory: None,
            environment: config.run_environment().unwrap_or_else(|_| config.environment.clone()),
            input: Input::Nothing,
            timeout: None,
            limits: ResourceLimits::default(),
            session: None,
        };
        spec.environment_over(&self.environment, run_id)
    }

    /// Returns the specification of a run with this configuration. Reads its `env_file`.
    ///
    /// # Errors
    /// `EnvironmentFile` if that cannot be read.
    pub fn run_spec(config: &ServiceConfig) -> Result<RunSpec, Error> {
        Ok(RunSpec {
            name: None,
            clears_environment: false,
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
            session: None,
        })
    }
}
