//! The table of settings: each has one row here, and everything else is made from it.

use std::path::PathBuf;
use std::time::Duration;

/// What the name of every setting begins with. No variable so named reaches a command.
pub const ENVIRONMENT_PREFIX: &str = "LLM_SHELL_";

/// The longest grace or timeout that can be asked for, in seconds: a day.
pub const SECONDS_MAX: f64 = 86_400.0;

/// The shortest piece that long lines can be cut into, in bytes.
const LINE_BYTES_MIN: usize = 64;

/// The longest piece, in bytes: what an answer may have to hold in memory, six times escaped.
const LINE_BYTES_MAX: usize = 1024 * 1024;

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
    /// Whether to listen beyond loopback although anybody who gets there has a shell.
    pub insecure: bool,
}

/// One row of the table.
#[derive(Debug)]
pub struct Setting {
    /// The name of its flag, without the dashes.
    pub flag: &'static str,
    /// The name of its environment variable.
    pub environment: &'static str,
    /// What stands for its value in a help text.
    pub takes: &'static str,
    /// Its value where nothing is set.
    pub default: &'static str,
    /// What it does, in a few words.
    pub help: &'static str,
    /// Reads a value into the settings; says what it should have been where it cannot.
    pub(super) read: fn(&mut Settings, &str) -> Result<(), String>,
}

/// All settings that have a value, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    Setting {
        flag: "host",
        environment: "LLM_SHELL_HOST",
        takes: "ADDRESS",
        default: "127.0.0.1",
        help: "Address to listen on",
        read: |settings, value| text(value).map(|host| settings.host = host.into()),
    },
    Setting {
        flag: "port",
        environment: "LLM_SHELL_PORT",
        takes: "PORT",
        default: "8000",
        help: "Port to listen on; 0 takes a free one, which the first log line names",
        read: |settings, value| {
            let port = value.parse().map_err(|_| "a whole number from 0 to 65535".to_owned())?;
            settings.port = port;
            Ok(())
        },
    },
    Setting {
        flag: "log-dir",
        environment: "LLM_SHELL_LOG_DIR",
        takes: "DIRECTORY",
        default: "logs",
        help: "Directory for the logs, made where there is none",
        read: |settings, value| text(value).map(|path| settings.log_directory = path.into()),
    },
    Setting {
        flag: "default-restart-timeout",
        environment: "LLM_SHELL_DEFAULT_RESTART_TIMEOUT",
        takes: "SECONDS",
        default: "10",
        help: "From SIGTERM to SIGKILL in a restart that names no timeout",
        read: |settings, value| seconds(value).map(|time| settings.restart_timeout = time),
    },
    Setting {
        flag: "kill-timeout",
        environment: "LLM_SHELL_KILL_TIMEOUT",
        takes: "SECONDS",
        default: "5",
        help: "From SIGTERM to SIGKILL in a kill and in a shutdown",
        read: |settings, value| seconds(value).map(|time| settings.kill_timeout = time),
    },
    Setting {
        flag: "shell",
        environment: "LLM_SHELL_SHELL",
        takes: "PROGRAM",
        default: "/bin/sh",
        help: "Shell that runs the commands, with -c",
        read: |settings, value| text(value).map(|path| settings.shell = path.into()),
    },
    Setting {
        flag: "max-line-bytes",
        environment: "LLM_SHELL_MAX_LINE_BYTES",
        takes: "BYTES",
        default: "65536",
        help: "Longer lines are stored in pieces of this size",
        read: |settings, value| bytes(value).map(|bytes| settings.line_bytes_max = bytes),
    },
];

impl Settings {
    /// What holds where nothing is set.
    pub(super) fn blank() -> Self {
        Self {
            host: String::new(),
            port: 0,
            log_directory: PathBuf::new(),
            restart_timeout: Duration::ZERO,
            kill_timeout: Duration::ZERO,
            shell: PathBuf::new(),
            line_bytes_max: 0,
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
    let number = value.parse().ok().filter(|n| (LINE_BYTES_MIN..=LINE_BYTES_MAX).contains(n));
    number.ok_or_else(|| format!("a whole number from {LINE_BYTES_MIN} to {LINE_BYTES_MAX}"))
}
