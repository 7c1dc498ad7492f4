//! The thread that drives the shell of a session: sends lines, reads reports, interrupts.
//!
//! A command is one line to the shell, which reports its begin and its end. At the begin another
//! line is sent that reports the end once more, for where an interrupt or a syntax error makes the
//! shell leave the first; whichever report comes first counts, and the next command waits for the
//! second. SIGINT is sent only between begin and end, because an idle shell may lose its next line
//! by it. Since one can come late all the same, pings follow until one is answered.

use super::exec::{Exec, ExecEnd};
use super::shell::{
    Report, ReportReader, command_line, end_line, ping_line, script_prefix, set_up_lines,
};
use super::{Queued, Session};
use crate::catch_panic::catch_panic;
use crate::process::{Outcome, SentSignal, Signal, Wakeup};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Time without the begin of a command after which the shell is asked whether it reads.
const BEGIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Time without an answer after which a line that may have been lost is sent again. Doubles each
/// time.
const RESEND_FIRST: Duration = Duration::from_millis(250);

/// Such a time for pings after an interrupt, of which some are lost: the next command waits.
const PING_INTERVAL: Duration = Duration::from_millis(20);

/// The longest such time: the lines pile up while a command ignores its interrupt.
const RESEND_MAX: Duration = Duration::from_secs(8);

/// Time after an interrupt in which it may still reach the shell.
const SETTLE_TIME: Duration = Duration::from_millis(5);

/// Interval at which a command that goes on after an interrupt is searched for processes that may
/// have lost it.
const REPEAT_INTERVAL: Duration = Duration::from_millis(30);

/// Number of such searches.
const REPEATS_MAX: u32 = 8;

/// Time for the log writer to write what a command has printed.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for the exit status of a shell that has ended to be recorded.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of the shell, as far as its reports tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It reads its next line.
    Idle,
    /// The line of a command was sent.
    Sent,
    /// The command runs.
    Running,
    /// The command has ended; the second report of that is due.
    Reported,
    /// An interrupt may still reach it, or may have.
    Settling,
}

struct Driver {
    session: Arc<Session>,
    phase: Phase,
    /// The command that was sent last.
    current: Option<Queued>,
    /// The options of the shell that are switched off between commands.
    options: String,
    /// The time to send something again that may have been lost.
    resend_at: Option<Instant>,
    resend_after: Duration,
    /// The time of the last interrupt since the shell was last known to read.
    interrupted_at: Option<Instant>,
    /// The interrupt of the command that runs, with the number of repetitions that are left.
    interrupt: Option<(SentSignal, u32)>,
    /// The time of the next one.
    search_at: Option<Instant>,
    /// The number of the last ping.
    ping: u64,
    /// The number of the last one whose answer proves nothing any more.
    ping_before: u64,
}

impl Session {
    /// Starts the thread `session`, which ends with the shell.
    ///
    /// # Errors
    /// The error of the kernel, if no thread can be started; the session cannot be used then.
    pub(in super::super) fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let session = Arc::clone(self);
        let thread = thread::Builder::new().name("session".into()).stack_size(128 * 1024);
        let spawned = thread.spawn(move || {
            let driver = Driver::new(Arc::clone(&session));
            let _panicked = catch_panic("The session", || driver.run());
            session.finish();
        });
        if spawned.is_err() {
            self.state().is_over = true;
        }
        spawned.map(drop)
    }

    /// Ends the last command with the shell, if it has not reported an end.
    fn finish(&self) {
        let (last, cwd) = {
            let mut state = self.state();
            state.is_over = true;
            state.queued = None;
            (state.last.clone(), state.cwd.clone())
        };
        let Some(last) = last.filter(|last| last.state().running) else { return };
        let exit_code = self.wait_for_outcome(OUTCOME_TIMEOUT).and_then(|outcome| match outcome {
            Outcome::Exited(code) => Some(code),
            Outcome::Signalled(number) => Some(128 + number),
            Outcome::Unknown => None,
        });
        self.end_exec(&last, (exit_code, cwd), true);
    }

    /// Records the end of a command whose output is in the log, and wakes those who wait for it.
    fn end_exec(
        &self,
        exec: &Exec,
        (exit_code, cwd): (Option<i32>, String),
        has_ended_session: bool,
    ) {
        let lines = self.log.line_numbers().end;
        exec.end(ExecEnd { exit_code, cwd, lines, has_ended_session });
        self.log.announce_other_change();
    }
}

