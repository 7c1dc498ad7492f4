//! The state machine of a service: a phase and an event give the next phase. Pure.

use super::services_file::RestartPolicy;
use crate::protocol::{EndedBy, RestartMode, ServiceState};
use std::time::{Duration, Instant};

/// The phase of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing runs, and nothing is about to.
    Down(DownState),
    /// It starts as soon as its dependencies are met.
    Waiting {
        is_again: bool,
    },
    /// A run is being launched.
    Launching {
        then: AfterLaunch,
        is_again: bool,
    },
    /// A run is alive.
    Up {
        is_settled: bool,
    },
    /// Its process tree is being ended.
    Ending(AfterStop),
    Backoff {
        until: Instant,
    },
}

/// The states of a service of which nothing runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DownState {
    Stopped,
    Exited,
    Crashed,
    Fatal,
}

impl From<DownState> for ServiceState {
    fn from(state: DownState) -> Self {
        match state {
            DownState::Stopped => Self::Stopped,
            DownState::Exited => Self::Exited,
            DownState::Crashed => Self::Crashed,
            DownState::Fatal => Self::Fatal,
        }
    }
}

/// The next step after a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterLaunch {
    Nothing,
    /// A stop was requested meanwhile.
    Stop(EndedBy),
    /// A restart was requested meanwhile: the launched run may have an old configuration.
    Restart(EndedBy),
}

/// The next step after a tree was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterStop {
    Rest,
    Launch,
    /// The restart policy decides, as after a crash.
    Decide {
        lasted: Duration,
    },
}

/// The action that an event requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Launch a run as soon as its dependencies are met.
    Await,
    /// Launch a run.
    Launch,
    /// End the tree, with this cause.
    End(EndedBy),
    /// Launch at this instant, unless another event comes first.
    WakeAt(Instant),
}

/// Whether processes of a run are alive although its own process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// Some are.
    Live,
    /// None are.
    None,
}

/// The end of a run that ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Whether its exit code was 0.
    pub is_success: bool,
    /// From its start to its end.
    pub lasted: Duration,
}

/// The state of one service.
#[derive(Clone, Debug)]
pub struct StateMachine {
    phase: Phase,
    /// Restarts by the policy since the count was reset.
    attempts: u32,
    restarts: u64,
}

impl StateMachine {
    /// Creates the state of a service that was never started.
    #[must_use]
    pub fn new() -> Self {
        Self { phase: Phase::Down(DownState::Stopped), attempts: 0, restarts: 0 }
    }

    /// Returns the state that users see.
    #[must_use]
    pub fn state(&self) -> ServiceState {
        match self.phase {
            Phase::Down(state) => state.into(),
            Phase::Launching { then: AfterLaunch::Stop(_), .. }
            | Phase::Ending(AfterStop::Rest) => ServiceState::Stopping,
            Phase::Launching { is_again: true, .. }
            | Phase::Waiting { is_again: true }
            | Phase::Ending(_) => ServiceState::Restarting,
            Phase::Waiting { .. } | Phase::Launching { .. } | Phase::Up { is_settled: false } => {
                ServiceState::Starting
            }
            Phase::Up { is_settled: true } => ServiceState::Running,
            Phase::Backoff { .. } => ServiceState::Backoff,
        }
    }

    /// Returns how often it was restarted, by a client or by its policy.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Returns the number of restarts by the policy since the count was reset.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns when it is restarted, if it waits for that.
    #[must_use]
    pub fn restart_at(&self) -> Option<Instant> {
        if let Phase::Backoff { until } = self.phase { Some(until) } else { None }
    }

    /// Whether a run is alive.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }

