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
    /// Parses and sets a value; the error says what was expected.
    pub(super) read: fn(&mut Values, &str) -> Result<(), String>,
}

/// Declares the fields of [`Settings`], each with the rows that set it. A row begins with the
/// function that parses its value; the error says what was expected. A `required` field has a
/// default in its row, an `optional` one may stay unset, and an `or_empty` one is empty then.
macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])+
        $field:ident: $kind:ident $type:ty {
            $( $read:expr => { $($column:ident: $value:expr,)+ } )+
        }
    )+) => {
        /// The settings of a server.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $( $(#[doc = $doc])+ pub $field: settings!(@type $kind $type), )+
            /// Whether to allow unauthenticated access from other machines.
            pub insecure: bool,
            /// The source of each setting, for messages: for `LLM_SHELL_HOST`, `--host (command
            /// line)`.
            pub set_by: BTreeMap<&'static str, String>,
        }

        /// The values that rows have set.
        #[derive(Debug, Default)]
        pub(super) struct Values {
            $( pub(super) $field: Option<$type>, )+
        }

        /// All settings with a value, in display order.
        pub const SETTINGS: &[Setting] = &[$($(
            Setting {
                $($column: $value,)+
                read: |values, value| {
                    $read(value).and_then(|value| set(&mut values.$field, value))
                },
            },
        )+)+];

        impl Values {
            /// Returns the settings, if every required value is set; otherwise the name of the one
            /// that is not.
            pub(super) fn build(
                self,
                insecure: bool,
                set_by: BTreeMap<&'static str, String>,
            ) -> Result<Settings, &'static str> {
                Ok(Settings {
                    $( $field: settings!(@build $kind self.$field, stringify!($field)), )+
                    insecure,
                    set_by,
                })
            }
        }
    };
    (@type optional $type:ty) => { Option<$type> };
    (@type $kind:ident $type:ty) => { $type };
    (@build required $value:expr, $name:expr) => { $value.ok_or($name)? };
    (@build optional $value:expr, $name:expr) => { $value };
    (@build or_empty $value:expr, $name:expr) => { $value.unwrap_or_default() };
}

