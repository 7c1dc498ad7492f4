//! The LLM Shell, from startup to shutdown.

use super::state::state_directory;
use super::{
    StartError, Startup, at_each_hangup, audit, cgroups, end_remaining, finish, guard, keep,
    own_directory, reload_tokens, serve, systemd, wait_for_end,
};
use crate::api;
use crate::error::SystemError;
use crate::logs::{self, LogFolder, LogWriter};
use crate::mcp::{self, Toolbox};
use crate::ops::{self, Shell, ShellConfig};
use crate::process::{self, OrphanPolicy, Orphans, Reaper};
use crate::protocol::Scope;
use crate::runs::{ManagerConfig, Metering, Numbering, Observer, RunSet};
use crate::settings::Settings;
use crate::shutdown::{Hangup, ShutdownTrigger, SignalReceiver};
use http1::{Listener, Server};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How many log directories of `llm-shell mcp` are kept, besides those in use.
const LOG_DIRECTORIES_MAX: usize = 20;

/// The longest interval of checks whether a server is idle.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Serves until a shutdown signal arrives, or until there were neither clients nor runs for
/// `idle_max`; then ends what is running and closes the logs. Blocks
/// until then.
///
/// # Errors
/// Startup failures of the machine; a tokens file or an audit file that cannot be used.
pub fn run(
    startup: Startup,
    listener: Listener,
    idle_max: Option<Duration>,
) -> Result<(), StartError> {
    if idle_max.is_some() {
        process::leave_session();
    }
    let guard = Arc::new(guard(&startup.settings, &listener.place(), Scope::Run)?);
    let tokens_file = startup.settings.tokens_file.clone();
    let reloads = tokens_file.map(|path| Ok((path, SignalReceiver::for_reload()?)));
    let reloads = reloads.transpose().map_err(|error: SystemError| StartError::from(error))?;
    let hangup = match &reloads {
        Some(_) => Hangup::NoShutdown,
        None => shutdown_unless_ignored(),
    };
    run_with(startup, hangup, |shell, settings, requests| {
        if let Some((path, reloads)) = reloads {
            let guard = Arc::clone(&guard);
            at_each_hangup(reloads, move || reload_tokens(&path, &guard))?;
        }
        if let Some(idle_max) = idle_max {
            end_when_idle(Arc::clone(&shell), idle_max, requests.trigger()?)?;
        }
        let mcp = Box::new(mcp::handler(Toolbox::shell(Arc::clone(&shell))));
        let router = api::router(shell, guard, mcp);
        serve(listener, router, "/status", settings).map(Some)
    })
}

/// Serves one client of the Model Context Protocol on stdin and stdout, until that ends or a
/// shutdown signal arrives; then ends what is running and closes the logs. Blocks until then.
///
/// # Errors
/// Startup failures of the machine; an audit file that cannot be used.
pub fn run_inside(mut startup: Startup) -> Result<(), StartError> {
    if !startup.settings.set_by.contains_key("LLM_SHELL_LOG_DIR") {
        startup.settings.log_directory = own_log_directory(&startup.settings)?;
    }
    run_with(startup, shutdown_unless_ignored(), |shell, _, requests| {
        super::mcp::serve_tools(Toolbox::shell(shell).for_one_client(), requests).map(|()| None)
    })
}

/// Creates a log directory for this process, beside those of other clients; ends what killed ones
/// left, and removes the oldest directories.
fn own_log_directory(settings: &Settings) -> Result<PathBuf, StartError> {
    let own = logs::new_folder(&state_directory()?.join("mcp"))?;
    logs::tidy_folders(&own, keep(settings), LOG_DIRECTORIES_MAX, |folder| {
        let runs = folder.ledger().runs();
        if runs.iter().any(|run| run.end.is_none()) {
            crate::runs::recover(std::slice::from_ref(&folder), folder.lock_id());
        }
    });
    log::info!("logs in {}", own.display());
    Ok(own)
}

/// Requests a shutdown when there were neither runs nor requests that wait or stream for
/// `idle_max`; each client of `llm-shell mcp --detach` has such a stream. The thread lives until
/// then.
fn end_when_idle(
    shell: Arc<Shell>,
    idle_max: Duration,
    shutdown: ShutdownTrigger,
) -> ops::Result<()> {
    let work = move || {
        let mut busy_at = Instant::now();
        while busy_at.elapsed() < idle_max {
            // Looks now and then, because the exact time does not matter to anyone.
            thread::sleep((idle_max / 10).min(IDLE_CHECK_INTERVAL));
            if shell.streams().counts().0 > 0 || !shell.runs().live().is_empty() {
                busy_at = Instant::now();
            }
        }
        log::info!("no clients and no runs for {} s", idle_max.as_secs());
        shutdown.fire();
    };
    let thread = thread::Builder::new().name("idle".to_owned()).spawn(work);
    thread.map(drop).map_err(|error| SystemError::new("start a thread", error).into())
}

/// Returns the meaning of SIGHUP without a tokens file.
fn shutdown_unless_ignored() -> Hangup {
    if process::hangup_is_ignored() { Hangup::NoShutdown } else { Hangup::Shutdown }
}

/// Serves the operations through `open`, which may start an HTTP server.
fn run_with(
    startup: Startup,
    hangup: Hangup,
    open: impl FnOnce(Arc<Shell>, &Settings, &SignalReceiver) -> ops::Result<Option<Arc<Server>>>,
) -> Result<(), StartError> {
    process::prepare()?;
    let requests = SignalReceiver::for_shutdown(hangup)?;
    let settings = startup.settings;
    let audit = audit(&settings)?;
    let folder = Arc::new(LogFolder::open(&settings.log_directory, keep(&settings))?);
    let cgroups = cgroups().ok();
    let writer = Arc::new(LogWriter::start(settings.line_bytes_max)?);
    let reaper = Arc::new(Reaper::start()?);
    let orphan_policy = OrphanPolicy::detect();
    let orphans = match orphan_policy {
        OrphanPolicy::Belong => Orphans::Strays(Arc::default()),
        OrphanPolicy::AreForeign => Orphans::Attributed,
    };
    let config = ManagerConfig {
        shell: settings.shell.clone(),
        environment: startup.environment.into(),
        directory: own_directory()?,
        kill_grace: settings.kill_timeout,
        cgroups: cgroups.clone(),
        orphans,
        numbering: Numbering::PerRun,
        metering: Metering::Own(Arc::default()),
        observer: Observer::default(),
    };
    crate::runs::recover(&[Arc::clone(&folder)], folder.lock_id());
    let (writer_of, reaper_of) = (Arc::clone(&writer), Arc::clone(&reaper));
    let runs = RunSet::new(config, folder, writer_of, reaper_of, settings.runs_max);
    let runs = Arc::new(runs);
    let config = ShellConfig {
        restart_timeout: settings.restart_timeout,
        clears_environment: settings.clears_environment,
        streams_max: settings.streams_max,
    };
    let shell = Arc::new(Shell::new(Arc::clone(&runs), config, audit.clone()));
    let server = open(shell, &settings, &requests)?;
    systemd::follow_shell(Arc::clone(&runs));
    let forced = Arc::clone(&runs);
    wait_for_end(requests, server.as_deref(), move || forced.force_shutdown());
    runs.shut_down();
    end_remaining(&reaper, orphan_policy);
    finish(&writer, server.as_deref(), cgroups.as_deref());
    audit.finish();
    Ok(())
}
