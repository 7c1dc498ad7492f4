//! The table of settings: each has one row here, and everything else is made from it.

use super::secret::{Secret, file, password, set, token};
use crate::auth::Origin;
use crate::logs::{LOG_BYTES_MIN, PIECE_BYTES_MAX};
use crate::runs::SECONDS_MAX;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What the name of every setting begins with. No variable so named reaches a command.
pub const ENVIRONMENT_PREFIX: &str = "LLM_SHELL_";

/// Where systemd puts a service's credentials; it names files that no command needs.
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The shortest piece that long lines can be cut into, in bytes.
const LINE_BYTES_MIN: usize = 64;

/// What the server goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The address or name to listen on.
    pub host: String,
    /// The TCP port to listen on; 0 lets the kernel choose.
    pub port: u16,
    /// The directory that logs are kept in.
    pub log_directory: PathBuf,
    /// From SIGTERM to SIGKILL in a restart that names no timeout.
    pub restart_timeout: Duration,
    /// From SIGTERM to SIGKILL in a kill and in a shutdown.
    pub kill_timeout: Duration,
    /// The shell that commands are run with.
    pub shell: PathBuf,
    /// Longer lines are stored in pieces of so many bytes.
    pub line_bytes_max: usize,
    /// How many runs' logs are kept.
    pub log_runs_max: usize,
    /// How many bytes of logs are kept, over all runs.
    pub log_bytes_max: u64,
    /// How many bytes of one run's log are kept.
    pub log_run_bytes_max: u64,
    /// How many requests may wait or stream at once.
    pub streams_max: usize,
    /// What `Authorization: Bearer` must hold.
    pub token: Option<Secret>,
    /// The `user:password` that `Authorization: Basic` must hold.
    pub basic_auth: Option<Secret>,
    /// Origins, besides our own, whose pages may ask.
    pub allowed_origins: Vec<Origin>,
    /// Names, besides addresses and localhost, that we answer to.
    pub allowed_hosts: Vec<String>,
    /// The Unix socket to listen on, in the place of host and port.
    pub socket: Option<PathBuf>,
    /// Whether to listen beyond loopback although anybody who gets there has a shell.
    pub insecure: bool,
    /// By what each was set that was, for messages: of `LLM_SHELL_HOST` `--host (command line)`.
    pub set_by: BTreeMap<&'static str, String>,
}

/// Which of the two servers is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The LLM Shell.
    Shell,
    /// Astra.
    Astra,
}

/// The settings that choose what is run or who may ask. They are not taken from `.env` in the
/// working directory, which whoever writes there could have written.
const NEVER_FROM_DOTENV: [&str; 4] = [
    "LLM_SHELL_ALLOWED_HOSTS",
    "LLM_SHELL_ALLOWED_ORIGINS",
    "LLM_SHELL_INSECURE",
    "LLM_SHELL_SHELL",
];

/// Whether a setting of this name is taken from `.env` in the working directory.
#[must_use]
pub fn may_stand_in_dotenv(name: &str) -> bool {
    !NEVER_FROM_DOTENV.contains(&name)
}

impl Setting {
    /// Whether its value is not shown, be it because it is a secret, or because it is the name of
    /// a file with one: whoever mistakes the one for the other gives the secret itself.
    pub(super) fn is_secret(&self) -> bool {
        self.flag.is_none() || self.holds_secret_file()
    }

    /// Whether its value is the name of a file that holds a secret.
    pub(super) fn holds_secret_file(&self) -> bool {
        self.takes == "FILE"
    }

