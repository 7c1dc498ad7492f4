//! Wires the floors: settings in, a running server, and its orderly end.

mod astra;
mod control;
mod credentials;
mod export;
mod listen;
mod logging;
mod mcp;
mod shell;
mod stderr;
mod systemd;

pub use astra::{Ended, Services, read_services, supervise};
pub use control::control;
pub use export::export;
pub use listen::listen;
pub use mcp::bridge;
pub use shell::{run, run_inside};

use crate::auth::{Credentials, Guard, PeerRule};
use crate::client::ClientError;
use crate::error::{Error, Result};
use crate::export::ExportFault;
use crate::logs::{Keep, LogWriter};
use crate::nearest::nearest;
use crate::process::{self, Cgroups, NoCgroup, OrphanPolicy, Reaper};
use crate::runs::STRAYS_TIMEOUT;
use crate::settings::{
    self, ArgMatches, CREDENTIALS_DIRECTORY, ENVIRONMENT_PREFIX, EnvFile, Mode, Secret,
    SettingFault, Settings, Sources,
};
use crate::shutdown::SignalReceiver;
use crate::supervisor::ServicesFile;
use crate::supervisor::services_file::{self, Faults};
use http1::{Limits, Listener, Place, Router, Server};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, io, thread};

/// How long the writer may take, after all commands were ended, to end as well. Only a process
/// that could not be ended holds its pipe open.
const WRITER_TIMEOUT: Duration = Duration::from_secs(1);

/// How many runs are known with their ends, those whose logs are gone included.
const RECORDS_MAX: usize = 1000;
/// How long the end may take once it was asked for twice. All that is waited for till then has a
/// limit of its own, which adds up to less; what has none is a fault of ours, or of the machine.
const HURRY_TIMEOUT: Duration = Duration::from_secs(12);

/// How long answers that are under way at the shutdown may take once all commands were ended.
const ANSWERS_TIMEOUT: Duration = Duration::from_secs(2);

/// What systemd sets in the environment of a service about that service (`systemd.exec(5)`): the
/// commands of the server are none, so they do not get it.
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

