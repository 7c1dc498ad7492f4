//! Capture of one run's output, from the pipe to the log.

use super::append::Appender;
use super::block::{BLOCK_MARGIN, Encoder, LastPiece};
use super::end_notice::EndNotice;
use super::pace::Pace;
use super::raw::RawWriter;
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

/// Maximum number of bytes of one read. Measured: a larger buffer gains nothing.
const READ_BYTES: usize = 256 * 1024;

/// Number of bytes of a terminal's output that are read at the end of a run: far more than it
/// holds. The kernel cannot say how much it holds, because some of it is still on its way; a read
/// waits for that.
const TERMINAL_BYTES: usize = 1024 * 1024;

/// Time that the end of a run waits for other processes that hold its output, such as the `tee` of
/// `exec > >(tee log)`: they still have its last lines.
const HOLDERS_TIMEOUT: Duration = Duration::from_millis(100);

/// Number of bytes that they may print meanwhile: more than all pipes between them and the run
/// hold. A process that prints more has lines of its own, and could push those of the run out of a
/// full log.
const HOLDERS_BYTES: usize = 1024 * 1024;

/// Number of panics in capturing one run after which that stops: a panic before the read would
/// repeat for ever.
const PANICS_MAX: u32 = 100;

/// The buffers of the writer thread, shared by all captures.
#[derive(Debug)]
pub struct Scratch {
    buffer: Vec<u8>,
    encoder: Encoder,
}

impl Scratch {
    /// Creates buffers for lines that are stored in pieces of at most `piece_bytes_max` bytes.
    pub fn new(piece_bytes_max: usize) -> Self {
        let buffer = vec![0; piece_bytes_max + 1 + READ_BYTES + BLOCK_MARGIN];
        Self { buffer, encoder: Encoder::new(piece_bytes_max) }
    }
}

/// A run whose capture the writer thread is to begin.
pub struct NewCapture {
    pub output: OwnedFd,
    pub end: Arc<OwnedFd>,
    pub terminal: Option<OwnedFd>,
    pub log: Arc<RunLog>,
    pub notice: Arc<EndNotice>,
}

/// The result of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadOutcome {
    Bytes(usize),
    /// Nothing now; more may come.
    Nothing,
    /// The end of the output: nobody holds the other end.
    End,
}

/// An end of a run that is not reported yet, because others hold the output.
#[derive(Clone, Copy, Debug)]
struct SeenEnd {
    at: Moment,
    /// The latest time to report it.
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
    /// The end of the run, if it is not reported yet.
    ended: Option<SeenEnd>,
    appender: Appender,
    /// Keeps the output as printed, of a terminal.
    raw: Option<RawWriter>,
    /// The unfinished line, as far as it was read.
    held: Vec<u8>,
    /// Whether the output is our side of a terminal, not a pipe.
    is_terminal: bool,
    clock: LogClock,
    pace: Pace,
    read_at: Instant,
    /// Number of panics in capturing it.
    panics: u32,
}

impl CaptureState {
    /// Takes over the descriptors of a new run.
    pub fn begin(capture: NewCapture) -> Self {
        // Records of its start that could not be written while the disk was stalled.
        capture.notice.log().save_ledger();
        // Only our end becomes non-blocking: the command has the other end, a file description of
        // its own. If this fails, the readiness of the descriptor still keeps us from blocking.
        let _blocks = fcntl(&capture.output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        let is_terminal = nix::unistd::isatty(&capture.output).unwrap_or(false);
        Self {
            output: Some(File::from(capture.output)),
            end: Some(capture.end),
            terminal: capture.terminal,
            ended: None,
            raw: capture
                .log
                .raw()
                .map(|raw| RawWriter::new(raw.clone(), capture.log.disk().clone())),
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

    /// Returns the pipe, until it ends.
    pub fn output(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// Returns the descriptor that announces the run's end, until that came.
    pub fn end(&self) -> Option<BorrowedFd<'_>> {
        self.end.as_ref().map(AsFd::as_fd)
    }

    /// Whether both have ended.
    pub fn is_over(&self) -> bool {
        self.output.is_none() && self.end.is_none() && self.ended.is_none()
    }

    /// Returns the latest time to report an end that came; `None` without one.
    pub fn report_by(&self) -> Option<Instant> {
        self.ended.map(|ended| ended.report_by)
    }

    /// Writes the result of one read to disk and returns the delay before the next. Does not wait
    /// for output. At the pipe's end `output` becomes `None`.
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

    /// Handles the end of the run's own process: writes to disk what the pipe holds now, then
    /// reports the end; if others hold the pipe, after a while.
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

    /// Whether its lines go to this log.
    pub fn has_log(&self, log: &RunLog) -> bool {
        std::ptr::eq(self.appender.log(), log)
    }

    /// Writes to disk what the pipe holds now, and ends an unfinished line.
    pub fn flush(&mut self, scratch: &mut Scratch) {
        self.drain(scratch);
        self.end_line(scratch, LastPiece::EndsLine);
    }

    /// Makes an end due at once if others print more than they may.
    fn count_after_end(&mut self, bytes: usize) {
        if let Some(ended) = &mut self.ended {
            ended.bytes_left = ended.bytes_left.saturating_sub(bytes);
            if ended.bytes_left == 0 {
                ended.report_by = Instant::now();
            }
        }
    }

    /// Reports an end after writing what the pipe holds now. The output of a grandchild is captured
    /// later and delays nothing.
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

    /// Recovers from a panic in one of the above. The output in progress is lost, which the log
    /// records; an end in progress is reported. After many panics the capture stops.
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

    /// Writes to disk what there is, because the server ends.
    pub fn give_up(&mut self, scratch: &mut Scratch) {
        self.drain(scratch);
        self.end_line(scratch, LastPiece::Continues);
        self.output = None;
        if let Some(ended) = self.ended {
            self.report_end(ended.at);
        }
        self.finish_raw();
        self.appender.log().set_closed();
    }

    fn finish_raw(&mut self) {
        if let Some(raw) = &mut self.raw {
            raw.finish();
        }
    }

    /// Ends the capture: no more output will come.
    fn close(&mut self, scratch: &mut Scratch) {
        self.output = None;
        self.end_line(scratch, LastPiece::EndsLine);
        self.finish_raw();
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

    /// Reads at most `bytes_max` once, and writes that to disk in one write.
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
                // EIO is the end of a terminal whose other side is closed.
                Err(_) => return ReadOutcome::End,
            }
        };
        self.read_at = Instant::now();
        if let Some(raw) = &mut self.raw {
            // Before the lines are announced: who waits for both finds both.
            raw.append(&scratch.buffer[held..held + bytes]);
        }
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

    /// Stores the unfinished line. If a piece of it is on disk, it is ended there even if nothing
    /// is left of it.
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
        f.debug_struct("Capture").field("log", &self.appender.log().name()).finish_non_exhaustive()
    }
}

/// Returns the number of bytes that the pipe holds now.
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