    /// Its value where nothing is set; empty where it then is not set at all.
    #[must_use]
    pub fn default_in(&self, mode: Mode) -> &'static str {
        match (mode, self.astra_default) {
            (Mode::Astra, Some(default)) => default,
            (Mode::Astra, None) | (Mode::Shell, _) => self.default,
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Setting {
    /// The name of its flag, without the dashes. A secret has none: command lines can be read.
    pub flag: Option<&'static str>,
    /// The name of its environment variable.
    pub environment: &'static str,
    /// What stands for its value in a help text.
    pub takes: &'static str,
    /// Its value where nothing is set; empty where it then is not set at all.
    pub default: &'static str,
    /// The same for `llm-shell astra`, where that differs.
    pub astra_default: Option<&'static str>,
    /// What it does, in a few words.
    pub help: &'static str,
    /// Reads a value into the settings; says what it should have been where it cannot.
    pub(super) read: fn(&mut Settings, &str) -> Result<(), String>,
}

/// All settings that have a value, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    Setting {
        flag: Some("host"),
        environment: "LLM_SHELL_HOST",
        takes: "ADDRESS",
        default: "127.0.0.1",
        astra_default: None,
        help: "Address to listen on",
        read: |settings, value| text(value).map(|host| settings.host = host.into()),
    },
    Setting {
        flag: Some("port"),
        environment: "LLM_SHELL_PORT",
        takes: "PORT",
        default: "8000",
        astra_default: Some("7031"),
        help: "Port to listen on; 0 picks a free one, which the first log line names",
        read: |settings, value| {
            let port = value.parse().map_err(|_| "a whole number from 0 to 65535".to_owned())?;
            settings.port = port;
            Ok(())
        },
    },
    Setting {
        flag: Some("log-dir"),
        environment: "LLM_SHELL_LOG_DIR",
        takes: "DIRECTORY",
        default: "logs",
        astra_default: Some("logs/astra"),
        help: "Directory of the logs; created if missing",
        read: |settings, value| text(value).map(|path| settings.log_directory = path.into()),
    },
    Setting {
        flag: Some("default-restart-timeout"),
        environment: "LLM_SHELL_DEFAULT_RESTART_TIMEOUT",
        takes: "SECONDS",
        default: "10",
        astra_default: None,
        help: "Seconds from SIGTERM to SIGKILL in a restart without a timeout",
        read: |settings, value| seconds(value).map(|time| settings.restart_timeout = time),
    },
    Setting {
        flag: Some("kill-timeout"),
        environment: "LLM_SHELL_KILL_TIMEOUT",
        takes: "SECONDS",
        default: "5",
        astra_default: None,
        help: "Seconds from SIGTERM to SIGKILL in a kill and at shutdown",
        read: |settings, value| seconds(value).map(|time| settings.kill_timeout = time),
    },
    Setting {
        flag: Some("shell"),
        environment: "LLM_SHELL_SHELL",
        takes: "PROGRAM",
        default: "/bin/sh",
        astra_default: None,
        help: "Shell that runs commands, with -c",
        read: |settings, value| text(value).map(|path| settings.shell = path.into()),
    },
    Setting {
        flag: Some("max-line-bytes"),
        environment: "LLM_SHELL_MAX_LINE_BYTES",
        takes: "BYTES",
        default: "65536",
        astra_default: None,
        help: "Maximum size of a stored line in bytes; longer lines are stored in pieces",
        read: |settings, value| bytes(value).map(|bytes| settings.line_bytes_max = bytes),
    },
    Setting {
        flag: Some("log-keep-runs"),
        environment: "LLM_SHELL_LOG_KEEP_RUNS",
        takes: "COUNT",
        default: "100",
        astra_default: None,
        help: "Number of runs whose logs are kept; the oldest are deleted first",
        read: |settings, value| runs(value).map(|runs| settings.log_runs_max = runs),
    },
    Setting {
        flag: Some("log-max-bytes"),
        environment: "LLM_SHELL_LOG_MAX_BYTES",
        takes: "BYTES",
        default: "1073741824",
        astra_default: None,
        help: "Maximum size of all logs in bytes; logs of ended runs are deleted, oldest first",
        read: |settings, value| log_bytes(value).map(|bytes| settings.log_bytes_max = bytes),
    },
    Setting {
        flag: Some("log-run-max-bytes"),
        environment: "LLM_SHELL_LOG_RUN_MAX_BYTES",
        takes: "BYTES",
        default: "268435456",
        astra_default: None,
        help: "Maximum size of one log in bytes, at most a quarter of all; drops its oldest lines",
        read: |settings, value| log_bytes(value).map(|bytes| settings.log_run_bytes_max = bytes),
    },
    Setting {
        flag: Some("max-streams"),
        environment: "LLM_SHELL_MAX_STREAMS",
        takes: "COUNT",
        default: "64",
        astra_default: None,
        help: "Maximum number of requests that wait or stream; the next gets 503",
        read: |settings, value| count(value).map(|count| settings.streams_max = count),
    },
    Setting {
        flag: None,
        environment: "LLM_SHELL_TOKEN",
        takes: "TOKEN",
        default: "",
        astra_default: None,
        help: "Token that requests must carry (Authorization: Bearer)",
        read: |settings, value| token(value).and_then(|token| set(&mut settings.token, token)),
    },
    Setting {
        flag: Some("token-file"),
        environment: "LLM_SHELL_TOKEN_FILE",
        takes: "FILE",
        default: "",
        astra_default: None,
        help: "File with the token",
        read: |settings, value| {
            file(value, token).and_then(|token| set(&mut settings.token, token))
        },
    },
    Setting {
        flag: None,
        environment: "LLM_SHELL_BASIC_AUTH",
        takes: "USER:PASSWORD",
        default: "",
        astra_default: None,
        help: "User and password that requests must carry (Authorization: Basic)",
        read: |settings, value| {
            password(value).and_then(|password| set(&mut settings.basic_auth, password))
        },
    },
    Setting {
        flag: Some("basic-auth-file"),
        environment: "LLM_SHELL_BASIC_AUTH_FILE",
        takes: "FILE",
        default: "",
        astra_default: None,
        help: "File with user:password",
        read: |settings, value| {
            file(value, password).and_then(|password| set(&mut settings.basic_auth, password))
        },
    },
    Setting {
        flag: Some("allowed-origins"),
        environment: "LLM_SHELL_ALLOWED_ORIGINS",
        takes: "ORIGINS",
        default: "",
        astra_default: Some("http://localhost:3000,http://127.0.0.1:3000"),
        help: "Comma-separated origins whose pages may send requests",
        read: |settings, value| {
            let origins = value.split(',').map(|origin| origin.trim().parse());
            origins.collect::<Result<_, _>>().map(|origins| settings.allowed_origins = origins)
        },
    },
    Setting {
        flag: Some("allowed-hosts"),
        environment: "LLM_SHELL_ALLOWED_HOSTS",
        takes: "NAMES",
        default: "",
        astra_default: None,
        help: "Comma-separated host names to accept besides addresses and localhost",
        read: |settings, value| names(value).map(|names| settings.allowed_hosts = names),
    },
    Setting {
        flag: Some("socket"),
        environment: "LLM_SHELL_SOCKET",
        takes: "PATH",
        default: "",
        astra_default: None,
        help: "Unix socket to listen on instead of host and port",
        read: |settings, value| text(value).map(|path| settings.socket = Some(path.into())),
    },
];

