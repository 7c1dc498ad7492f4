//! Launching runs, one after the other, on a thread that lives as long as the supervisor.
//!
//! The kernel counts a process as the child of the thread that launched it, and hands orphans to
//! the main thread: whoever looks for orphans then has no thousand services to look through.

use super::{Engine, Message};
use crate::error::{Error, Result};
use crate::guarded::guarded;
use crate::logs::Keep;
use crate::manager::{EndedBy, Ending};
use crate::supervisor::services_file::ServiceConfig;
use crate::supervisor::supervised::Supervised;
use crate::supervisor::tools::Tools;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// A run to be launched.
struct Launch {
    it: Arc<Supervised>,
    config: Arc<ServiceConfig>,
    keep: Keep,
    /// Whether a stop came before it took place.
    is_cancelled: Arc<AtomicBool>,
}

/// Owner of the thread `launcher`, which ends when this is dropped.
pub struct Launcher(Sender<Launch>);

impl Launcher {
    /// Starts the thread, which tells `outbox` of each launch.
    ///
    /// # Errors
    /// `Kernel` when a thread cannot be had.
    pub fn start(outbox: Sender<Message>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new()
            .name("launcher".into())
            .stack_size(256 * 1024)
            .spawn(move || work(&receiver, &outbox))
            .map_err(|error| Error::kernel("start the launcher", error))?;
        Ok(Self(sender))
    }
}

fn work(launches: &Receiver<Launch>, outbox: &Sender<Message>) {
    for launch in launches {
        if launch.it.last_run().is_none_or(|run| run.is_gone()) {
            launch.tell_result(outbox);
            continue;
        }
        // What the last run left behind is ended first, and that nobody else waits for.
        let (apart, service) = (outbox.clone(), launch.it.name().to_owned());
        let thread = thread::Builder::new().name("launcher-apart".into());
        let spawned = thread.stack_size(256 * 1024).spawn(move || {
            launch.end_leftovers();
            launch.tell_result(&apart);
        });
        if let Err(error) = spawned {
            let result = Err(Error::kernel("start a thread that ends what it left behind", error));
            // An engine that is gone needs to know nothing.
            let _gone = outbox.send(Message::Launched { service, result });
        }
    }
}

impl Launch {
    fn tell_result(&self, outbox: &Sender<Message>) {
        self.it.manager().keep_logs_to(self.keep);
        let launch =
            || Tools::run_spec(&self.config).and_then(|spec| self.it.manager().start(&spec));
        let started = if self.is_cancelled.load(Ordering::SeqCst) {
            Err(Error::RestartCancelled)
        } else {
            let what = format_args!("The launch of {}", self.it.name());
            guarded(what, launch).unwrap_or(Err(Error::Panicked))
        };
        let result = started.map(|snapshot| snapshot.run_id);
        // An engine that is gone needs to know nothing.
        let _gone = outbox.send(Message::Launched { service: self.it.name().to_owned(), result });
    }

    /// Ends what the last run left behind, as a stop would.
    fn end_leftovers(&self) {
        let (signal, grace) = (self.config.stop_signal, self.config.stop_timeout);
        // What cannot be ended is named by the manager, which goes on all the same.
        let _left = self.it.manager().end(Ending { by: EndedBy::Restart, signal, grace });
    }
}

impl Engine {
    pub(super) fn launch(&mut self, name: &str) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        if entry.life.restarts() > entry.restarts_launched {
            entry.restarts_launched = entry.life.restarts();
            entry.last_restart = Some(chrono::Utc::now());
        }
        entry.launched_by = Arc::clone(&entry.config);
        let (it, config) = (Arc::clone(&entry.it), Arc::clone(&entry.config));
        let is_cancelled = Arc::new(AtomicBool::new(false));
        entry.is_launch_cancelled = Arc::clone(&is_cancelled);
        let launch = Launch { keep: self.tools.keep_of(&config), it, config, is_cancelled };
        if self.launcher.0.send(launch).is_err() {
            let source = std::io::Error::other("the launcher has ended");
            let result = Err(Error::kernel("launch it", source));
            // To ourselves: what was begun has to come to an end.
            let _open = self.outbox.send(Message::Launched { service: name.to_owned(), result });
        }
    }
}
