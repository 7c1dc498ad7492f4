//! What is known of a service: valid values only, defaults filled in.

use crate::env_file::{self, Variable};
use crate::error::{Error, Result};
use crate::probe::Check;
use crate::process::{CommandLine, ResourceLimits, Signal};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A service as it is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceConfig {
    /// `cmd`: what is run. Never blank, and without a NUL.
    pub command: CommandLine,
    /// `cwd`: the directory that it starts in, as given; `.` is the server's own.
    pub directory: PathBuf,
    /// `env`: what is added to the server's environment; `None` removes a name.
    pub environment: BTreeMap<String, Option<String>>,
    /// `env_file`: a file whose variables are added before those of `env`.
    pub env_file: Option<PathBuf>,
    /// `optional`: whether all is well although it gave up.
    pub is_optional: bool,
    /// `autostart`: whether it is started with the supervisor.
    pub autostart: bool,
    /// `port`: what it listens on, as far as it was said or can be told from `cmd` or a check.
    pub port: Option<u16>,
    /// `health_check` or `health_checks`: by name, in the order of the file.
    pub health_checks: Vec<(String, HealthCheck)>,
    /// `restart_policy`: what is done when it ends.
    pub restart_policy: RestartPolicy,
    /// `start_timeout`: how long it may take to become healthy.
    pub start_timeout: Duration,
    /// `start_seconds`: how long it must have run to be up, where it has no health check.
    pub start_seconds: Duration,
    /// `depends_on`: what must have come about before it is started.
    pub depends_on: BTreeMap<String, Condition>,
    /// `stop_signal`: what asks it to end.
    pub stop_signal: Signal,
    /// `stop_timeout`: from that signal to SIGKILL.
    pub stop_timeout: Duration,
    /// `reload_signal`: what tells it to read its configuration again, in the place of a restart.
    pub reload_signal: Option<Signal>,
    /// `pty`: whether it runs on a terminal.
    pub pty: bool,
    /// `log`: how much of its logs is kept.
    pub log: LogLimits,
    /// `limits`: what a run of it may use.
    pub limits: ResourceLimits,
}

impl ServiceConfig {
    /// What a run of it adds to the server's environment: `env` over what `env_file` holds now.
    /// Reads that file, so it blocks for that.
    ///
    /// # Errors
    /// `EnvironmentFile` where it cannot be read.
    pub fn run_environment(&self) -> Result<BTreeMap<String, Option<String>>> {
        let mut environment = match &self.env_file {
            Some(path) => read_environment(path)?,
            None => BTreeMap::new(),
        };
        environment.extend(self.environment.clone());
        Ok(environment)
    }
}

/// The largest `env_file` that is read, in bytes.
const ENV_FILE_BYTES_MAX: u64 = 1024 * 1024;

fn read_environment(path: &Path) -> Result<BTreeMap<String, Option<String>>> {
    let refused = |why: String| Error::EnvironmentFile { path: path.to_owned(), why };
    let found = fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    // To open anything else may block for ever.
    if !found.is_file() || found.len() > ENV_FILE_BYTES_MAX {
        let why = format!("it must be a file of at most {ENV_FILE_BYTES_MAX} bytes");
        return Err(refused(why));
    }
    let content = fs::read(path).map_err(|error| refused(error.to_string()))?;
    let variables = env_file::parse(&content, |_| true);
    let variables = variables.map_err(|error| refused(error.to_string()))?.into_iter();
    Ok(variables.map(|Variable { name, value }| (name, Some(value))).collect())
}

/// One health check: what is looked at, how often, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthCheck {
    /// What is looked at.
    pub check: Check,
    /// How long one look may take.
    pub timeout: Duration,
    /// From one look to the next.
    pub interval: Duration,
    /// How long after a start failures do not count.
    pub start_period: Duration,
    /// How many failures in a row make it unhealthy. Never 0.
    pub retries: u32,
    /// Whether the service is restarted when it is unhealthy.
    pub restart_on_failure: bool,
}

/// What is done when a service ends by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct RestartPolicy {
    /// Which ends ask for a restart.
    pub mode: RestartMode,
    /// How many restarts there are in a row before it is given up.
    pub max_restarts: u32,
    /// `backoff_seconds`: how long the first of them waits.
    pub backoff: Duration,
    /// How much longer each waits than the one before it. From 1.
    pub backoff_multiplier: f64,
    /// `max_backoff_seconds`: how long any of them waits at most.
    pub backoff_max: Duration,
    /// `reset_after_seconds`: a run of this length clears the count.
    pub reset_after: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            mode: RestartMode::OnFailure,
            max_restarts: 3,
            backoff: Duration::from_secs(5),
            backoff_multiplier: 2.0,
            backoff_max: Duration::from_mins(1),
            reset_after: Duration::from_mins(1),
        }
    }
}

/// Which ends of a service ask for a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartMode {
    /// All of them.
    Always,
    /// Those with an exit code other than 0, or by a signal.
    OnFailure,
    /// None.
    Never,
}

impl RestartMode {
    /// Each with its word.
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("always", Self::Always), ("on-failure", Self::OnFailure), ("never", Self::Never)];

    /// The word for it, as the file has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }
}

/// What must have come about of one service before another is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It runs.
    Started,
    /// Its health checks pass; where it has none, it runs.
    Healthy,
    /// It has ended with exit code 0.
    Completed,
}

impl Condition {
    /// Each with its word.
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("started", Self::Started), ("healthy", Self::Healthy), ("completed", Self::Completed)];

    /// The word for it, as the file has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], meaning: T) -> &'static str {
    // The table has all of them.
    words.iter().find(|(_, it)| *it == meaning).map_or("", |(word, _)| *word)
}

/// How much of a service's logs is kept, where it is not what holds for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogLimits {
    /// `max_bytes`: bytes, over all of its runs.
    pub bytes_max: Option<u64>,
    /// `keep`: runs. Never 0.
    pub runs_max: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::super::ServicesFile;
    use std::fs;

    #[test]
    fn env_goes_over_what_env_file_holds_at_that_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tts.env");
        let text = serde_json::json!({"tts": {
            "cmd": "x", "env_file": path, "env": {"A": "mine", "B": null},
        }});
        let file = ServicesFile::parse(&text.to_string(), &[]).unwrap();
        let config = &file.services[0].config;
        let fault = config.run_environment().unwrap_err().to_string();
        assert!(fault.contains("tts.env") && fault.contains("No such file"), "{fault}");
        for value in ["1", "2"] {
            fs::write(&path, format!("A=a\nB=b\n# no\nexport C='{value} x'\n")).unwrap();
            let environment = config.run_environment().unwrap();
            let expected = [("A", Some("mine")), ("B", None), ("C", Some(&format!("{value} x")))]
                .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
            assert_eq!(environment, expected.into());
        }
        fs::write(&path, "PW=pa$$word\nNO VALUE\n").unwrap();
        let fault = config.run_environment().unwrap_err().to_string();
        assert!(fault.contains("line 2: expected NAME=value"), "{fault}");
    }
}
