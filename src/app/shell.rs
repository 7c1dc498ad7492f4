//! The LLM Shell, from startup to shutdown.

use super::{
    StartError, Startup, at_each_hangup, audit, cgroups, end_remaining, finish, guard, keep,
    own_directory, reload_tokens, serve, systemd, wait_for_end,
};
use crate::api;
use crate::error::SystemError;
use crate::logs::{LogFolder, LogWriter};
use crate::mcp::{self, Toolbox};
use crate::ops::{self, Shell, ShellConfig};
use crate::process::{self, OrphanPolicy, Orphans, Reaper};
use crate::protocol::Scope;
use crate::runs::{ManagerConfig, Metering, Numbering, Observer, RunSet};
use crate::settings::Settings;
use crate::shutdown::{Hangup, SignalReceiver};
use http1::{Listener, Server};
use std::sync::Arc;

/// Serves until a shutdown signal arrives; then ends what is running and closes the logs. Blocks
/// until then.
///
/// # Errors
/// Startup failures of the machine; a tokens file or an audit file that cannot be used.
pub fn run(startup: Startup, listener: Listener) -> Result<(), StartError> {
    let guard = Arc::new(guard(&startup.settings, &listener.place(), Scope::Run)?);
    let tokens_file = startup.settings.tokens_file.clone();
    let reloads = tokens_file.map(|path| Ok((path, SignalReceiver::for_reload()?)));
    let reloads = reloads.transpose().map_err(|error: SystemError| StartError::from(error))?;
    let hangup = match &reloads {
        Some(_) => Hangup::NoShutdown,
        None => shutdown_unless_ignored(),
    };
    run_with(startup, hangup, |shell, settings, _| {
        if let Some((path, reloads)) = reloads {
            let guard = Arc::clone(&guard);
            at_each_hangup(reloads, move || reload_tokens(&path, &guard))?;
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
pub fn run_inside(startup: Startup) -> Result<(), StartError> {
    run_with(startup, shutdown_unless_ignored(), |shell, _, requests| {
        super::mcp::serve_tools(Toolbox::shell(shell).for_one_client(), requests).map(|()| None)
    })
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
