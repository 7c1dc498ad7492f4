//! Startup and shutdown: from settings to a running server, and its orderly end.

mod astra;
mod control;
mod credentials;
mod export;
mod listen;
mod logging;
mod mcp;
mod mcp_server;
mod shell;
mod state;
mod stderr;
mod systemd;

pub use astra::{Ended, Services, read_services, supervise};
pub use control::control;
pub use export::export;
pub use listen::listen;
pub use mcp::{bridge, bridge_to_socket};
pub use mcp_server::detach;
pub use shell::{run, run_inside};

use crate::auth::{
    AuditFile, AuditFileError, Credentials, Guard, NewToken, PeerRule, Tokens, TokensError,
};
use crate::client::ClientError;
use crate::error::{SystemError, from_by};
use crate::export::ExportError;
use crate::logs::{self, Keep, LogWriter};
use crate::nearest::nearest;
use crate::ops::{Audit, Error, Result};
use crate::process::{self, Cgroups, NoCgroup, OrphanPolicy, Reaper};
use crate::protocol::Scope;
use crate::runs::STRAYS_TIMEOUT;
use crate::settings::{
    self, ArgMatches, CREDENTIALS_DIRECTORY, ENVIRONMENT_PREFIX, EnvFile, Mode, Secret,
    SettingError, Settings, Sources,
};
use crate::shutdown::SignalReceiver;
use crate::supervisor::services_file::{self, ServicesFileErrors};
use crate::supervisor::{self, ServicesFile};
use http1::{Limits, Listener, Place, Router, Server};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, io, thread};

/// How long the log writer may take to end after all commands were ended. Only a process that
/// could not be ended holds its pipe open.
const WRITER_TIMEOUT: Duration = Duration::from_secs(1);

/// How many runs are remembered, including those whose logs are gone.
const RECORDS_MAX: usize = 1000;
/// How long a forced shutdown may take. Everything it waits for has a limit of its own, and these
/// add up to less; anything longer is a bug, or a failure of the machine.
const FORCED_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(12);

/// How long running requests may take once all commands were ended.
const ANSWERS_TIMEOUT: Duration = Duration::from_secs(2);

/// The variables that systemd sets for a service about itself (`systemd.exec(5)`). They do not
/// apply to commands, so those do not get them.
const SYSTEMD_VARIABLES: [&str; 39] = [
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    CREDENTIALS_DIRECTORY,
    "EXIT_CODE",
    "EXIT_STATUS",
    "FDSTORE",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LOGS_DIRECTORY",
    "LOG_NAMESPACE",
    "MAINPID",
    "MAINPIDFDID",
    "MANAGERPID",
    "MANAGERPIDFDID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "MONITOR_EXIT_CODE",
    "MONITOR_EXIT_STATUS",
    "MONITOR_INVOCATION_ID",
    "MONITOR_SERVICE_RESULT",
    "MONITOR_UNIT",
    "NOTIFY_SOCKET",
    "PIDFILE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "RUNTIME_DIRECTORY",
    "SERVICE_RESULT",
    "STATE_DIRECTORY",
    "SYSTEMD_EXEC_PID",
    "TRIGGER_PATH",
    "TRIGGER_TIMER_MONOTONIC_USEC",
    "TRIGGER_TIMER_REALTIME_USEC",
    "TRIGGER_UNIT",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Returns advice for a listen error.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => ": choose another with --port or LLM_SHELL_PORT",
        _ => "",
    }
}

