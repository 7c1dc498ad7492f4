//! The state machine of a command's life. Pure: state and event give the next state.

use crate::process::Outcome;
use crate::protocol::EndedBy;
use std::time::Instant;

/// The life of the present run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// There was no run yet.
    Never,
    /// Its own process lives; the cause of its end, if it is being ended.
    Running(Option<EndedBy>),
    /// Its own process has ended.
    Ended,
}

/// The operation in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Quiet,
    /// Its tree is being ended; what is left of it at `force_at` gets SIGKILL.
    Ending {
        force_at: Instant,
        then: AfterStop,
    },
    /// A new run is being launched.
    Starting,
}

/// What follows the end of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterStop {
    Nothing,
    /// A new command is started; the tree was the leftovers of the one before.
    Start,
    /// The same command is started again, unless a kill comes meanwhile.
    Restart,
}

/// The reason why a start is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A run is in progress.
    Running,
    /// The server is shutting down.
    Closed,
    /// A kill came while the old run was being ended for a restart.
    Cancelled,
    /// There is nothing to start again.
    NeverStarted,
}

/// The task of a thread that wants to end a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// End the tree, and call `ending_done`.
    Drive,
    /// Wait for another thread that ends the tree.
    Join,
    /// Nothing: there was never a run.
    NeverStarted,
}

/// The state of one manager.
#[derive(Debug)]
pub struct State {
    life: Life,
    phase: Phase,
    is_closed: bool,
    is_forced: bool,
    endings_done: u64,
    kills: u64,
}

impl State {
    /// Returns the state before the first start.
    pub fn new() -> Self {
        Self {
            life: Life::Never,
            phase: Phase::Quiet,
            is_closed: false,
            is_forced: false,
            endings_done: 0,
            kills: 0,
        }
    }

    /// Whether no operation is in progress, so that a start may begin.
    pub fn is_quiet(&self) -> bool {
        self.phase == Phase::Quiet
    }

    /// Whether a run is being launched, which anybody who wants to end something waits for.
    pub fn is_starting(&self) -> bool {
        self.phase == Phase::Starting
    }

    /// Returns the time at which what is left of the tree gets SIGKILL; `now` if no ending is in
    /// progress.
    pub fn force_at(&self, now: Instant) -> Instant {
        match self.phase {
            Phase::Ending { force_at, .. } if !self.is_forced => force_at,
            Phase::Ending { .. } | Phase::Quiet | Phase::Starting => now,
        }
    }

    /// Returns the number of endings that were done, so that a thread that joined one knows when it
    /// is.
    pub fn endings_done(&self) -> u64 {
        self.endings_done
    }

    /// Claims the start of a new run, in place of one that has ended: its leftovers, if any, are to
    /// be ended first, until `force_at`.
    pub fn claim_start(&mut self, force_at: Instant) -> Result<(), Refusal> {
        match self.life {
            _ if self.is_closed => Err(Refusal::Closed),
            Life::Running(_) => Err(Refusal::Running),
            Life::Never | Life::Ended => {
                self.phase = Phase::Ending { force_at, then: AfterStop::Start };
                Ok(())
            }
        }
    }

    /// Claims the end of the present run and its start again.
    pub fn claim_restart(&mut self, force_at: Instant) -> Result<(), Refusal> {
        match &mut self.life {
            _ if self.is_closed => return Err(Refusal::Closed),
            Life::Never => return Err(Refusal::NeverStarted),
            Life::Running(wanted) => *wanted = Some(EndedBy::Restart),
            Life::Ended => {}
        }
        self.phase = Phase::Ending { force_at, then: AfterStop::Restart };
        Ok(())
    }

    /// Returns the number of final ends that were claimed, so that a restart that waits for its
    /// turn notices one.
    pub fn kills(&self) -> u64 {
        self.kills
    }

    /// Claims the final end of the present run.
    pub fn claim_end(&mut self, by: EndedBy, force_at: Instant) -> Claim {
        self.kills += 1;
        match &mut self.life {
            Life::Never => return Claim::NeverStarted,
            Life::Running(wanted) => *wanted = Some(by),
            Life::Ended => {}
        }
        let (force_at, then, claim) = match self.phase {
            Phase::Ending { force_at: earlier, then: AfterStop::Start } => {
                (force_at.min(earlier), AfterStop::Start, Claim::Join)
            }
            Phase::Ending { force_at: earlier, .. } => {
                (force_at.min(earlier), AfterStop::Nothing, Claim::Join)
            }
            Phase::Quiet | Phase::Starting => (force_at, AfterStop::Nothing, Claim::Drive),
        };
        self.phase = Phase::Ending { force_at, then };
        claim
    }

    /// Begins the start of a new run: the tree is gone, or what is left of it cannot be ended.
    pub fn begin_start(&mut self) -> Result<(), Refusal> {
        self.endings_done += 1;
        let phase = std::mem::replace(&mut self.phase, Phase::Quiet);
        if self.is_closed {
            return Err(Refusal::Closed);
        }
        if matches!(self.life, Life::Running(_)) {
            return Err(Refusal::Running);
        }
        if matches!(phase, Phase::Ending { then: AfterStop::Nothing, .. }) {
            return Err(Refusal::Cancelled);
        }
        self.phase = Phase::Starting;
        Ok(())
    }

    /// Ends an ending that nothing follows: the tree is gone, or what is left of it cannot be
    /// ended.
    pub fn ending_done(&mut self) {
        self.endings_done += 1;
        self.phase = Phase::Quiet;
    }

