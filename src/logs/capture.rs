//! One run's output on its way to disk.

use super::append::Appender;
use super::block::{BLOCK_MARGIN, Encoder, LastPiece};
use super::end_notice::EndNotice;
use super::pace::Pace;
use super::run_log::RunLog;
use super::stamp::{LogClock, Moment, Stamp};
use crate::catch_panic::catch_panic;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much is read at once, in bytes. Measured: a larger buffer gains nothing.
const READ_BYTES: usize = 256 * 1024;

/// How much of a terminal's output is taken at the end of a run, in bytes: far more than it holds.
/// How much it holds cannot be asked, because some of it is still on its way through the kernel; a
/// read waits for that.
const TERMINAL_BYTES: usize = 1024 * 1024;

/// How long the end of a run waits for other processes that hold its output, such as the `tee` of
/// `exec > >(tee log)`: they have its last lines still.
const HOLDERS_TIMEOUT: Duration = Duration::from_millis(100);

/// How much they may print meanwhile, in bytes: more than all pipes between them and the run hold.
/// What prints more has lines of its own, and could push those of the run out of a full log.
const HOLDERS_BYTES: usize = 1024 * 1024;

/// How often the taking of one run's output may panic before it is given up: what panics without
/// having read would do so for ever.
const PANICS_MAX: u32 = 100;

/// What the writer's thread works with, shared by all that it captures.
#[derive(Debug)]
pub struct Scratch {
    buffer: Vec<u8>,
    encoder: Encoder,
}

impl Scratch {
    /// A scratch for lines that are stored in pieces of at most `piece_bytes_max` bytes.
    pub fn new(piece_bytes_max: usize) -> Self {
        let buffer = vec![0; piece_bytes_max + 1 + READ_BYTES + BLOCK_MARGIN];
        Self { buffer, encoder: Encoder::new(piece_bytes_max) }
    }
}

/// A run that is handed to the writer thread, to be captured.
pub struct NewCapture {
    pub output: OwnedFd,
    pub end: Arc<OwnedFd>,
    pub terminal: Option<OwnedFd>,
    pub log: Arc<RunLog>,
    pub notice: Arc<EndNotice>,
}

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadOutcome {
    Bytes(usize),
    /// Nothing now; something may come.
    Nothing,
    /// Nothing more will come: nobody holds the other end.
    End,
}

/// An end that was seen and is not told, because others hold the output.
#[derive(Clone, Copy, Debug)]
struct SeenEnd {
    at: Moment,
    /// When it is to be told at the latest.
    report_by: Instant,
    bytes_left: usize,
}

/// A run whose output is being captured. Two things end, in any order: the output, when nobody
/// holds the pipe any more, and the run, when its own process ends.
pub struct CaptureState {
    output: Option<File>,
    end: Option<Arc<OwnedFd>>,
    notice: Arc<EndNotice>,
    /// The other side of a terminal, until the run's own process has ended.
    terminal: Option<OwnedFd>,
    /// That end, where it is not told yet.
    ended: Option<SeenEnd>,
    appender: Appender,
    /// What was read of a line that has not ended.
    held: Vec<u8>,
    /// Whether it is a terminal's side, and no pipe.
    is_terminal: bool,
    clock: LogClock,
    pace: Pace,
    read_at: Instant,
    /// How often taking its output has panicked.
    panics: u32,
}

impl CaptureState {
    /// Takes over the descriptors of a new run.
    pub fn begin(capture: NewCapture) -> Self {
        // What could not be written of its start while the disk did not answer.
        capture.notice.log().save_ledger();
        // Our end alone becomes non-blocking: the command has the other end, a description of its
        // own. Were it refused, the readiness of the descriptor would still keep us from waiting.
        let _blocks = fcntl(&capture.output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        let is_terminal = nix::unistd::isatty(&capture.output).unwrap_or(false);
        Self {
            output: Some(File::from(capture.output)),
            end: Some(capture.end),
            terminal: capture.terminal,
            ended: None,
            appender: Appender::new(capture.log),
            notice: capture.notice,
            held: Vec::new(),
            is_terminal,
            clock: LogClock::new(),
            pace: Pace::new(),
            read_at: Instant::now(),
            panics: 0,
        }
    }

    /// The pipe, until it ends.
    pub fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// The descriptor that tells the run's end, until that was seen.
    pub fn end(&self) -> Option<BorrowedFd<'_>> {
        self.end.as_ref().map(AsFd::as_fd)
    }

