//! State of one check between its probes: what is still in progress of the last one.
//!
//! A probe gives up when its time is over, but the resolver of the system has no deadline, and a
//! command may be held in the kernel. While that lasts no second one is started beside it.

use crate::process::Leader;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{io, thread};
use ureq::Agent;

/// The state of one check between its probes. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Prober(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// Signalled with `state` when the resolver has answered.
    changed: Condvar,
    agent: OnceLock<Agent>,
}

#[derive(Debug, Default)]
struct State {
    is_resolving: bool,
    /// A command that could not be ended.
    remains: Option<Arc<Leader>>,
}

impl Prober {
    /// Returns the process of the last probe, if it is still there: then no command may be started.
    pub(super) fn remaining_pid(&self) -> Option<i32> {
        let mut state = self.lock();
        state.remains = state.remains.take().filter(|leader| !leader.has_ended());
        state.remains.as_ref().map(|leader| leader.pid())
    }

    /// Keeps a command that could not be ended.
    pub(super) fn keep_remaining(&self, leader: Arc<Leader>) {
        self.lock().remains = Some(leader);
    }

    /// Returns the HTTP client of this check.
    pub(super) fn agent(&self, make: impl FnOnce() -> Agent) -> &Agent {
        self.0.agent.get_or_init(make)
    }

    /// Resolves a host. Blocks for `within` at most. Names are resolved in a thread, of which there
    /// is one at a time: it ends when the resolver of the system answers.
    ///
    /// # Errors
    /// `TimedOut`, and the errors of the resolver.
    pub(super) fn resolve(
        &self,
        host: &str,
        port: u16,
        within: Duration,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let deadline = Instant::now() + within;
        let mut state = self.wait_while_resolving(deadline);
        if state.is_resolving {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let answer = Arc::new(Mutex::new(None));
        let (prober, name, reply) = (self.clone(), host.to_owned(), Arc::clone(&answer));
        let resolve = move || {
            let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            *reply.lock() = Some(found);
            prober.lock().is_resolving = false;
            prober.0.changed.notify_all();
        };
        let thread = thread::Builder::new().name("probe-resolve".into()).stack_size(256 * 1024);
        thread.spawn(resolve)?;
        state.is_resolving = true;
        drop(state);
        drop(self.wait_while_resolving(deadline));
        let found = answer.lock().take();
        found.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }

    fn wait_while_resolving(&self, deadline: Instant) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        self.0.changed.wait_while_until(&mut state, |state| state.is_resolving, deadline);
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalled_resolver_is_asked_once() {
        let prober = Prober::default();
        // As if a lookup were in progress.
        prober.lock().is_resolving = true;
        let began = Instant::now();
        for _ in 0..3 {
            let refused = prober.resolve("localhost", 1, Duration::from_millis(20)).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        }
        assert!(began.elapsed() >= Duration::from_millis(60));
        assert!(
            prober.resolve("127.0.0.1", 1, Duration::ZERO).is_ok(),
            "an address needs no lookup"
        );
        prober.lock().is_resolving = false;
        assert!(prober.resolve("localhost", 1, Duration::from_secs(20)).is_ok());
    }
}
