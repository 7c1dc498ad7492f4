//! What one check keeps from one look to the next: what is still under way of the last one.
//!
//! A look gives up when its time is over, but the resolver of the system knows no deadline, and a
//! command may be held in the kernel. As long as that lasts no second one is begun beside it.

use crate::process::Leader;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{io, thread};
use ureq::Agent;

/// What one check keeps from one look to the next. A clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Prober(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    /// Goes with `state`: the resolver has answered.
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
    /// Why no command may be begun now: the process of the last one is still there.
    pub(super) fn remaining_pid(&self) -> Option<i32> {
        let mut state = self.lock();
        state.remains = state.remains.take().filter(|leader| !leader.has_ended());
        state.remains.as_ref().map(|leader| leader.pid())
    }

    /// Takes note of a command that could not be ended.
    pub(super) fn keep_remaining(&self, leader: Arc<Leader>) {
        self.lock().remains = Some(leader);
    }

    /// What asks URLs for this check.
    pub(super) fn agent(&self, make: impl FnOnce() -> Agent) -> &Agent {
        self.0.agent.get_or_init(make)
    }

    /// The addresses of a host. Blocks for `within` at most. Names are asked for in a thread, of
    /// which there is one at a time: it ends when the resolver of the system answers.
    ///
    /// # Errors
    /// `TimedOut`, and what the resolver said.
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
    fn a_resolver_that_does_not_answer_is_asked_once() {
        let prober = Prober::default();
        // As if it had been asked and had not answered.
        prober.lock().is_resolving = true;
        let began = Instant::now();
        for _ in 0..3 {
            let refused = prober.resolve("localhost", 1, Duration::from_millis(20)).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        }
        assert!(began.elapsed() >= Duration::from_millis(60));
        assert!(prober.resolve("127.0.0.1", 1, Duration::ZERO).is_ok(), "nobody is asked");
        prober.lock().is_resolving = false;
        assert!(prober.resolve("localhost", 1, Duration::from_secs(20)).is_ok());
    }
}