impl Driver {
    fn new(session: Arc<Session>) -> Self {
        Self {
            session,
            phase: Phase::Idle,
            current: None,
            options: String::new(),
            resend_at: None,
            resend_after: RESEND_FIRST,
            interrupted_at: None,
            interrupt: None,
            search_at: None,
            ping: 0,
            ping_before: 0,
        }
    }

    /// Drives the shell until it has ended.
    fn run(mut self) {
        for line in set_up_lines() {
            self.session.control.send(line);
        }
        let (end, mut reader) = (self.session.leader.end_descriptor(), ReportReader::default());
        let mut buffer = [0; 1024];
        loop {
            self.take_requests();
            match self.session.control.wait(&mut buffer, &end, self.deadline()) {
                Wakeup::Report(bytes) => {
                    reader.read(&buffer[..bytes]).into_iter().for_each(|report| self.take(report));
                }
                Wakeup::Other => {}
                Wakeup::End => return,
            }
            if self.search_at.is_some_and(|at| at <= Instant::now()) {
                self.repeat_interrupt();
            }
            if self.resend_at.is_some_and(|at| at <= Instant::now()) {
                self.resend();
            }
        }
    }

    /// Returns the time of what is due next.
    fn deadline(&self) -> Option<Instant> {
        self.resend_at.into_iter().chain(self.search_at).min()
    }

    /// Interrupts processes of the command again that may have lost the interrupt. bash may leave a
    /// command while it forks, report its end, and then wait for the child that got nothing: so
    /// they are searched as long as it answers no ping.
    fn repeat_interrupt(&mut self) {
        self.search_at = None;
        let session = &self.session;
        let Some((sent, repeats_left)) = &mut self.interrupt else { return };
        *repeats_left -= 1;
        if *repeats_left > 0 {
            self.search_at = Some(Instant::now() + REPEAT_INTERVAL);
        }
        if session.tree.repeat_lost(&session.reaper, sent) {
            self.interrupted_at = Some(Instant::now());
            if self.phase == Phase::Settling {
                self.settle();
            }
        }
    }

    /// Acts on what clients have asked for since.
    fn take_requests(&mut self) {
        let mut state = self.session.state();
        let is_interrupt_due =
            self.phase == Phase::Running && std::mem::take(&mut state.is_interrupt_due);
        let by_terminal = std::mem::take(&mut state.is_terminal_interrupted);
        let queued = if self.phase == Phase::Idle { state.queued.take() } else { None };
        drop(state);
        if is_interrupt_due {
            let sent = self.session.tree.send(&self.session.reaper, Signal::INTERRUPT);
            self.interrupt = Some((sent, REPEATS_MAX));
            self.search_at = Some(Instant::now() + REPEAT_INTERVAL);
        }
        if is_interrupt_due || by_terminal {
            self.interrupted_at = Some(Instant::now());
            if matches!(self.phase, Phase::Running | Phase::Reported) {
                self.resend_in(RESEND_FIRST);
            }
        }
        if by_terminal && matches!(self.phase, Phase::Idle | Phase::Settling) {
            self.settle();
        }
        if let Some(queued) = queued {
            self.begin(queued);
        }
    }

    /// Sends a command to a shell that reads its next line.
    fn begin(&mut self, queued: Queued) {
        let control = &self.session.control;
        if let Err(error) = control.set_script(&[&script_prefix(&self.options), &queued.command]) {
            log::error!(
                "cannot store a command for process {}: {error}",
                self.session.leader.pid()
            );
            return self.session.end_exec(&queued.exec, (None, self.session.cwd()), false);
        }
        control.send(&command_line(queued.exec.number(), queued.input));
        self.current = Some(queued);
        self.phase = Phase::Sent;
        self.ping_before = self.ping;
        self.resend_in(BEGIN_TIMEOUT);
    }