    /// Whether both have ended.
    pub fn is_over(&self) -> bool {
        self.output.is_none() && self.end.is_none() && self.ended.is_none()
    }

    /// When an end that was seen is to be told at the latest; `None` where there is none.
    pub fn report_by(&self) -> Option<Instant> {
        self.ended.map(|ended| ended.report_by)
    }

    /// Takes what one read brings to disk, and gives how long to rest before the next. Does not
    /// wait for output. At the pipe's end `output` becomes `None`.
    pub fn take_output(&mut self, scratch: &mut Scratch) -> Duration {
        let before = self.read_at;
        match self.read(scratch, READ_BYTES) {
            ReadOutcome::Bytes(bytes) => {
                self.count_after_end(bytes);
                let gap = self.read_at.saturating_duration_since(before);
                self.pace.throttle_delay(bytes, READ_BYTES, gap)
            }
            ReadOutcome::Nothing => Duration::ZERO,
            ReadOutcome::End => {
                self.close(scratch);
                if let Some(ended) = self.ended {
                    self.report_end(ended.at);
                }
                Duration::ZERO
            }
        }
    }

    /// The run's own process has ended: takes to disk what the pipe holds now, then reports the
    /// end; where others hold the pipe, after a while.
    pub fn take_end(&mut self, scratch: &mut Scratch) {
        let at = Moment::now();
        (self.end, self.terminal) = (None, None);
        self.drain(scratch);
        if self.output.is_none() {
            return self.report_end(at);
        }
        let report_by = Instant::now() + HOLDERS_TIMEOUT;
        self.ended = Some(SeenEnd { at, report_by, bytes_left: HOLDERS_BYTES });
    }

    /// An end that was seen is told at once when others print more than they may.
    fn count_after_end(&mut self, bytes: usize) {
        if let Some(ended) = &mut self.ended {
            ended.bytes_left = ended.bytes_left.saturating_sub(bytes);
            if ended.bytes_left == 0 {
                ended.report_by = Instant::now();
            }
        }
    }

    /// Reports an end that was seen, behind what the pipe holds now. What a grandchild still writes
    /// is captured later and holds nothing back.
    pub fn finish_end(&mut self, scratch: &mut Scratch) {
        let Some(SeenEnd { at, .. }) = self.ended else { return };
        self.drain(scratch);
        if self.output.is_some() {
            self.end_line(scratch, LastPiece::Continues);
        }
        self.report_end(at);
    }

    fn report_end(&mut self, at: Moment) {
        (self.end, self.ended) = (None, None);
        self.notice.report(at);
    }

    /// Goes on behind a panic in one of the above. What was being taken is lost, which its log
    /// says; an end that was being taken is told. Where it panics again and again, nothing more
    /// is taken.
    pub fn write_gap_notice(&mut self, has_ended: bool) {
        log::error!("{self:?} lost part of its output in that panic");
        self.panics += 1;
        self.held.clear();
        self.appender.record_dropped(1);
        if self.panics >= PANICS_MAX {
            log::error!("{self:?}: capture stopped, further output is lost");
            self.output = None;
            self.appender.log().set_closed();
        }
        if has_ended {
            let _panicked = catch_panic("The end of a run", || self.report_end(Moment::now()));
        }
    }

    /// Takes to disk what there is, because the server ends.
    pub fn give_up(&mut self, scratch: &mut Scratch) {
        self.drain(scratch);
        self.end_line(scratch, LastPiece::Continues);
        self.output = None;
        if let Some(ended) = self.ended {
            self.report_end(ended.at);
        }
        self.appender.log().set_closed();
    }