    /// Records that the new run was launched.
    pub fn started(&mut self) {
        self.life = Life::Running(None);
        self.phase = Phase::Quiet;
    }

    /// Records that the new run could not be launched: the last run is still the one before.
    pub fn start_failed(&mut self) {
        self.phase = Phase::Quiet;
    }

    /// Records the end of the run's own process; returns its cause.
    pub fn leader_ended(&mut self, outcome: Outcome) -> EndedBy {
        let wanted = if let Life::Running(wanted) = self.life { wanted } else { None };
        self.life = Life::Ended;
        let alone = match outcome {
            Outcome::Signalled(_) => EndedBy::Signal,
            Outcome::Exited(_) => EndedBy::Itself,
            Outcome::Unknown => EndedBy::Lost,
        };
        wanted.unwrap_or(alone)
    }

    /// Forgets the run that has ended.
    pub fn forget(&mut self) {
        self.life = Life::Never;
    }

    /// Whether there is no grace any more.
    pub fn is_forced(&self) -> bool {
        self.is_forced
    }

    /// Ends the grace from now on.
    pub fn force_shutdown(&mut self) {
        self.is_forced = true;
    }

    /// Whether starts are refused.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Refuses starts from now on.
    pub fn close(&mut self) {
        self.is_closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn running() -> (State, Instant) {
        let mut state = State::new();
        let now = Instant::now();
        state.claim_start(now).unwrap();
        state.begin_start().unwrap();
        state.started();
        (state, now)
    }

    #[test]
    fn start_is_refused_while_a_run_lives() {
        let (mut state, now) = running();
        assert_eq!(state.claim_start(now), Err(Refusal::Running));
        state.leader_ended(Outcome::Exited(0));
        assert_eq!(state.claim_start(now), Ok(()));
    }

    #[test]
    fn failed_start_keeps_the_previous_state() {
        let mut state = State::new();
        let now = Instant::now();
        state.claim_start(now).unwrap();
        state.begin_start().unwrap();
        state.start_failed();
        assert_eq!(state.claim_end(EndedBy::Kill, now), Claim::NeverStarted);
    }

    #[test]
    fn ended_by_is_the_caller_else_the_wait_status() {
        let ended = |wanted: Option<EndedBy>, outcome| {
            let (mut state, now) = running();
            wanted.map(|by| state.claim_end(by, now));
            state.leader_ended(outcome)
        };
        assert_eq!(ended(None, Outcome::Exited(1)), EndedBy::Itself);
        assert_eq!(ended(None, Outcome::Signalled(9)), EndedBy::Signal);
        assert_eq!(ended(None, Outcome::Unknown), EndedBy::Lost);
        assert_eq!(ended(Some(EndedBy::Kill), Outcome::Exited(0)), EndedBy::Kill);
        assert_eq!(ended(Some(EndedBy::Shutdown), Outcome::Signalled(15)), EndedBy::Shutdown);
    }

    #[test]
    fn kill_shortens_a_restart_and_cancels_its_start() {
        let (mut state, now) = running();
        let (late, early) = (now + Duration::from_secs(10), now + Duration::from_secs(5));
        state.claim_restart(late).unwrap();
        assert_eq!(state.claim_end(EndedBy::Kill, early), Claim::Join);
        assert_eq!(state.force_at(now), early);
        assert_eq!(state.leader_ended(Outcome::Signalled(15)), EndedBy::Kill);
        assert_eq!(state.begin_start(), Err(Refusal::Cancelled));
        assert!(state.is_quiet());
    }

    #[test]
    fn second_kill_never_lengthens_the_grace() {
        let (mut state, now) = running();
        assert_eq!(state.claim_end(EndedBy::Kill, now), Claim::Drive);
        let later = now + Duration::from_secs(5);
        assert_eq!(state.claim_end(EndedBy::Kill, later), Claim::Join);
        assert_eq!(state.force_at(later), now);
    }

    #[test]
    fn restart_continues_when_the_run_has_ended() {
        let (mut state, now) = running();
        state.claim_restart(now).unwrap();
        assert_eq!(state.leader_ended(Outcome::Signalled(15)), EndedBy::Restart);
        assert_eq!(state.begin_start(), Ok(()));
        assert!(state.is_starting());
    }

    #[test]
    fn kill_of_leftovers_keeps_the_pending_start() {
        let (mut state, now) = running();
        state.leader_ended(Outcome::Exited(0));
        state.claim_start(now + Duration::from_secs(5)).unwrap();
        assert_eq!(state.claim_end(EndedBy::Kill, now), Claim::Join);
        assert_eq!((state.force_at(now), state.begin_start()), (now, Ok(())));
    }

    #[test]
    fn forced_end_has_no_grace() {
        let (mut state, now) = running();
        state.claim_end(EndedBy::Shutdown, now + Duration::from_secs(5));
        state.force_shutdown();
        assert_eq!(state.force_at(now), now);
    }

    #[test]
    fn unkillable_run_is_not_started_twice() {
        let (mut state, now) = running();
        state.claim_restart(now).unwrap();
        assert_eq!(state.begin_start(), Err(Refusal::Running));
        assert!(state.is_quiet());
    }

    #[test]
    fn nothing_starts_once_the_server_shuts_down() {
        let (mut state, now) = running();
        state.claim_restart(now).unwrap();
        state.leader_ended(Outcome::Exited(0));
        state.close();
        assert_eq!(state.begin_start(), Err(Refusal::Closed));
        assert_eq!(state.claim_start(now), Err(Refusal::Closed));
        assert_eq!(state.claim_restart(now), Err(Refusal::Closed));
    }
}
