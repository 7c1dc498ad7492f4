//! Reports of ends that the log writer cannot make, because the disk is stalled.

use super::disk::STALL;
use super::end_notice::EndNotice;
use super::error::Result;
use super::stamp::Moment;
use super::wake::{CaptureKey, Token, epoll_to_wake, event};
use crate::error::SystemError;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Maximum number of events to take from the kernel at once.
const EVENTS_MAX: usize = 64;

/// Owner of the thread `log-ends`. It waits for the same ends as the log writer, and checks a
/// moment later whether that has reported them. If not, and the disk is stalled, it reports them
/// itself.
#[derive(Debug)]
pub struct EndWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    epoll: Epoll,
    wake: EventFd,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    next: CaptureKey,
    runs: HashMap<CaptureKey, (Arc<OwnedFd>, Arc<EndNotice>)>,
    is_over: bool,
}

/// An end that the log writer should report.
#[derive(Clone, Copy)]
struct Due {
    key: CaptureKey,
    at: Moment,
    check_at: Instant,
}

impl EndWatch {
    /// Starts the thread.
    ///
    /// # Errors
    /// `System` if a descriptor or a thread cannot be created.
    pub fn start() -> Result<Self> {
        let (epoll, wake) = epoll_to_wake()?;
        let shared = Arc::new(Shared { epoll, wake, watched: Mutex::default() });
        let works = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("log-ends".into())
            .stack_size(128 * 1024)
            .spawn(move || works.work())
            .map_err(|e| SystemError::new("start the watch over ends", e))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Watches a run until its end was reported. Does not block.
    pub fn add(&self, end: &Arc<OwnedFd>, notice: &Arc<EndNotice>) {
        let mut watched = self.shared.watched();
        let key = watched.next;
        watched.next += 1;
        watched.runs.insert(key, (Arc::clone(end), Arc::clone(notice)));
        drop(watched);
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT;
        if let Err(error) = self.shared.epoll.add(end, event(flags, Token::End(key))) {
            // The log writer reports it, unless the disk is stalled.
            log::warn!("cannot watch the end of a run apart from its output: {error}");
            self.shared.watched().runs.remove(&key);
        }
    }
}

impl Drop for EndWatch {
    fn drop(&mut self) {
        self.shared.watched().is_over = true;
        // It fails only when the counter is full, and then the thread is being woken anyway.
        let _full = self.shared.wake.write(1);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread log-ends panicked");
        }
    }
}

impl Shared {
    fn work(&self) {
        let mut events = [EpollEvent::empty(); EVENTS_MAX];
        let mut due: VecDeque<Due> = VecDeque::new();
        while !self.watched().is_over {
            let ready = match self.epoll.wait(&mut events, timeout(due.front())) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => return log::error!("cannot watch ends of runs: {error}"),
            };
            let check_at = Instant::now() + STALL;
            let keys = events[..ready].iter().filter_map(|event| match event.data().into() {
                Token::End(key) => Some(key),
                Token::Wake | Token::Output(_) => None,
            });
            due.extend(keys.map(|key| Due { key, at: Moment::now(), check_at }));
            while due.front().is_some_and(|due| due.check_at <= Instant::now()) {
                let again = due.pop_front().and_then(|it| self.check(it));
                due.extend(again);
            }
        }
    }

    /// Checks whether an end was reported. Returns it if it has to be checked again.
    fn check(&self, due: Due) -> Option<Due> {
        let (end, notice) = self.watched().runs.get(&due.key).cloned()?;
        if !notice.is_published() {
            if !notice.log().disk().is_stalled() {
                // The machine is slow, or the command has printed much.
                return Some(Due { check_at: Instant::now() + STALL, ..due });
            }
            log::error!(
                "disk not responding: {} is incomplete at the end of its run",
                notice.log().name()
            );
            notice.report_before_disk(due.at);
        }
        // It is in the set, so that this cannot fail.
        let _deleted = self.epoll.delete(&*end);
        self.watched().runs.remove(&due.key);
        None
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("runs", &self.watched().runs.len()).finish_non_exhaustive()
    }
}

fn timeout(first: Option<&Due>) -> EpollTimeout {
    let Some(first) = first else { return EpollTimeout::NONE };
    let left = first.check_at.saturating_duration_since(Instant::now());
    EpollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(EpollTimeout::MAX)
}