/// The reason why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is invalid.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The server would expose a shell to the network.
    #[error(
        "{set_by} is {host:?}, which is not loopback, so anyone who can connect gets a shell: set \
         LLM_SHELL_TOKEN or LLM_SHELL_BASIC_AUTH (or their _FILE), or allow it with --insecure"
    )]
    Open {
        /// The source of the host.
        set_by: String,
        /// The host as it was set.
        host: String,
    },
    /// The server would expose a shell to the users of this machine.
    #[error(
        "other users can connect to the inherited socket {place} and get a shell: set \
         SocketMode=0600 in its .socket unit, or set LLM_SHELL_TOKEN or LLM_SHELL_BASIC_AUTH"
    )]
    OpenSocket {
        /// The socket.
        place: String,
    },
    /// The host cannot be resolved.
    #[error("{set_by} is {host:?}, which cannot be resolved ({source}): give an address")]
    Host {
        /// The source of the host.
        set_by: String,
        /// The host as it was set.
        host: String,
        /// The error of the resolver.
        source: io::Error,
    },
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}: {source}{}", advice(.source))]
    Listen {
        /// The address, as host and port.
        address: String,
        /// The error of the kernel.
        source: io::Error,
    },
    /// There is no directory for the logs.
    #[error(
        "no directory for the logs: neither XDG_STATE_HOME nor HOME is an absolute path: set one \
         of them, or give --log-dir"
    )]
    NoStateDirectory,
    /// There is no directory for the socket of the user's server.
    #[error(
        "--detach needs XDG_RUNTIME_DIR to be the absolute path of a directory that belongs to \
         this user alone: set it, or omit --detach"
    )]
    NoRuntimeDirectory,
    /// The tokens file cannot be used.
    #[error("LLM_SHELL_TOKENS_FILE: {0}")]
    Tokens(#[from] TokensError),
    /// The audit file cannot be used.
    #[error("LLM_SHELL_AUDIT: {0}")]
    Audit(#[from] AuditFileError),
    /// The services file is invalid.
    #[error(transparent)]
    File(#[from] ServicesFileErrors),
    /// The machine refuses something else.
    #[error(transparent)]
    Machine(#[from] Error),
    /// The services cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A `ctl` command failed.
    #[error(transparent)]
    Client(#[from] ClientError),
}

from_by! {
    Error => StartError: SystemError, logs::Error, process::Error, supervisor::Error,
}

impl StartError {
    /// Returns 2 for invalid input, 1 for a failure of the machine.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Setting(_)
            | Self::Open { .. }
            | Self::OpenSocket { .. }
            | Self::NoStateDirectory
            | Self::NoRuntimeDirectory
            | Self::Host { .. }
            | Self::Tokens(_)
            | Self::Audit(_)
            | Self::File(_)
            | Self::Export(_) => 2,
            Self::Listen { .. } | Self::Machine(_) => 1,
            Self::Client(error) => error.exit_code(),
        }
    }
}

/// The configuration of a server that is starting.
#[derive(Debug)]
pub struct Startup {
    /// The settings.
    pub settings: Settings,
    /// The environment of the commands: the server's, without its settings.
    pub environment: Vec<(OsString, OsString)>,
}

/// The file that settings are read from, besides flags and the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsFile {
    /// `.env` in the working directory, if there is one.
    Dotenv,
    /// A file named on the command line.
    Named(PathBuf),
    /// No file.
    None,
}

impl SettingsFile {
    /// Returns the file for clients: they may run in any directory, so only a named file is read.
    #[must_use]
    pub fn of_flag(path: Option<PathBuf>) -> Self {
        path.map_or(Self::None, Self::Named)
    }

    fn read(&self) -> std::result::Result<Option<EnvFile>, SettingError> {
        match self {
            Self::Dotenv => EnvFile::in_working_directory(),
            Self::Named(path) => EnvFile::named(path).map(Some),
            Self::None => Ok(None),
        }
    }
}

/// Protects the memory of this process from others. Must be called before anything else.
///
/// # Errors
/// `Machine`, which no known kernel returns.
pub fn close_memory() -> std::result::Result<(), StartError> {
    Ok(process::close_memory()?)
}

/// Loads the settings from the environment, a file and the command line, and starts logging to
/// stderr.
///
/// # Errors
/// The first invalid setting.
pub fn start_up(
    flags: &ArgMatches,
    mode: Mode,
    file: &SettingsFile,
) -> std::result::Result<Startup, StartError> {
    let environment: Vec<_> = env::vars_os().collect();
    let env_file = file.read()?;
    let sources = Sources { flags, environment: &environment, env_file: env_file.as_ref(), mode };
    let loaded = settings::load(&sources)?;
    logging::start(env_file.as_ref())?;
    if let Some(file) = env_file.filter(|_| !loaded.from_file.is_empty()) {
        log::info!("settings from {}: {}", file.name(), loaded.from_file.join(", "));
    }
    loaded.warnings.iter().for_each(|warning| log::warn!("{warning}"));
    Ok(Startup { settings: loaded.settings, environment: commands_environment() })
}

/// Returns the environment of the commands: the server's, without what is meant for the server
/// alone.
fn commands_environment() -> Vec<(OsString, OsString)> {
    let is_private = |name: &OsString| {
        SYSTEMD_VARIABLES.iter().any(|private| name == private)
            || name.to_string_lossy().starts_with(ENVIRONMENT_PREFIX)
    };
    env::vars_os().filter(|(name, _)| !is_private(name)).collect()
}

/// Checks a services file, and prints the names of its services in start order.
///
/// # Errors
/// `File` with all errors of the file.
pub fn check(file: &Path) -> std::result::Result<(), StartError> {
    let services = ServicesFile::read(file, &commands_environment())?;
    let graph = services.graph();
    let names = graph.start_order().into_iter().flat_map(|name| [name, "\n"]);
    Ok(print(names.collect::<String>().as_bytes())?)
}

/// Makes a token of 256 random bits. Prints it, and below it its line for the tokens file.
///
/// # Errors
/// `Machine` if the kernel has no randomness or stdout cannot be written.
pub fn print_token(name: &str, scope: Scope) -> std::result::Result<(), StartError> {
    let NewToken { token, line } =
        NewToken::make(name, scope).map_err(|e| SystemError::new("make a token", e))?;
    Ok(print(format!("{token}\n{line}\n").as_bytes())?)
}

/// Prints the JSON Schema of the services file.
///
/// # Errors
/// `Machine` if stdout cannot be written.
pub fn print_schema() -> std::result::Result<(), StartError> {
    Ok(print(format!("{:#}\n", services_file::schema()).as_bytes())?)
}

/// Prints the completion script for a shell.
///
/// # Errors
/// `Machine` if stdout cannot be written.
pub fn print_completions(shell: settings::Shell) -> std::result::Result<(), StartError> {
    Ok(print(&settings::completions_of(shell))?)
}

/// Prints the manual page of a command.
///
/// # Errors
/// `Client` if there is no such command; `Machine` if stdout cannot be written.
pub fn print_manual(command: &[String]) -> std::result::Result<(), StartError> {
    let unknown = || ClientError::Wrong(format!("unknown command {command:?}: see --help"));
    Ok(print(&settings::manual_of(command).ok_or_else(unknown)?)?)
}

fn print(text: &[u8]) -> Result<()> {
    match io::stdout().lock().write_all(text) {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| SystemError::new("write to stdout", error).into()),
    }
}