settings! {
    /// The address or name to listen on.
    host: required String {
        text => {
            flag: Some("host"),
            environment: "LLM_SHELL_HOST",
            takes: "ADDRESS",
            default: "127.0.0.1",
            astra_default: None,
            help: "Address to listen on",
        }
    }
    /// The TCP port to listen on; 0 lets the kernel choose.
    port: required u16 {
        port => {
            flag: Some("port"),
            environment: "LLM_SHELL_PORT",
            takes: "PORT",
            default: "8000",
            astra_default: Some("7031"),
            help: "Port to listen on; 0 picks a free one, which the first log line names",
        }
    }
    /// The directory of the logs.
    log_directory: required PathBuf {
        path => {
            flag: Some("log-dir"),
            environment: "LLM_SHELL_LOG_DIR",
            takes: "DIRECTORY",
            default: "logs",
            astra_default: Some("logs/astra"),
            help: "Directory of the logs; created if missing",
        }
    }
    /// The time from SIGTERM to SIGKILL in a restart without a timeout.
    restart_timeout: required Duration {
        seconds => {
            flag: Some("default-restart-timeout"),
            environment: "LLM_SHELL_DEFAULT_RESTART_TIMEOUT",
            takes: "SECONDS",
            default: "10",
            astra_default: None,
            help: "Seconds from SIGTERM to SIGKILL in a restart without a timeout",
        }
    }
    /// The time from SIGTERM to SIGKILL in a kill and at shutdown.
    kill_timeout: required Duration {
        seconds => {
            flag: Some("kill-timeout"),
            environment: "LLM_SHELL_KILL_TIMEOUT",
            takes: "SECONDS",
            default: "5",
            astra_default: None,
            help: "Seconds from SIGTERM to SIGKILL in a kill and at shutdown",
        }
    }
    /// The shell that runs commands.
    shell: required PathBuf {
        path => {
            flag: Some("shell"),
            environment: "LLM_SHELL_SHELL",
            takes: "PROGRAM",
            default: "/bin/sh",
            astra_default: None,
            help: "Shell that runs commands, with -c",
        }
    }
    /// The maximum size of a stored line; longer ones are stored in pieces.
    line_bytes_max: required usize {
        bytes => {
            flag: Some("max-line-bytes"),
            environment: "LLM_SHELL_MAX_LINE_BYTES",
            takes: "BYTES",
            default: "65536",
            astra_default: None,
            help: "Maximum size of a stored line in bytes; longer lines are stored in pieces",
        }
    }
    /// The number of runs whose logs are kept.
    log_runs_max: required usize {
        runs => {
            flag: Some("log-keep-runs"),
            environment: "LLM_SHELL_LOG_KEEP_RUNS",
            takes: "COUNT",
            default: "100",
            astra_default: None,
            help: "Number of runs whose logs are kept; the oldest are deleted first",
        }
    }
    /// The maximum size of all logs, in bytes.
    log_bytes_max: required u64 {
        log_bytes => {
            flag: Some("log-max-bytes"),
            environment: "LLM_SHELL_LOG_MAX_BYTES",
            takes: "BYTES",
            default: "1073741824",
            astra_default: None,
            help: "Maximum size of all logs in bytes; logs of ended runs are deleted, oldest first",
        }
    }
    /// The maximum size of one run's log, in bytes.
    log_run_bytes_max: required u64 {
        log_bytes => {
            flag: Some("log-run-max-bytes"),
            environment: "LLM_SHELL_LOG_RUN_MAX_BYTES",
            takes: "BYTES",
            default: "268435456",
            astra_default: None,
            help: "Maximum size of one log in bytes, at most a quarter of all; drops its oldest \
                   lines",
        }
    }
    /// The maximum number of runs that live at once.
    runs_max: required usize {
        live_runs => {
            flag: Some("max-runs"),
            environment: "LLM_SHELL_MAX_RUNS",
            takes: "COUNT",
            default: "64",
            astra_default: None,
            help: "Maximum number of commands running at once; the next POST /runs gets 429",
        }
    }
    /// Whether commands get a small environment unless the request says otherwise.
    clears_environment: required bool {
        boolean => {
            flag: Some("clear-env"),
            environment: "LLM_SHELL_CLEAR_ENV",
            takes: "BOOL",
            default: "false",
            astra_default: None,
            help: "Start commands with PATH, HOME, USER, LANG and TERM only",
        }
    }
    /// The maximum number of requests that wait or stream.
    streams_max: required usize {
        count => {
            flag: Some("max-streams"),
            environment: "LLM_SHELL_MAX_STREAMS",
            takes: "COUNT",
            default: "64",
            astra_default: None,
            help: "Maximum number of requests that wait or stream; the next gets 503",
        }
    }
    /// The token for `Authorization: Bearer`.
    token: optional Secret {
        token => {
            flag: None,
            environment: "LLM_SHELL_TOKEN",
            takes: "TOKEN",
            default: "",
            astra_default: None,
            help: "Token that requests must carry (Authorization: Bearer)",
        }
        |value| file(value, token) => {
            flag: Some("token-file"),
            environment: "LLM_SHELL_TOKEN_FILE",
            takes: "FILE",
            default: "",
            astra_default: None,
            help: "File with the token",
        }
    }
    /// The `user:password` for `Authorization: Basic`.
    basic_auth: optional Secret {
        password => {
            flag: None,
            environment: "LLM_SHELL_BASIC_AUTH",
            takes: "USER:PASSWORD",
            default: "",
            astra_default: None,
            help: "User and password that requests must carry (Authorization: Basic)",
        }
        |value| file(value, password) => {
            flag: Some("basic-auth-file"),
            environment: "LLM_SHELL_BASIC_AUTH_FILE",
            takes: "FILE",
            default: "",
            astra_default: None,
            help: "File with user:password",
        }
    }
    /// The file of tokens with scopes.
    tokens_file: optional PathBuf {
        path => {
            flag: Some("tokens-file"),
            environment: "LLM_SHELL_TOKENS_FILE",
            takes: "PATH",
            default: "",
            astra_default: None,
            help: "File of tokens with scopes: lines NAME SCOPE SHA256HEX, see `llm-shell token`",
        }
    }
    /// The file that gets a line for each request that changes something.
    audit: optional PathBuf {
        path => {
            flag: Some("audit"),
            environment: "LLM_SHELL_AUDIT",
            takes: "PATH",
            default: "",
            astra_default: None,
            help: "File that gets a line of JSON for each request that changes something",
        }
    }
    /// The additional origins whose pages may send requests.
    allowed_origins: or_empty Vec<Origin> {
        origins => {
            flag: Some("allowed-origins"),
            environment: "LLM_SHELL_ALLOWED_ORIGINS",
            takes: "ORIGINS",
            default: "",
            astra_default: Some("http://localhost:3000,http://127.0.0.1:3000"),
            help: "Comma-separated origins whose pages may send requests",
        }
    }
    /// The accepted host names, besides addresses and localhost.
    allowed_hosts: or_empty Vec<String> {
        names => {
            flag: Some("allowed-hosts"),
            environment: "LLM_SHELL_ALLOWED_HOSTS",
            takes: "NAMES",
            default: "",
            astra_default: None,
            help: "Comma-separated host names to accept besides addresses and localhost",
        }
    }
    /// The Unix socket to listen on instead of host and port.
    socket: optional PathBuf {
        path => {
            flag: Some("socket"),
            environment: "LLM_SHELL_SOCKET",
            takes: "PATH",
            default: "",
            astra_default: None,
            help: "Unix socket to listen on instead of host and port",
        }
    }
}

impl Settings {
    /// Whether clients need credentials.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.token.is_some() || self.basic_auth.is_some() || self.tokens_file.is_some()
    }
}

/// The largest valid number of runs that live at once: each has a few descriptors.
const LIVE_RUNS_MAX: usize = 10_000;

/// The upper limit of concurrent waits and streams: the server has 512 connections.
const STREAMS_MAX: usize = 512;

fn text(value: &str) -> Result<String, String> {
    let text = (!value.contains('\0')).then(|| value.to_owned());
    text.ok_or_else(|| "text without a NUL".to_owned())
}

fn path(value: &str) -> Result<PathBuf, String> {
    text(value).map(PathBuf::from)
}

fn port(value: &str) -> Result<u16, String> {
    value.parse().map_err(|_| "a whole number from 0 to 65535".to_owned())
}

fn origins(value: &str) -> Result<Vec<Origin>, String> {
    value.split(',').map(|origin| origin.trim().parse()).collect()
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

fn live_runs(value: &str) -> Result<usize, String> {
    let number = value.parse().ok().filter(|number| (1..=LIVE_RUNS_MAX).contains(number));
    number.ok_or_else(|| format!("a whole number from 1 to {LIVE_RUNS_MAX}"))
}

fn boolean(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "true or false".to_owned())
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
