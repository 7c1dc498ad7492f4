//! The dedicated writer thread: it reads output, appends it, and reports ends.

use super::capture::{CaptureState, NewCapture, Scratch};
use super::disk::{DiskMonitor, STALL};
use super::end_notice::{EndNotice, OnEnd};
use super::ends::EndWatch;
use super::error::Result;
use super::flush::Flush;
use super::run_log::RunLog;
use super::wake::{CaptureKey, Token, epoll_to_wake, event};
use crate::catch_panic::catch_panic;
use crate::error::SystemError;
use crate::syscall::is_readable;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::HashMap;
use std::mem;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Maximum number of events to take from the kernel at once.
const EVENTS_MAX: usize = 64;

/// Interval at which a run is polled that the kernel refuses to watch for us (no memory, or
/// `fs.epoll.max_user_watches` is reached), until it can be watched.
const UNWATCHED_INTERVAL: Duration = Duration::from_millis(50);

/// The thread's name in the report of a panic.
const THREAD_TITLE: &str = "The log writer";

/// A run whose output is to be captured.
pub struct Capture {
    /// Reading end of the pipe that the run writes to.
    pub output: OwnedFd,
    /// A descriptor that becomes readable when the run's own process has ended.
    pub end: Arc<OwnedFd>,
    /// The other side of a terminal, which is held open until then.
    pub terminal: Option<OwnedFd>,
    /// The log for its lines.
    pub log: Arc<RunLog>,
    /// Notified when the run has ended and its output is on disk, on the writer's thread; or, if
    /// the disk is stalled, a moment later on the thread `log-ends`.
    pub on_end: Arc<dyn OnEnd>,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").field("log", &self.log.name()).finish_non_exhaustive()
    }
}

/// Messages to the thread.
#[derive(Default)]
struct Inbox {
    captures: Vec<NewCapture>,
    flushes: Vec<Flush>,
    /// The time by which the thread must be done, once it is to end.
    end_by: Option<Instant>,
}

struct Shared {
    inbox: Mutex<Inbox>,
    wake: EventFd,
    /// Whether the thread has ended.
    is_done: Mutex<bool>,
    done: Condvar,
}

/// Owner of the thread `log-writer`.
#[derive(Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ends: EndWatch,
    /// The monitor of the disk that the logs are on, after the first capture.
    disk: OnceLock<Arc<DiskMonitor>>,
}

impl LogWriter {
    /// Starts the thread. Lines longer than `piece_bytes_max` bytes are stored in pieces.
    ///
    /// # Errors
    /// `System` if a descriptor or a thread cannot be created.
    pub fn start(piece_bytes_max: usize) -> Result<Self> {
        let (epoll, wake) = epoll_to_wake()?;
        let ends = EndWatch::start()?;
        let (is_done, done) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { inbox: Mutex::default(), wake, is_done, done });
        let writer = WriterLoop {
            epoll,
            shared: Arc::clone(&shared),
            captured: HashMap::new(),
            unwatched: Vec::new(),
            ending: Vec::new(),
            next: 0,
        };
        let thread = thread::Builder::new()
            .name("log-writer".into())
            .stack_size(256 * 1024)
            .spawn(move || {
                let shared = Arc::clone(&writer.shared);
                writer.work(&mut Scratch::new(piece_bytes_max));
                shared.set_done();
            })
            .map_err(|e| SystemError::new("start the log writer", e))?;
        let (thread, disk) = (Mutex::new(Some(thread)), OnceLock::new());
        Ok(Self { shared, thread, ends, disk })
    }

    /// Passes a run to the thread. Does not block.
    pub fn capture(&self, capture: Capture) {
        let Capture { output, end, terminal, log, on_end } = capture;
        self.disk.get_or_init(|| Arc::clone(log.disk()));
        let notice = Arc::new(EndNotice::new(on_end, Arc::clone(&log)));
        self.ends.add(&end, &notice);
        self.shared.inbox().captures.push(NewCapture { output, end, terminal, log, notice });
        self.shared.wake();
    }

    /// Writes to disk what a run has printed so far, its unfinished line included. That ends there:
    /// what the run prints next begins a new line. Blocks until the thread has done that; returns
    /// false if that takes until `deadline`, or the disk is stalled.
    pub fn flush(&self, log: &Arc<RunLog>, deadline: Instant) -> bool {
        let (flush, pending) = Flush::new(log);
        self.shared.inbox().flushes.push(flush);
        self.shared.wake();
        pending.wait(deadline, || log.disk().is_stalled())
    }

    /// Ends the thread when all its captures have ended, or after `within`; what the pipes hold
    /// then is still written to disk. Blocks until it has ended, or until then if the disk is
    /// stalled: the thread is then left waiting for that.
    pub fn finish(&self, within: Duration) {
        self.end_by(Instant::now() + within);
    }

    fn end_by(&self, end_by: Instant) {
        let thread = self.thread.lock().take();
        let Some(thread) = thread else { return };
        self.shared.inbox().end_by = Some(end_by);
        self.shared.wake();
        if !self.wait_until_done(end_by) {
            return log::error!("disk not responding: unwritten output is lost");
        }
        if thread.join().is_err() {
            log::error!("the log writer panicked");
        }
    }
}