/// Creates the access policy from the settings. The name to listen on is an accepted host. A
/// server that listens beyond loopback without credentials was given `--insecure`, so anyone may
/// connect.
fn guard(
    settings: &Settings,
    place: &Place,
    page_scope: Scope,
) -> std::result::Result<Guard, TokensError> {
    let token = settings.token.as_ref().map(Secret::reveal);
    let basic = settings.basic_auth.as_ref().map(|pair| pair.reveal().to_owned());
    let file = settings.tokens_file.as_deref().map(Tokens::read).transpose()?;
    let credentials = Credentials::new(token, basic, file);
    let hosts = [&settings.allowed_hosts[..], std::slice::from_ref(&settings.host)].concat();
    let rule = if place.is_beyond_this_machine() { PeerRule::Anyone } else { PeerRule::OwnUser };
    Ok(Guard::new(&hosts, settings.allowed_origins.clone(), page_scope, credentials, rule))
}

/// Opens the audit file, if one is set.
fn audit(settings: &Settings) -> std::result::Result<Audit, AuditFileError> {
    let file = settings.audit.clone().map(AuditFile::open).transpose()?;
    Ok(Audit::to(file.map(Arc::new)))
}

/// Reads the tokens file again. An invalid file changes nothing.
fn reload_tokens(path: &Path, guard: &Guard) {
    match Tokens::read(path) {
        Ok(tokens) => {
            log::info!("{}: {} tokens", path.display(), tokens.count());
            guard.set_tokens(tokens);
        }
        Err(error) => log::error!("the tokens stay as they were: {error}"),
    }
}

