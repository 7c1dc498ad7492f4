//! The LLM Shell, from startup to shutdown.

use super::{
    Startup, cgroups, end_remaining, finish, guard, keep, own_directory, serve, systemd,
    wait_for_end,
};
use crate::api;
use crate::error::Result;
use crate::logs::{LogFolder, LogWriter};
use crate::mcp::{self, Toolbox};
use crate::ops::Shell;
use crate::process::{self, OrphanPolicy, Reaper};
use crate::runs::{ManagerConfig, Metering, Numbering, OnEnd, ProcessManager};
use crate::settings::Settings;
use crate::shutdown::{Hangup, SignalReceiver};
use http1::{Listener, Server};
use std::sync::Arc;

/// Serves until a shutdown signal arrives; then ends what is running and closes the logs. Blocks
/// until then.
///
/// # Errors
/// Startup failures of the machine.
pub fn run(startup: Startup, listener: Listener) -> Result<()> {
    run_with(startup, |shell, settings, _| {
        let guard = Arc::new(guard(settings, &listener.place()));
        let mcp = Box::new(mcp::handler(Toolbox::shell(Arc::clone(&shell))));
        let router = api::router(shell, guard, mcp);
        serve(listener, router, "/status", settings).map(Some)
    })
}

/// Serves one client of the Model Context Protocol on stdin and stdout, until that ends or a
/// shutdown signal arrives; then ends what is running and closes the logs. Blocks until then.
///
/// # Errors
/// Startup failures of the machine.
pub fn run_inside(startup: Startup) -> Result<()> {
    run_with(startup, |shell, _, requests| {
        super::mcp::serve_tools(Toolbox::shell(shell), requests).map(|()| None)
    })
}

/// Serves the operations through `open`, which may start an HTTP server.
fn run_with(
    startup: Startup,
    open: impl FnOnce(Arc<Shell>, &Settings, &SignalReceiver) -> Result<Option<Arc<Server>>>,
) -> Result<()> {
    process::prepare()?;
    let ignored = process::hangup_is_ignored();
    let requests =
        SignalReceiver::for_shutdown(if ignored { Hangup::NoShutdown } else { Hangup::Shutdown })?;
    let settings = startup.settings;
    let folder = Arc::new(LogFolder::open(&settings.log_directory, keep(&settings))?);
    let cgroups = cgroups().ok();
    let writer = Arc::new(LogWriter::start(settings.line_bytes_max)?);
    let reaper = Arc::new(Reaper::start()?);
    let orphan_policy = OrphanPolicy::of_one_command();
    let config = ManagerConfig {
        shell: settings.shell.clone(),
        environment: startup.environment.into(),
        directory: own_directory()?,
        kill_grace: settings.kill_timeout,
        cgroups: cgroups.clone(),
        orphan_policy,
        numbering: Numbering::PerRun,
        metering: Metering::Own(Arc::default()),
        on_end: OnEnd::default(),
    };
    let (folder_of, writer_of) = (Arc::clone(&folder), Arc::clone(&writer));
    let manager = ProcessManager::new(config, folder_of, writer_of, Arc::clone(&reaper));
    let manager = Arc::new(manager);
    crate::runs::recover(&[Arc::clone(&folder)], folder.lock_id());
    let (restart_timeout, streams_max) = (settings.restart_timeout, settings.streams_max);
    let shell = Arc::new(Shell::new(Arc::clone(&manager), restart_timeout, streams_max));
    let server = open(shell, &settings, &requests)?;
    systemd::follow_shell(Arc::clone(&manager));
    let forced = Arc::clone(&manager);
    wait_for_end(requests, server.as_deref(), move || forced.force_shutdown());
    manager.shut_down();
    end_remaining(&reaper, orphan_policy);
    finish(&writer, server.as_deref(), cgroups.as_deref());
    Ok(())
}
