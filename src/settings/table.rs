//! The table of settings: each has one row, from which everything else is generated.

use super::secret::{Secret, file, password, set, token};
use crate::auth::Origin;
use crate::logs::{LOG_BYTES_MIN, PIECE_BYTES_MAX};
use crate::runs::SECONDS_MAX;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The prefix of every setting's name. No variable with it is passed to a command.
pub const ENVIRONMENT_PREFIX: &str = "LLM_SHELL_";

/// The directory of a service's systemd credentials, which no command needs.
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The minimum size of the pieces that long lines are cut into, in bytes.
const LINE_BYTES_MIN: usize = 64;

/// The settings of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The address or name to listen on.
    pub host: String,
    /// The TCP port to listen on; 0 lets the kernel choose.
    pub port: u16,
    /// The directory of the logs.
    pub log_directory: PathBuf,
    /// The time from SIGTERM to SIGKILL in a restart without a timeout.
    pub restart_timeout: Duration,
    /// The time from SIGTERM to SIGKILL in a kill and at shutdown.
    pub kill_timeout: Duration,
    /// The shell that runs commands.
    pub shell: PathBuf,
    /// The maximum size of a stored line; longer ones are stored in pieces.
    pub line_bytes_max: usize,
    /// The number of runs whose logs are kept.
    pub log_runs_max: usize,
    /// The maximum size of all logs, in bytes.
    pub log_bytes_max: u64,
    /// The maximum size of one run's log, in bytes.
    pub log_run_bytes_max: u64,
    /// The maximum number of requests that wait or stream.
    pub streams_max: usize,
    /// The token for `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// The `user:password` for `Authorization: Basic`.
    pub basic_auth: Option<Secret>,
    /// The file of tokens with scopes.
    pub tokens_file: Option<PathBuf>,
    /// The file that gets a line for each request that changes something.
    pub audit: Option<PathBuf>,
    /// The additional origins whose pages may send requests.
    pub allowed_origins: Vec<Origin>,
    /// The accepted host names, besides addresses and localhost.
    pub allowed_hosts: Vec<String>,
    /// The Unix socket to listen on instead of host and port.
    pub socket: Option<PathBuf>,
    /// Whether to allow unauthenticated access from other machines.
    pub insecure: bool,
    /// The source of each setting, for messages: for `LLM_SHELL_HOST`, `--host (command line)`.
    pub set_by: BTreeMap<&'static str, String>,
}

/// The mode of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The LLM Shell.
    Shell,
    /// Astra.
    Astra,
}

/// The settings that determine what is run or who has access. They are not read from `.env` in the
/// working directory, which anyone with write access there may have created.
const FORBIDDEN_IN_DOTENV: [&str; 4] = [
    "LLM_SHELL_ALLOWED_HOSTS",
    "LLM_SHELL_ALLOWED_ORIGINS",
    "LLM_SHELL_INSECURE",
    "LLM_SHELL_SHELL",
];

/// Returns whether `.env` in the working directory may contain this setting.
#[must_use]
pub fn is_allowed_in_dotenv(name: &str) -> bool {
    !FORBIDDEN_IN_DOTENV.contains(&name)
}

impl Setting {
    /// Returns whether the value must not be displayed, because it is a secret or the name of a
    /// file with one, which users may confuse with the secret.
    pub(super) fn is_secret(&self) -> bool {
        self.flag.is_none() || self.holds_secret_file()
    }

    /// Returns whether the value is the name of a file that holds a secret.
    pub(super) fn holds_secret_file(&self) -> bool {
        self.takes == "FILE"
    }

    /// Returns the default; empty if the setting then stays unset.
    #[must_use]
    pub fn default_in(&self, mode: Mode) -> &'static str {
        match (mode, self.astra_default) {
            (Mode::Astra, Some(default)) => default,
            (Mode::Astra, None) | (Mode::Shell, _) => self.default,
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Setting {
    /// The flag's name, without the dashes. A secret has none: command lines are visible.
    pub flag: Option<&'static str>,
    /// The environment variable's name.
    pub environment: &'static str,
    /// The placeholder of the value in help texts.
    pub takes: &'static str,
    /// The default; empty if the setting then stays unset.
    pub default: &'static str,
    /// The default of `llm-shell astra`, if it differs.
    pub astra_default: Option<&'static str>,
    /// The help text.
    pub help: &'static str,
    /// Parses a value into the settings; the error says what was expected.
    pub(super) read: fn(&mut Settings, &str) -> Result<(), String>,
}

/// All settings with a value, in display order.
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
        flag: Some("tokens-file"),
        environment: "LLM_SHELL_TOKENS_FILE",
        takes: "PATH",
        default: "",
        astra_default: None,
        help: "File of tokens with scopes: lines NAME SCOPE SHA256HEX, see `llm-shell token`",
        read: |settings, value| text(value).map(|path| settings.tokens_file = Some(path.into())),
    },
    Setting {
        flag: Some("audit"),
        environment: "LLM_SHELL_AUDIT",
        takes: "PATH",
        default: "",
        astra_default: None,
        help: "File that gets a line of JSON for each request that changes something",
        read: |settings, value| text(value).map(|path| settings.audit = Some(path.into())),
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

/// The upper limit of concurrent waits and streams: the server has 512 connections.
const STREAMS_MAX: usize = 512;

impl Settings {
    /// Whether clients need credentials.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.token.is_some() || self.basic_auth.is_some() || self.tokens_file.is_some()
    }

    /// Returns settings without any values.
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
            tokens_file: None,
            audit: None,
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
    let expected = || format!("a number of seconds from 0 to {SECONDS_MAX}");
    let number: f64 = value.parse().map_err(|_| expected())?;
    if !(0.0..=SECONDS_MAX).contains(&number) {
        return Err(expected());
    }
    Duration::try_from_secs_f64(number).map_err(|_| expected())
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