    /// Nothing more will come.
    fn close(&mut self, scratch: &mut Scratch) {
        self.output = None;
        self.end_line(scratch, LastPiece::EndsLine);
        self.appender.log().set_closed();
    }

    fn drain(&mut self, scratch: &mut Scratch) {
        let Some(output) = &self.output else { return };
        let mut left = if self.is_terminal { TERMINAL_BYTES } else { bytes_waiting(output) };
        while left > 0 {
            match self.read(scratch, left.min(READ_BYTES)) {
                ReadOutcome::Bytes(bytes) => left -= bytes,
                ReadOutcome::Nothing | ReadOutcome::End => break,
            }
        }
        if self.output().is_none_or(is_hung_up) {
            self.close(scratch);
        }
    }

    /// One read of at most `bytes_max`, taken to disk in one write.
    fn read(&mut self, scratch: &mut Scratch, bytes_max: usize) -> ReadOutcome {
        let Some(output) = &mut self.output else { return ReadOutcome::End };
        let held = self.held.len();
        scratch.buffer[..held].copy_from_slice(&self.held);
        let bytes = loop {
            match output.read(&mut scratch.buffer[held..held + bytes_max]) {
                Ok(0) => return ReadOutcome::End,
                Ok(bytes) => break bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return ReadOutcome::Nothing;
                }
                // EIO is how a terminal says that its other side is gone.
                Err(_) => return ReadOutcome::End,
            }
        };
        self.read_at = Instant::now();
        let stamp = self.clock.read();
        self.store(scratch, held + bytes, &stamp);
        ReadOutcome::Bytes(bytes)
    }

    fn store(&mut self, scratch: &mut Scratch, end: usize, stamp: &Stamp) {
        scratch.encoder.set_output_bytes(self.appender.write_bytes_max());
        let mut from = 0;
        loop {
            let encoded = scratch.encoder.encode(&scratch.buffer, from..end, stamp);
            self.appender.append(scratch.encoder.output(), encoded.lines, stamp);
            if encoded.next == from {
                break;
            }
            from = encoded.next;
        }
        self.held.clear();
        self.held.extend_from_slice(&scratch.buffer[from..end]);
        let mut written = self.appender.log().written();
        written.output_at = Some((self.read_at, self.clock.latest()));
        written.tail.clone_from(&self.held);
        drop(written);
        self.appender.log().announce();
    }

    /// Stores the line that has not ended. One of which a piece lies on disk is ended there even
    /// where nothing is left of it.
    fn end_line(&mut self, scratch: &mut Scratch, last: LastPiece) {
        let ends_piece = last == LastPiece::EndsLine && self.appender.line_continues();
        if self.held.is_empty() && !ends_piece {
            return;
        }
        let length = self.held.len();
        scratch.buffer[..length].copy_from_slice(&self.held);
        self.held.clear();
        let stamp = self.clock.read();
        scratch.encoder.encode_rest(&scratch.buffer, 0..length, last, &stamp);
        let lines = u64::from(last == LastPiece::EndsLine);
        self.appender.append(scratch.encoder.output(), lines, &stamp);
    }
}

impl std::fmt::Debug for CaptureState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captured").field("log", &self.appender.log().name()).finish_non_exhaustive()
    }
}

/// How many bytes the pipe holds now.
fn bytes_waiting(output: &File) -> usize {
    let bytes = rustix::io::ioctl_fionread(output).unwrap_or(READ_BYTES as u64);
    usize::try_from(bytes).unwrap_or(READ_BYTES)
}

/// Whether the pipe is empty and nobody can write to it any more.
fn is_hung_up(output: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(output, PollFlags::POLLIN)];
    let ready = poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
    let events = polled[0].revents().unwrap_or(PollFlags::empty());
    ready && events.contains(PollFlags::POLLHUP) && !events.contains(PollFlags::POLLIN)
}
