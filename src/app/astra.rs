//! Astra, from startup to shutdown.

use super::{
    StartError, Startup, at_each_hangup, audit, cgroups, end_remaining, finish, guard, keep,
    own_directory, reload_tokens, serve, systemd, wait_for_end,
};
use crate::api;
use crate::logs::{FolderLock, LogFolder, LogWriter};
use crate::mcp;
use crate::ops;
use crate::process::{self, OrphanPolicy, Reaper};
use crate::protocol::Scope;
use crate::settings;
use crate::shutdown::{Hangup, ShutdownTrigger, SignalReceiver};
use crate::supervisor::services_file::check_limits;
use crate::supervisor::{OnFatal, Service, ServicesFile, Supervisor, SupervisorContext};
use http1::Listener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The reason why supervision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A shutdown was requested.
    Requested,
    /// A required service gave up.
    GivenUp,
}

/// The services to supervise.
#[derive(Debug)]
pub struct Services {
    /// The services file.
    pub file: PathBuf,
    /// The services in it.
    pub services: Vec<Service>,
    /// Whether to shut down when a required service gives up.
    pub exit_on_fatal: bool,
}

/// Reads the services file.
///
/// # Errors
/// `File` with all errors of the file.
pub fn read_services(
    file: &Path,
    startup: &Startup,
) -> std::result::Result<ServicesFile, StartError> {
    if settings::is_writable_by_others(file) {
        log::warn!("other users can write {} and so choose what is run", file.display());
    }
    Ok(ServicesFile::read(file, &startup.environment)?)
}

/// Supervises until a shutdown signal arrives, or a required service gives up and that ends the
/// server; then stops all services in order. Blocks until then.
///
/// # Errors
/// Startup failures of the machine, and limits of services that cannot be enforced on it.
pub fn supervise(
    startup: Startup,
    listener: Listener,
    services: Services,
) -> std::result::Result<Ended, StartError> {
    process::prepare()?;
    process::raise_descriptor_limit();
    let requests = SignalReceiver::for_shutdown(Hangup::NoShutdown)?;
    let reloads = SignalReceiver::for_reload()?;
    let settings = startup.settings;
    let guard = Arc::new(guard(&settings, &listener.place(), Scope::Operate)?);
    let audit = audit(&settings)?;
    let lock = Arc::new(FolderLock::take(&settings.log_directory)?);
    let cgroups = cgroups();
    let divided = cgroups.as_ref().ok().cloned();
    let held = check_limits(&services.services, &cgroups);
    held.map_err(|faults| faults.in_file(&services.file.display().to_string()))?;
    let writer = Arc::new(LogWriter::start(settings.line_bytes_max)?);
    let (is_fatal, trigger) = (Arc::new(AtomicBool::new(false)), requests.trigger()?);
    let noted = Arc::clone(&is_fatal);
    let (orphan_policy, reaper) = (OrphanPolicy::detect(), Arc::new(Reaper::start()?));
    let on_fatal = move || request_shutdown(&noted, &trigger);
    let context = SupervisorContext {
        shell: settings.shell.clone(),
        environment: startup.environment.into(),
        directory: own_directory()?,
        log_directory: settings.log_directory.clone(),
        lock: Arc::clone(&lock),
        keep: keep(&settings),
        writer: Arc::clone(&writer),
        reaper: Arc::clone(&reaper),
        cgroups,
        on_fatal: OnFatal(services.exit_on_fatal.then(|| Box::new(on_fatal) as _)),
    };
    let logs = LogFolder::all_under(&lock, &settings.log_directory, keep(&settings))?;
    crate::runs::recover(&logs, lock.id());
    let supervisor = Arc::new(Supervisor::start(context, services.file, services.services)?);
    let (tokens_file, reloaded) = (settings.tokens_file.clone(), Arc::clone(&supervisor));
    let guarded = Arc::clone(&guard);
    at_each_hangup(reloads, move || {
        if let Some(path) = &tokens_file {
            reload_tokens(path, &guarded);
        }
        reload_services(&reloaded);
    })?;
    let streams_max = settings.streams_max;
    let ops = ops::Services::new(Arc::clone(&supervisor), streams_max, audit.clone());
    let ops = Arc::new(ops);
    let mcp = Box::new(mcp::handler(mcp::Toolbox::services(Arc::clone(&ops))));
    let router = api::router(ops, guard, mcp);
    let server = serve(listener, router, "/supervisor/status", &settings)?;
    systemd::follow_services(Arc::clone(&supervisor));
    let forced = Arc::clone(&supervisor);
    wait_for_end(requests, Some(&server), move || forced.force_shutdown());
    supervisor.shut_down();
    end_remaining(&reaper, orphan_policy);
    finish(&writer, Some(&server), divided.as_deref());
    audit.finish();
    let failed = is_fatal.load(Ordering::SeqCst);
    Ok(if failed { Ended::GivenUp } else { Ended::Requested })
}

/// Requests a shutdown because a required service gave up.
fn request_shutdown(is_fatal: &AtomicBool, trigger: &ShutdownTrigger) {
    if !is_fatal.swap(true, Ordering::SeqCst) {
        log::error!("a required service gave up: shutting down");
        trigger.fire();
    }
}

/// Reads the services file again.
fn reload_services(supervisor: &Supervisor) {
    match supervisor.reload(None) {
        Ok(reloaded) => log::info!("{}", reloaded.message),
        Err(error) => log::error!("reload failed, nothing changed: {error}"),
    }
}