impl LogWriter {
    /// Waits for the end of the thread. Returns false if `end_by` is over and the disk is stalled.
    fn wait_until_done(&self, end_by: Instant) -> bool {
        let mut is_done = self.shared.is_done.lock();
        while !*is_done {
            let is_stalled = self.disk.get().is_some_and(|disk| disk.is_stalled());
            if is_stalled && Instant::now() >= end_by {
                return false;
            }
            self.shared.done.wait_for(&mut is_done, STALL);
        }
        true
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.end_by(Instant::now());
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock()
    }

    fn set_done(&self) {
        *self.is_done.lock() = true;
        self.done.notify_all();
    }

    fn wake(&self) {
        // It fails only when the counter is full, and then the thread is being woken anyway.
        let _full = self.wake.write(1);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// The state of the thread.
struct WriterLoop {
    epoll: Epoll,
    shared: Arc<Shared>,
    /// Boxed, because the table would hold twice their size in each empty slot.
    captured: HashMap<CaptureKey, Box<CaptureState>>,
    /// Keys of the captures that the kernel does not watch.
    unwatched: Vec<CaptureKey>,
    /// Keys of the captures whose own process has ended while others hold their output.
    ending: Vec<CaptureKey>,
    next: CaptureKey,
}

impl WriterLoop {
    fn work(mut self, scratch: &mut Scratch) {
        let mut events = [EpollEvent::empty(); EVENTS_MAX];
        loop {
            let end_by = self.take_inbox(scratch);
            if end_by.is_some_and(|by| self.captured.is_empty() || by <= Instant::now()) {
                break;
            }
            self.poll_unwatched(scratch);
            self.report_due_ends(scratch);
            let ready = match self.epoll.wait(&mut events, self.timeout(end_by)) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    log::error!("log writer cannot wait for output: {error}");
                    break;
                }
            };
            let ready_events = events[..ready].iter();
            let delays =
                ready_events.map(|event| self.handle_or_recover(event.data().into(), scratch));
            let delay = delays.max().unwrap_or_default();
            // With several runs, reading the others already delays each of them.
            if ready == 1 && !delay.is_zero() {
                thread::sleep(delay);
            }
        }
        for captured in self.captured.values_mut() {
            let _panicked = catch_panic(THREAD_TITLE, || captured.give_up(scratch));
        }
    }

    /// Takes the messages; returns when to be done, if the thread is to end.
    fn take_inbox(&mut self, scratch: &mut Scratch) -> Option<Instant> {
        // This only resets the counter, which may be zero already.
        let _zero = self.shared.wake.read();
        let (captures, flushes, end_by) = {
            let mut inbox = self.shared.inbox();
            let inbox = &mut *inbox;
            (mem::take(&mut inbox.captures), mem::take(&mut inbox.flushes), inbox.end_by)
        };
        for capture in captures {
            self.begin(CaptureState::begin(capture));
        }
        for flush in flushes {
            self.flush(&flush.log, scratch);
        }
        end_by
    }

    /// Writes what a run has printed so far, unless its output has ended.
    fn flush(&mut self, log: &RunLog, scratch: &mut Scratch) {
        let mut all = self.captured.values_mut();
        let Some(captured) = all.find(|captured| captured.has_log(log)) else { return };
        if catch_panic(THREAD_TITLE, || captured.flush(scratch)).is_none() {
            captured.write_gap_notice(false);
        }
    }

    fn begin(&mut self, captured: CaptureState) {
        let key = self.next;
        self.next += 1;
        if let Err(error) = self.watch(key, &captured) {
            log::error!("cannot watch {captured:?}, falling back to polling: {error}");
            self.unwatched.push(key);
        }
        self.captured.insert(key, Box::new(captured));
    }