    fn take(&mut self, report: Report) {
        let current = self.current.as_ref().map_or(0, |current| current.exec.number());
        match (report, self.phase) {
            (Report::Begin(number), Phase::Sent) if number == current => {
                self.session.control.send(&end_line(current));
                self.phase = Phase::Running;
                self.resend_at = None;
            }
            (Report::End { number, code, options, is_repeated }, Phase::Running)
                if number == current =>
            {
                self.options = options;
                self.end(code);
                if is_repeated { self.settle() } else { self.await_repetition() }
            }
            // The report of its begin was lost by an interrupt from elsewhere.
            (Report::End { number, code, options, .. }, Phase::Sent) if number == current => {
                self.options = options;
                self.end(code);
                self.interrupted_at.get_or_insert_with(Instant::now);
                self.settle();
            }
            (Report::End { number, is_repeated: true, .. }, Phase::Reported)
                if number == current =>
            {
                self.settle();
            }
            (Report::Pong(number), Phase::Settling) if number > self.ping_before => {
                self.interrupted_at = None;
                self.become_idle();
            }
            (Report::Pong(number), Phase::Sent) if number > self.ping_before => {
                // It reads, and has not begun the command: that line was lost.
                if let Some(queued) = self.current.take() {
                    self.become_idle();
                    self.begin(queued);
                }
            }
            // An answer to what was sent more than once.
            _ => {}
        }
    }

    /// Reports the end of the command, when all that it printed is in the log.
    fn end(&mut self, code: i32) {
        let Some(current) = &self.current else { return };
        let session = &self.session;
        session.writer.flush(&session.log, Instant::now() + FLUSH_TIMEOUT);
        if let Some(stdin) = &session.stdin {
            stdin.close_pipe();
        }
        let cwd = session.leader.directory();
        let mut state = session.state();
        if let Some(cwd) = cwd {
            state.cwd = cwd.to_string_lossy().into_owned();
        }
        state.is_interrupt_due = false;
        let cwd = state.cwd.clone();
        drop(state);
        session.end_exec(&current.exec, (Some(code), cwd), false);
    }

    fn await_repetition(&mut self) {
        self.phase = Phase::Reported;
        self.resend_at = None;
        if self.interrupted_at.is_some() {
            self.resend_in(RESEND_FIRST);
        }
    }

    /// Waits until a late interrupt has come, if there was one.
    fn settle(&mut self) {
        let Some(interrupted_at) = self.interrupted_at else { return self.become_idle() };
        self.phase = Phase::Settling;
        self.ping_before = self.ping;
        let left = SETTLE_TIME.saturating_sub(interrupted_at.elapsed());
        self.resend_in(left);
        self.resend_after = PING_INTERVAL;
    }

    fn become_idle(&mut self) {
        self.phase = Phase::Idle;
        (self.resend_at, self.interrupt, self.search_at) = (None, None, None);
    }

    /// Sends again what was not answered in time.
    fn resend(&mut self) {
        match self.phase {
            Phase::Idle => {
                self.resend_at = None;
                return;
            }
            Phase::Running | Phase::Reported => {
                let number = self.current.as_ref().map_or(0, |current| current.exec.number());
                self.session.control.send(&end_line(number));
            }
            Phase::Sent | Phase::Settling => {
                self.ping += 1;
                self.session.control.send(&ping_line(self.ping));
            }
        }
        let after = self.resend_after;
        self.resend_in(after);
        self.resend_after = (after * 2).min(RESEND_MAX);
    }

    fn resend_in(&mut self, after: Duration) {
        self.resend_at = Some(Instant::now() + after);
        self.resend_after = RESEND_FIRST;
    }
}