/// Calls `reload` at each SIGHUP, on a thread that lives until the process ends.
fn at_each_hangup(mut hangups: SignalReceiver, reload: impl Fn() + Send + 'static) -> Result<()> {
    let work = move || loop {
        hangups.wait();
        systemd::while_reloading(&reload);
    };
    let thread = thread::Builder::new().name("reload".into()).stack_size(512 * 1024).spawn(work);
    thread.map(drop).map_err(|error| SystemError::new("start a thread for reloads", error).into())
}

/// Returns the retention limits from the settings.
fn keep(settings: &Settings) -> Keep {
    Keep {
        runs_max: settings.log_runs_max,
        bytes_max: settings.log_bytes_max,
        run_bytes_max: settings.log_run_bytes_max,
        records_max: RECORDS_MAX.max(settings.log_runs_max),
    }
}

/// Starts serving these routes. `alive` is the path that the watchdog's self-check requests.
fn serve(
    listener: Listener,
    router: Router,
    alive: &'static str,
    settings: &Settings,
) -> Result<Arc<Server>> {
    let place = listener.place();
    let router = router.suggesting(|path, patterns| nearest(path, patterns));
    let server = Server::start(listener, router, Limits::default())
        .map_err(|e| SystemError::new("start the server", e))?;
    log::info!("listening on {place}");
    if !settings.has_credentials() && process::is_root() {
        log::warn!("running as root without credentials: any program of root can run commands");
    }
    systemd::ready(place, alive, settings);
    Ok(Arc::new(server))
}

/// Waits for a shutdown signal, then stops accepting. A second signal forces the shutdown.
fn wait_for_end(
    mut requests: SignalReceiver,
    server: Option<&Server>,
    force_shutdown: impl FnOnce() + Send + 'static,
) {
    requests.wait();
    log::info!("received a signal, shutting down");
    systemd::stopping();
    if let Some(server) = server {
        server.stop_accepting();
    }
    let second = thread::Builder::new().name("second-signal".into()).spawn(move || {
        // Lives until the process exits, as a second signal may come until then.
        requests.wait();
        log::info!("received a second signal, forcing shutdown");
        force_shutdown();
        thread::sleep(FORCED_SHUTDOWN_TIMEOUT);
        log::error!("forced shutdown timed out: exiting with processes still running");
        process::exit_at_once(1);
    });
    if let Err(error) = second {
        log::warn!("a second signal will not force shutdown: {error}");
    }
}

/// Takes over the control group delegated to this process, for its runs, or returns why there is
/// none. Kills what an earlier server left in it.
fn cgroups() -> std::result::Result<Arc<Cgroups>, NoCgroup> {
    let adopted = Cgroups::adopt(STRAYS_TIMEOUT).map(Arc::new);
    match &adopted {
        Ok(_) => log::info!("each run gets its own control group"),
        Err(none) => log::debug!("runs get no control group: {none}"),
    }
    adopted
}

/// Ends all remaining descendants, and logs those that cannot be ended.
fn end_remaining(reaper: &Reaper, orphan_policy: OrphanPolicy) {
    for left in reaper.end_remaining(orphan_policy) {
        log::warn!("process {} is still alive: {}", left.pid, left.why);
    }
}

/// Ends the log writer and the running requests, once all commands were ended.
fn finish(writer: &LogWriter, server: Option<&Server>, cgroups: Option<&Cgroups>) {
    writer.finish(WRITER_TIMEOUT);
    if let Some(cgroups) = cgroups {
        cgroups.remove_empty();
    }
    let aborted = server.map_or(0, |server| server.finish(ANSWERS_TIMEOUT));
    log::info!("stopped; {aborted} requests aborted");
}

fn own_directory() -> Result<PathBuf> {
    env::current_dir().map_err(|e| SystemError::new("find the working directory", e).into())
}