    fn watch(&self, key: CaptureKey, captured: &CaptureState) -> nix::Result<()> {
        let watch = |descriptor: Option<BorrowedFd<'_>>, token| {
            let add = |fd| self.epoll.add(fd, event(EpollFlags::EPOLLIN, token));
            match descriptor.map_or(Ok(()), add) {
                // An earlier attempt added this descriptor before it failed at the other one.
                Err(Errno::EEXIST) => Ok(()),
                added => added,
            }
        };
        watch(captured.output(), Token::Output(key))?;
        watch(captured.end(), Token::End(key))
    }

    fn poll_unwatched(&mut self, scratch: &mut Scratch) {
        for key in mem::take(&mut self.unwatched) {
            let Some(captured) = self.captured.get_mut(&key) else { continue };
            let has_ended = captured.end().is_some_and(is_readable);
            let take = || {
                captured.take_output(scratch);
                if has_ended {
                    captured.take_end(scratch);
                }
            };
            if catch_panic(THREAD_TITLE, take).is_none() {
                captured.write_gap_notice(has_ended);
            }
            if captured.report_by().is_some() {
                self.ending.push(key);
            }
            if captured.is_over() {
                self.captured.remove(&key);
            } else if self.captured.get(&key).is_some_and(|it| self.watch(key, it).is_err()) {
                self.unwatched.push(key);
            }
        }
    }

    /// Reports the ends whose output others have held for long enough.
    fn report_due_ends(&mut self, scratch: &mut Scratch) {
        let now = Instant::now();
        for key in mem::take(&mut self.ending) {
            let Some(captured) = self.captured.get_mut(&key) else { continue };
            match captured.report_by() {
                // Reported already, because nobody holds it any more.
                None => {}
                Some(by) if by > now => self.ending.push(key),
                Some(_) => {
                    if catch_panic(THREAD_TITLE, || captured.finish_end(scratch)).is_none() {
                        captured.write_gap_notice(true);
                    }
                    if captured.is_over() {
                        self.captured.remove(&key);
                    }
                }
            }
        }
    }

    fn timeout(&self, end_by: Option<Instant>) -> EpollTimeout {
        let left = end_by.map(|by| by.saturating_duration_since(Instant::now()));
        let poll = (!self.unwatched.is_empty()).then_some(UNWATCHED_INTERVAL);
        let endings = self.ending.iter().filter_map(|key| self.captured.get(key)?.report_by());
        let endings = endings.map(|by| by.saturating_duration_since(Instant::now()));
        let first = left.into_iter().chain(poll).chain(endings).min();
        let Some(first) = first else { return EpollTimeout::NONE };
        EpollTimeout::try_from(first + Duration::from_millis(1)).unwrap_or(EpollTimeout::MAX)
    }

    /// Calls `handle` and catches its panics: a panic costs its own run a part of the output, and
    /// no other run anything.
    fn handle_or_recover(&mut self, token: Token, scratch: &mut Scratch) -> Duration {
        catch_panic(THREAD_TITLE, || self.handle(token, scratch)).unwrap_or_else(|| {
            let (Token::Output(key) | Token::End(key)) = token else { return Duration::ZERO };
            if let Some(captured) = self.captured.get_mut(&key) {
                captured.write_gap_notice(token == Token::End(key));
                if captured.is_over() {
                    self.captured.remove(&key);
                }
            }
            Duration::ZERO
        })
    }

    /// Handles one event and returns how long to wait before the next read.
    fn handle(&mut self, token: Token, scratch: &mut Scratch) -> Duration {
        let (Token::Output(key) | Token::End(key)) = token else { return Duration::ZERO };
        let Some(captured) = self.captured.get_mut(&key) else { return Duration::ZERO };
        let mut delay = Duration::ZERO;
        if token == Token::Output(key) {
            // The pipe leaves the epoll set when it is closed: nobody else has our end.
            delay = captured.take_output(scratch);
        } else {
            // Whoever launched the run keeps a descriptor of its end, so this one must be removed.
            // It is in the set, so that this cannot fail.
            let _deleted = captured.end().map(|end| self.epoll.delete(end));
            captured.take_end(scratch);
            if captured.report_by().is_some() {
                self.ending.push(key);
            }
        }
        if captured.is_over() {
            self.captured.remove(&key);
        }
        delay
    }
}
