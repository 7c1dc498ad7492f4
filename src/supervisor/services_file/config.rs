//! The fields of a service, declared as tables of [`super::table`].

use super::checks::{Checks, HealthCheck};
use super::compound::{Command, Dependencies, Variables, nested};
use super::fields::Given;
use super::kinds::{
    Flag, MODE, Number, Optional, Path as PathKind, Seconds, SignalName, U32_MAX, whole,
};
use super::node::Node;
use super::object_schema::Mapping::{
    Supported, Unsupported, UnsupportedInDeployment, UnsupportedInJob,
};
use super::object_schema::{Mapping, ObjectSchema};
use super::port::port_of;
use super::table::{Object, Row, Rules, field, object, object_rows};
use crate::env_file::{self, Variable};
use crate::logs::LOG_BYTES_MIN;
use crate::process::{CommandLine, ResourceLimits, Signal};
use crate::protocol::{Condition, RestartMode};
use crate::supervisor::Masking;
use crate::supervisor::error::{Error, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest limits that can be set: 1 TiB in MiB, 1,024 cores, and the kernel's own
/// `PID_MAX_LIMIT`.
const MEMORY_MB_MAX: u64 = 1024 * 1024;
const CPU_PERCENT_MAX: f64 = 102_400.0;
const PROCESSES_MAX: u64 = 4_194_304;

/// The largest factor between two delays.
const BACKOFF_MULTIPLIER_MAX: f64 = 1000.0;

const BACKOFF: &str = "is left out: Kubernetes waits 10 s, then twice as long each time, up to 5 \
                       minutes (6 for a Job)";
const ONLY_NODE: &str = "is left out: log retention is set on the node";

object! {
    /// A service.
    pub struct ServiceConfig named "Service" {
        /// Command: an array (a program and its arguments), or text for the shell.
        command: CommandLine = field("cmd", Command, Supported)
            .required("has no cmd: give a command to run")
            .restarts(),
        /// Working directory; a relative one is relative to the supervisor's.
        directory: PathBuf = field("cwd", PathKind, Supported).default("\".\"").restarts(),
        /// Variables added to the supervisor's environment; null removes one.
        environment: BTreeMap<String, Option<String>> =
            field("env", Variables, Supported).default("{}").restarts(),
        /// File of `NAME=value` lines, read at every start; `env` overrides it. A relative path is
        /// relative to the supervisor's working directory.
        env_file: Option<PathBuf> =
            field("env_file", Optional(PathKind), Supported).restarts(),
        /// Whether the supervisor counts as healthy without it.
        is_optional: bool = field(
            "optional",
            Flag,
            Unsupported("is left out: Kubernetes has no system-wide health"),
        )
        .default("false"),
        /// Whether it starts with the supervisor.
        autostart: bool = field("autostart", Flag, Supported).default("true"),
        /// Port that it listens on, for display; by default taken from `--port` or `-p` in `cmd`,
        /// or from the first health check.
        port: Option<u16> =
            field("port", Optional(whole::<u16>(1, Some(u64::from(u16::MAX)))), Supported),
        /// Health checks by name, in the order of the file.
        health_checks: Vec<(String, HealthCheck)> = Checks,
        /// When and how often it is restarted after it ends by itself.
        restart_policy: RestartPolicy =
            field("restart_policy", nested::<RestartPolicy>(), Supported).default("{}"),
        /// Seconds it may take to become healthy; `unhealthy` after that.
        start_timeout: Duration =
            field("start_timeout", Seconds(0.0), Supported).default("60"),
        /// Seconds it must run to count as up, if it has no health check.
        start_seconds: Duration = field(
            "start_seconds",
            Seconds(0.0),
            UnsupportedInJob("is left out: a Job is up at once"),
        )
        .default("1"),
        /// Services that must have `started` (the default), be `healthy` or have `completed` with
        /// exit code 0 before it starts. They are started with it.
        depends_on: BTreeMap<String, Condition> =
            field("depends_on", Dependencies, Supported).default("[]"),
        /// Signal that asks it to end.
        stop_signal: Signal =
            field("stop_signal", SignalName, Supported).default("\"SIGTERM\""),
        /// Seconds from the stop signal to SIGKILL.
        stop_timeout: Duration = field("stop_timeout", Seconds(0.0), Supported).default("10"),
        /// Signal that a reload sends instead of a restart when its definition changed.
        reload_signal: Option<Signal> = field(
            "reload_signal",
            Optional(SignalName),
            Unsupported("is left out: a new configuration is a rollout, which starts a new pod"),
        ),
        /// Whether it runs on a terminal, and can be written to.
        pty: bool = field("pty", Flag, Supported).default("false").restarts(),
        /// How much of its logs is kept, in place of `LLM_SHELL_LOG_MAX_BYTES` and
        /// `LLM_SHELL_LOG_KEEP_RUNS`. A single run has at most a quarter of the bytes.
        log: LogLimits = field("log", nested::<LogLimits>(), Supported).default("{}"),
        /// Resource limits for its whole process tree. Needs a control group, such as systemd's
        /// `Delegate=yes` provides; refused with the reason otherwise.
        limits: ResourceLimits =
            field("limits", nested::<ResourceLimits>(), Supported).default("{}").restarts(),
    }
}

impl Rules for ServiceConfig {
    fn complete(&mut self, _: &Given) {
        let by_check = || self.health_checks.first().and_then(|(_, check)| check.check.port());
        self.port = self.port.or_else(|| port_of(&self.command)).or_else(by_check);
    }

    fn constraints() -> Value {
        json!({"not": {"required": ["health_check", "health_checks"]}})
    }
}

object! {
    /// When and how often a service is restarted.
    pub struct RestartPolicy named "RestartPolicy" {
        /// Which ends cause a restart: all, those with another exit code than 0 or by a signal, or
        /// none.
        mode: RestartMode = field(
            "mode",
            MODE,
            // "always" is what a Deployment does.
            UnsupportedInDeployment(
                "is on-failure, but a Deployment also restarts after exit code 0",
            ),
        )
        .default("\"on-failure\""),
        /// Restarts in a row; after that it is `fatal`.
        max_restarts: u32 = field(
            "max_restarts",
            whole::<u32>(0, U32_MAX),
            UnsupportedInDeployment("is left out: a Deployment restarts without limit"),
        )
        .default("3"),
        /// Seconds before the first restart.
        backoff: Duration =
            field("backoff_seconds", Seconds(0.0), Unsupported(BACKOFF)).default("5"),
        /// Factor from one delay to the next.
        backoff_multiplier: f64 = field(
            "backoff_multiplier",
            Number(1.0..=BACKOFF_MULTIPLIER_MAX),
            Unsupported(BACKOFF),
        )
        .default("2"),
        /// Maximum delay in seconds; by default not less than `backoff_seconds`.
        backoff_max: Duration =
            field("max_backoff_seconds", Seconds(0.0), Unsupported(BACKOFF)).default("60"),
        /// Seconds of a run that reset the count; a start by hand resets it too.
        reset_after: Duration = field(
            "reset_after_seconds",
            Seconds(0.0),
            Unsupported(
                "is left out: a pod's count is reset after it has run for 10 minutes, a Job's \
                 never",
            ),
        )
        .default("60"),
    }
}

impl Rules for RestartPolicy {
    fn complete(&mut self, given: &Given) {
        // The default maximum must not shorten a longer first delay.
        if !given.has("max_backoff_seconds") {
            self.backoff_max = self.backoff_max.max(self.backoff);
        }
    }
}

object! {
    /// How much of a service's logs is kept.
    pub struct LogLimits named "LogLimits" {
        /// Maximum size over all of its runs, in bytes.
        bytes_max: Option<u64> =
            field("max_bytes", Optional(whole::<u64>(LOG_BYTES_MIN, None)), Unsupported(ONLY_NODE)),
        /// Number of runs.
        runs_max: Option<usize> =
            field("keep", Optional(whole::<usize>(1, None)), Unsupported(ONLY_NODE)),
    }
}

impl Rules for LogLimits {}

object_rows! {
    /// Resource limits of a run, for its whole process tree.
    ResourceLimits named "ResourceLimits" {
        /// MiB of memory, swap included: a run that needs more is ended.
        memory_mb =
            field("memory_mb", Optional(whole::<u64>(1, Some(MEMORY_MB_MAX))), Supported),
        /// CPU time, 100 for each core: a run that wants more is slowed down.
        cpu_percent =
            field("cpu_percent", Optional(Number(1.0..=CPU_PERCENT_MAX)), Supported),
        /// Processes, their threads included: a run cannot start more.
        processes = field(
            "processes",
            Optional(whole::<u64>(1, Some(PROCESSES_MAX))),
            Unsupported("is left out: the number of processes in a pod is limited by the node"),
        ),
    }
}

impl Rules for ResourceLimits {}

impl ServiceConfig {
    /// Whether a running process has to be replaced when the configuration becomes `new`.
    #[must_use]
    pub fn needs_restart(&self, new: &Self) -> bool {
        Object::needs_restart(self, new)
    }

    /// Returns the fields of the services file with their values, defaults filled in and secrets
    /// masked.
    #[must_use]
    pub fn shown(&self) -> Value {
        self.show(&Masking::of(&self.environment))
    }

    /// Returns each field by its path, such as `restart_policy.mode`, with what the export makes
    /// of it. Those of all health checks are below `health_check`.
    #[must_use]
    pub fn export_mappings() -> Vec<(String, Mapping)> {
        <Self as Object>::mappings()
    }

    /// Returns the variables that a run adds to the server's environment: those of `env_file` as it
    /// is now, overridden by `env`. Blocks while that file is read.
    ///
    /// # Errors
    /// `EnvironmentFile` if it cannot be read.
    pub fn run_environment(&self) -> Result<BTreeMap<String, Option<String>>> {
        let mut environment = match &self.env_file {
            Some(path) => read_environment(path)?,
            None => BTreeMap::new(),
        };
        environment.extend(self.environment.clone());
        Ok(environment)
    }
}

/// The maximum size of an `env_file`, in bytes.
const ENV_FILE_BYTES_MAX: u64 = 1024 * 1024;

fn read_environment(path: &Path) -> Result<BTreeMap<String, Option<String>>> {
    let refused = |why: String| Error::EnvironmentFile { path: path.to_owned(), why };
    let found = fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    // Opening anything but a regular file may block forever.
    if !found.is_file() || found.len() > ENV_FILE_BYTES_MAX {
        let why = format!("it must be a file of at most {ENV_FILE_BYTES_MAX} bytes");
        return Err(refused(why));
    }
    let content = fs::read(path).map_err(|error| refused(error.to_string()))?;
    let variables = env_file::parse(&content, |_| true);
    let variables = variables.map_err(|error| refused(error.to_string()))?.into_iter();
    Ok(variables.map(|Variable { name, value }| (name, Some(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::ServicesFile;
    use super::RestartPolicy;
    use std::fs;

    impl Default for RestartPolicy {
        fn default() -> Self {
            let file = ServicesFile::parse(r#"{"a": {"cmd": "x"}}"#, &[]).unwrap();
            file.services[0].config.restart_policy.clone()
        }
    }

    #[test]
    fn env_overrides_the_current_env_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tts.env");
        let text = serde_json::json!({"tts": {
            "cmd": "x", "env_file": path, "env": {"A": "mine", "B": null},
        }});
        let file = ServicesFile::parse(&text.to_string(), &[]).unwrap();
        let config = &file.services[0].config;
        let error = config.run_environment().unwrap_err().to_string();
        assert!(error.contains("tts.env") && error.contains("No such file"), "{error}");
        for value in ["1", "2"] {
            fs::write(&path, format!("A=a\nB=b\n# no\nexport C='{value} x'\n")).unwrap();
            let environment = config.run_environment().unwrap();
            let expected = [("A", Some("mine")), ("B", None), ("C", Some(&format!("{value} x")))]
                .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
            assert_eq!(environment, expected.into());
        }
        fs::write(&path, "PW=pa$$word\nNO VALUE\n").unwrap();
        let error = config.run_environment().unwrap_err().to_string();
        assert!(error.contains("line 2: expected NAME=value"), "{error}");
    }
}
