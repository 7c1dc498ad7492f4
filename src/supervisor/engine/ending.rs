//! Ending trees, each on a thread of its own: one that takes its time holds up no other.

use super::{Engine, Message};
use crate::guarded::guarded;
use crate::manager::{EndedBy, Ending, ProcessManager};
use crate::process::{LeftBehind, Signal};
use crate::supervisor::life::{Action, ServiceState};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

impl Engine {
    /// Ends the tree of a service's run, with its stop signal.
    pub(super) fn end(&mut self, name: &str, by: EndedBy) {
        let Some(entry) = self.entries.get(name) else { return };
        let config = &entry.launched_by;
        let is_forced = config.stop_signal == Signal::KILL;
        let grace = if is_forced { Duration::ZERO } else { config.stop_timeout };
        let ending = Ending { by, signal: config.stop_signal, grace };
        let (manager, outbox) = (Arc::clone(entry.it.manager()), self.outbox.clone());
        let service = name.to_owned();
        let work = move || {
            let what = format_args!("The ending of {service}");
            let left = guarded(what, || end_for_certain(&manager, ending)).unwrap_or_default();
            // An engine that is gone needs to know nothing.
            let _gone = outbox.send(Message::TreeGone { service, left });
        };
        let thread = thread::Builder::new().name("ending".into()).stack_size(128 * 1024);
        if let Err(error) = thread.spawn(work) {
            log::error!("there is no thread to end {name} with, everything waits: {error}");
            let left = end_for_certain(entry.it.manager(), ending);
            self.tree_gone(name, &left);
        }
    }

    /// The tree of a run is ended, as was wanted.
    pub(super) fn tree_gone(&mut self, name: &str, left: &[LeftBehind]) {
        let Some(entry) = self.entries.get_mut(name) else { return };
        let action = entry.life.tree_gone(&entry.config.restart_policy, Instant::now());
        let left: Vec<String> =
            left.iter().map(|left| format!("process {} ({})", left.pid, left.why)).collect();
        let message = match action {
            Some(Action::Launch | Action::Await) => "It has ended and is started again.".to_owned(),
            None if entry.life.state() == ServiceState::Fatal => {
                format!("Its health checks failed. {}", self.next_try(name))
            }
            Some(Action::WakeAt(_)) => format!("Its health checks failed. {}", self.next_try(name)),
            _ if left.is_empty() => "It was stopped.".to_owned(),
            _ => format!("It was stopped, and could not end {}.", left.join(", ")),
        };
        self.tell(name, &message);
        self.perform(name, action);
        self.go_on_shutting_down();
    }
}

/// Ends a tree and comes back when the run's own process is dead: one that the kernel holds on to
/// is not said to be stopped. Gives what else could not be ended.
fn end_for_certain(manager: &ProcessManager, ending: Ending) -> Vec<LeftBehind> {
    loop {
        match manager.end(ending) {
            Ok(report) if report.end.is_none() => {}
            Ok(report) => return report.left,
            // It had ended by itself meanwhile, with all that it had started.
            Err(_) => return Vec::new(),
        }
    }
}