    /// Whether it waits for its dependencies.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    /// Whether its tree is being ended.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending(_))
    }

    /// Whether a run is being launched.
    #[must_use]
    pub fn is_launching(&self) -> bool {
        matches!(self.phase, Phase::Launching { .. })
    }

    /// A client starts it.
    ///
    /// # Errors
    /// The state, if it is up or another operation is in progress.
    pub fn start(&mut self) -> Result<Action, ServiceState> {
        match self.phase {
            Phase::Down(_) => {
                (self.phase, self.attempts) = (Phase::Waiting { is_again: false }, 0);
                Ok(Action::Await)
            }
            Phase::Backoff { .. } => {
                self.attempts = 0;
                Ok(self.launch_again())
            }
            _ => Err(self.state()),
        }
    }

    /// A service that depends on it starts: starts it too if it is down.
    pub fn start_if_down(&mut self) -> Option<Action> {
        if self.state().is_down() { self.start().ok() } else { None }
    }

    /// A client stops it, with the leftovers of its last run. Returns `None` if nothing has to be
    /// done.
    ///
    /// # Errors
    /// The state, if it is down already.
    pub fn stop(&mut self, by: EndedBy, left: Leftovers) -> Result<Option<Action>, ServiceState> {
        let (phase, action) = match self.phase {
            Phase::Down(_) | Phase::Waiting { .. } | Phase::Backoff { .. }
                if left == Leftovers::Live =>
            {
                (Phase::Ending(AfterStop::Rest), Some(Action::End(by)))
            }
            Phase::Down(state) => return Err(state.into()),
            Phase::Waiting { .. } | Phase::Backoff { .. } => {
                (Phase::Down(DownState::Stopped), None)
            }
            Phase::Launching { is_again, .. } => {
                (Phase::Launching { then: AfterLaunch::Stop(by), is_again }, None)
            }
            Phase::Up { .. } => (Phase::Ending(AfterStop::Rest), Some(Action::End(by))),
            Phase::Ending(_) => (Phase::Ending(AfterStop::Rest), None),
        };
        self.phase = phase;
        Ok(action)
    }

    /// A client restarts it. Returns `None` if that is in progress already.
    pub fn restart(&mut self, by: EndedBy) -> Option<Action> {
        self.attempts = 0;
        match self.phase {
            Phase::Down(_) => Some(self.await_again()),
            Phase::Backoff { .. } => Some(self.launch_again()),
            Phase::Up { .. } => {
                self.phase = Phase::Ending(AfterStop::Launch);
                Some(Action::End(by))
            }
            Phase::Ending(_) => {
                self.phase = Phase::Ending(AfterStop::Launch);
                None
            }
            Phase::Launching { is_again, .. } => {
                self.phase = Phase::Launching { then: AfterLaunch::Restart(by), is_again };
                None
            }
            Phase::Waiting { .. } => None,
        }
    }

    /// Its health checks failed as often as they may: restarts it if its policy allows.
    pub fn fail(&mut self, lasted: Duration) -> Option<Action> {
        if !self.is_up() {
            return None;
        }
        self.phase = Phase::Ending(AfterStop::Decide { lasted });
        Some(Action::End(EndedBy::Health))
    }

    /// Its dependencies are met.
    pub fn dependencies_met(&mut self) -> Option<Action> {
        let Phase::Waiting { is_again } = self.phase else { return None };
        self.phase = Phase::Launching { then: AfterLaunch::Nothing, is_again };
        Some(Action::Launch)
    }

    /// The run was launched.
    pub fn launched(&mut self) -> Option<Action> {
        let Phase::Launching { then, .. } = self.phase else { return None };
        match then {
            AfterLaunch::Nothing => {
                self.phase = Phase::Up { is_settled: false };
                None
            }
            AfterLaunch::Stop(by) => {
                self.phase = Phase::Ending(AfterStop::Rest);
                Some(Action::End(by))
            }
            AfterLaunch::Restart(by) => {
                self.phase = Phase::Ending(AfterStop::Launch);
                Some(Action::End(by))
            }
        }
    }

    /// The run could not be launched.
    pub fn launch_failed(&mut self, policy: &RestartPolicy, now: Instant) -> Option<Action> {
        let Phase::Launching { then, .. } = self.phase else { return None };
        match then {
            AfterLaunch::Stop(_) => {
                self.phase = Phase::Down(DownState::Stopped);
                return None;
            }
            AfterLaunch::Restart(_) => return Some(self.await_again()),
            AfterLaunch::Nothing => {}
        }
        let finish = Finish { is_success: false, lasted: Duration::ZERO };
        self.decide(policy, finish, now)
    }

    /// It has been up for `start_seconds`, or is healthy.
    pub fn settle(&mut self) {
        if self.is_up() {
            self.phase = Phase::Up { is_settled: true };
        }
    }

    /// The run ended by itself.
    pub fn ended(
        &mut self,
        policy: &RestartPolicy,
        finish: Finish,
        now: Instant,
    ) -> Option<Action> {
        if self.is_up() { self.decide(policy, finish, now) } else { None }
    }

    /// Its tree is gone, after [`Action::End`].
    pub fn tree_gone(&mut self, policy: &RestartPolicy, now: Instant) -> Option<Action> {
        let Phase::Ending(then) = self.phase else { return None };
        match then {
            AfterStop::Rest => {
                self.phase = Phase::Down(DownState::Stopped);
                None
            }
            AfterStop::Launch => Some(self.await_again()),
            AfterStop::Decide { lasted } => {
                // Its check asks for the restart, whatever the mode says about other ends.
                let policy = RestartPolicy { mode: RestartMode::Always, ..policy.clone() };
                self.decide(&policy, Finish { is_success: false, lasted }, now)
            }
        }
    }

    /// Its restart is due.
    pub fn backoff_over(&mut self) -> Option<Action> {
        self.restart_at().map(|_| self.launch_again())
    }

    /// Restarts it for a client, after its dependencies, which may have changed.
    fn await_again(&mut self) -> Action {
        self.restarts += 1;
        self.phase = Phase::Waiting { is_again: true };
        Action::Await
    }

    fn launch_again(&mut self) -> Action {
        self.restarts += 1;
        self.phase = Phase::Launching { then: AfterLaunch::Nothing, is_again: true };
        Action::Launch
    }

    fn decide(&mut self, policy: &RestartPolicy, finish: Finish, now: Instant) -> Option<Action> {
        if finish.lasted >= policy.reset_after {
            self.attempts = 0;
        }
        let is_wanted = match policy.mode {
            RestartMode::Always => true,
            RestartMode::OnFailure => !finish.is_success,
            RestartMode::Never => false,
        };
        if !is_wanted {
            let state = if finish.is_success { DownState::Exited } else { DownState::Crashed };
            self.phase = Phase::Down(state);
            return None;
        }
        if self.attempts >= policy.max_restarts {
            self.phase = Phase::Down(DownState::Fatal);
            return None;
        }
        let delay = delay(policy, self.attempts);
        self.attempts += 1;
        if delay.is_zero() {
            return Some(self.launch_again());
        }
        let until = now + delay;
        self.phase = Phase::Backoff { until };
        Some(Action::WakeAt(until))
    }
}

impl Default for StateMachine {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the delay before a restart, after `attempts` others in a row.
fn delay(policy: &RestartPolicy, attempts: u32) -> Duration {
    let factor = policy.backoff_multiplier.powi(attempts.min(1000).cast_signed());
    let seconds = policy.backoff.as_secs_f64() * factor;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(policy.backoff_max)
}

#[cfg(test)]
mod tests;