/// What to do where an address cannot be listened on.
fn way_out(fault: &io::Error) -> &'static str {
    match fault.kind() {
        io::ErrorKind::AddrInUse => ": choose another with --port or LLM_SHELL_PORT",
        _ => "",
    }
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// What it was told is at fault.
    #[error(transparent)]
    Setting(#[from] SettingFault),
    /// It would open a shell to the network.
    #[error(
        "{set_by} is {host:?}, which is beyond loopback, and whoever reaches it has a shell: set \
         LLM_SHELL_TOKEN or LLM_SHELL_BASIC_AUTH (or their _FILE), or give --insecure to go on"
    )]
    Open {
        /// What the host was set by.
        set_by: String,
        /// The host as it was set.
        host: String,
    },
    /// It would open a shell to the users of this machine.
    #[error(
        "other users can connect to the inherited socket {place}, and whoever can has a shell: set \
         SocketMode=0600 in its .socket unit, or set LLM_SHELL_TOKEN or LLM_SHELL_BASIC_AUTH"
    )]
    OpenSocket {
        /// Where it listens.
        place: String,
    },
    /// The host's name is not known.
    #[error("{set_by} is {host:?}, which is not known ({source}): give an address")]
    Host {
        /// What the host was set by.
        set_by: String,
        /// The host as it was set.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}{}", way_out(.source))]
    Listen {
        /// The address, as host and port.
        address: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The services file is at fault.
    #[error(transparent)]
    File(#[from] Faults),
    /// The machine refuses something else.
    #[error(transparent)]
    Machine(#[from] Error),
    /// There is no manifest to be made.
    #[error(transparent)]
    Export(#[from] ExportFault),
    /// An order was not carried out.
    #[error(transparent)]
    CtlCommand(#[from] ClientError),
}

impl StartFault {
    /// 2 where what we were told is at fault, 1 where the machine is.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Setting(_)
            | Self::Open { .. }
            | Self::OpenSocket { .. }
            | Self::Host { .. }
            | Self::File(_)
            | Self::Export(_) => 2,
            Self::Listen { .. } | Self::Machine(_) => 1,
            Self::CtlCommand(trouble) => trouble.exit_code(),
        }
    }
}

/// What the server was started with: what it was told, and what its commands get.
#[derive(Debug)]
pub struct Startup {
    /// What the server goes by.
    pub settings: Settings,
    /// The environment of the commands: the server's, without its settings.
    pub environment: Vec<(OsString, OsString)>,
}

/// The file that settings are read from, besides flags and the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsFile {
    /// `.env` in the working directory, if there is one.
    Dotenv,
    /// One that was named.
    Named(PathBuf),
    /// None.
    None,
}

impl SettingsFile {
    /// What clients read: they are run in directories of anybody, so only a file that was named.
    #[must_use]
    pub fn of_flag(path: Option<PathBuf>) -> Self {
        path.map_or(Self::None, Self::Named)
    }

    fn read(&self) -> std::result::Result<Option<EnvFile>, SettingFault> {
        match self {
            Self::Dotenv => EnvFile::in_working_directory(),
            Self::Named(path) => EnvFile::named(path).map(Some),
            Self::None => Ok(None),
        }
    }
}

/// Closes the memory of this process to others: to be called before anything else.
///
/// # Errors
/// `Machine`, which no kernel gives.
pub fn close_memory() -> std::result::Result<(), StartFault> {
    Ok(process::close_memory()?)
}

/// Reads the environment and a file besides the command line, and sets up logging to stderr.
///
/// # Errors
/// The setting that cannot be used.
pub fn start_up(
    flags: &ArgMatches,
    mode: Mode,
    file: &SettingsFile,
) -> std::result::Result<Startup, StartFault> {
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

/// The environment of the commands: the server's, without what is meant for the server alone.
fn commands_environment() -> Vec<(OsString, OsString)> {
    let is_ours = |name: &OsString| {
        SYSTEMD_VARIABLES.iter().any(|ours| name == ours)
            || name.to_string_lossy().starts_with(ENVIRONMENT_PREFIX)
    };
    env::vars_os().filter(|(name, _)| !is_ours(name)).collect()
}

/// Checks a services file, and prints the names of its services in the order of their start.
///
/// # Errors
/// `File` with every fault of it.
pub fn check(file: &Path) -> std::result::Result<(), StartFault> {
    let services = ServicesFile::read(file, &commands_environment())?;
    let graph = services.graph();
    let names = graph.start_order().into_iter().flat_map(|name| [name, "\n"]);
    Ok(print(names.collect::<String>().as_bytes())?)
}

/// Prints the JSON Schema of the services file.
///
/// # Errors
/// `Machine` where it cannot be written.
pub fn print_schema() -> std::result::Result<(), StartFault> {
    Ok(print(format!("{:#}\n", services_file::schema()).as_bytes())?)
}

/// Prints the script that completes our words in a shell.
///
/// # Errors
/// `Machine` where it cannot be written.
pub fn print_completions(shell: settings::Shell) -> std::result::Result<(), StartFault> {
    Ok(print(&settings::completions_of(shell))?)
}

/// Prints the manual page of a command by its words.
///
/// # Errors
/// `CtlCommand` where there is no such command; `Machine` where it cannot be written.
pub fn print_manual(command: &[String]) -> std::result::Result<(), StartFault> {
    let unknown = || ClientError::Wrong(format!("There is no command {command:?}: see --help."));
    Ok(print(&settings::manual_of(command).ok_or_else(unknown)?)?)
}

fn print(text: &[u8]) -> Result<()> {
    match io::stdout().lock().write_all(text) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Error::kernel("write to stdout", error)),
    }
}

/// Who gets in, by the settings. The name that we were told to listen on is one of ours. Where
/// the server listens beyond loopback without credentials, `--insecure` has said that anyone may.
fn guard(settings: &Settings, place: &Place) -> Guard {
    let reveal = |secret: &Option<Secret>| secret.as_ref().map(|s| s.reveal().to_owned());
    let credentials = Credentials::new(reveal(&settings.token), reveal(&settings.basic_auth));
    let hosts = [&settings.allowed_hosts[..], std::slice::from_ref(&settings.host)].concat();
    let rule = if place.is_beyond_this_machine() { PeerRule::Anyone } else { PeerRule::OwnUser };
    Guard::new(&hosts, settings.allowed_origins.clone(), credentials, rule)
}

/// How much is kept of logs, by the settings.
fn keep(settings: &Settings) -> Keep {
    Keep {
        runs_max: settings.log_runs_max,
        bytes_max: settings.log_bytes_max,
        run_bytes_max: settings.log_run_bytes_max,
        records_max: RECORDS_MAX.max(settings.log_runs_max),
    }
}

/// Serves these routes. `alive` is what is asked, where a watchdog wants to know that we answer.
fn serve(
    listener: Listener,
    router: Router,
    alive: &'static str,
    settings: &Settings,
) -> Result<Arc<Server>> {
    let place = listener.place();
    let router = router.suggesting(|path, patterns| nearest(path, patterns));
    let server = Server::start(listener, router, Limits::default())
        .map_err(|e| Error::kernel("start the server", e))?;
    log::info!("listening on {place}");
    if settings.token.is_none() && settings.basic_auth.is_none() && process::is_root() {
        log::warn!("running as root without credentials: every program of root can run commands");
    }
    systemd::ready(place, alive, settings);
    Ok(Arc::new(server))
}

/// Waits for a request to end, and closes the door then. A second one hurries the end.
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
        // Lives until the process ends: a second request may come as long as that takes.
        requests.wait();
        log::info!("received a second signal, forcing shutdown");
        force_shutdown();
        thread::sleep(HURRY_TIMEOUT);
        log::error!("shutdown takes too long: leaving what still runs");
        process::exit_at_once(1);
    });
    if let Err(error) = second {
        log::warn!("a second signal will not force shutdown: {error}");
    }
}

/// The control group that this process was given to divide among its runs, or why there is none.
/// Ends what a server before this one left in it.
fn cgroups() -> std::result::Result<Arc<Cgroups>, NoCgroup> {
    let adopted = Cgroups::adopt(STRAYS_TIMEOUT).map(Arc::new);
    match &adopted {
        Ok(_) => log::info!("each run gets its own control group"),
        Err(none) => log::debug!("runs get no control group: {none}"),
    }
    adopted
}

/// Ends what is left of all that descends from us, and names what cannot be ended.
fn end_remaining(reaper: &Reaper, orphan_policy: OrphanPolicy) {
    for left in reaper.end_remaining(orphan_policy) {
        log::warn!("process {} is still alive: {}", left.pid, left.why);
    }
}

/// Ends the log writer and the answers that are under way, once all commands were ended.
fn finish(writer: &LogWriter, server: Option<&Server>, cgroups: Option<&Cgroups>) {
    writer.finish(WRITER_TIMEOUT);
    if let Some(cgroups) = cgroups {
        cgroups.remove_empty();
    }
    let aborted = server.map_or(0, |server| server.finish(ANSWERS_TIMEOUT));
    log::info!("stopped; {aborted} requests aborted");
}

fn own_directory() -> Result<PathBuf> {
    env::current_dir().map_err(|e| Error::kernel("find our directory", e))
}