/// The most requests that may be let wait or stream at once: the floor has 512 connections.
const STREAMS_MAX: usize = 512;

impl Settings {
    /// What holds where nothing is set.
    pub(super) fn blank() -> Self {
        Self {
            host: String::new(),
            set_by: BTreeMap::new(),
            port: 0,
            log_directory: PathBuf::new(),
            restart_timeout: Duration::ZERO,
            kill_timeout: Duration::ZERO,
            shell: PathBuf::new(),
            line_bytes_max: 0,
            log_runs_max: 0,
            log_bytes_max: 0,
            log_run_bytes_max: 0,
            streams_max: 0,
            token: None,
            basic_auth: None,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            socket: None,
            insecure: false,
        }
    }
}

fn text(value: &str) -> Result<&str, String> {
    if value.contains('\0') { Err("text without a NUL".to_owned()) } else { Ok(value) }
}

fn seconds(value: &str) -> Result<Duration, String> {
    let wanted = || format!("a number of seconds from 0 to {SECONDS_MAX}");
    let number: f64 = value.parse().map_err(|_| wanted())?;
    if !(0.0..=SECONDS_MAX).contains(&number) {
        return Err(wanted());
    }
    Duration::try_from_secs_f64(number).map_err(|_| wanted())
}

fn bytes(value: &str) -> Result<usize, String> {
    let number = value.parse().ok().filter(|n| (LINE_BYTES_MIN..=PIECE_BYTES_MAX).contains(n));
    number.ok_or_else(|| format!("a whole number from {LINE_BYTES_MIN} to {PIECE_BYTES_MAX}"))
}

fn count(value: &str) -> Result<usize, String> {
    let number = value.parse().ok().filter(|n| (1..=STREAMS_MAX).contains(n));
    number.ok_or_else(|| format!("a whole number from 1 to {STREAMS_MAX}"))
}

fn runs(value: &str) -> Result<usize, String> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a whole number from 1".to_owned())
}

fn log_bytes(value: &str) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| *number >= LOG_BYTES_MIN);
    number.ok_or_else(|| format!("a whole number from {LOG_BYTES_MIN}"))
}

fn names(value: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let is_name = |name: &String| !name.is_empty() && name.bytes().all(is_plain);
    let all = names.iter().all(is_name).then_some(names);
    all.ok_or_else(|| "names such as shell.example or shell.example:8443".to_owned())
}
