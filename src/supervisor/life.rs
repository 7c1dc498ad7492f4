//! What may follow what in a service's life: phase and event give the next phase. Pure.

use super::services_file::RestartPolicy;
use crate::protocol::RestartMode;
use crate::protocol::{EndedBy, ServiceState};
use std::time::{Duration, Instant};

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// In one of the states that are down.
    Down(ServiceState),
    /// It is to be started when what it depends on is there.
    Waiting {
        is_again: bool,
    },
    /// A run is being launched.
    Launching {
        then: AfterLaunch,
        is_again: bool,
    },
    /// A run lives.
    Up {
        is_settled: bool,
    },
    /// Its tree is being ended.
    Ending(AfterStop),
    Backoff {
        until: Instant,
    },
}

/// What follows a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterLaunch {
    Nothing,
    /// A stop came meanwhile.
    Stop(EndedBy),
    /// A restart came meanwhile: what is launched may not be what is wanted now.
    Restart(EndedBy),
}

/// What follows when a tree has been ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterStop {
    Rest,
    Launch,
    /// The policy decides, as if it had ended by itself, and badly.
    Decide {
        lasted: Duration,
    },
}

/// What is to be done because of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Launch a run as soon as what it depends on is there.
    Await,
    /// Launch a run.
    Launch,
    /// End the tree, and tell why.
    End(EndedBy),
    /// Launch at this instant, unless something else happens before.
    WakeAt(Instant),
}

/// Whether anything lives of a run whose own process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// Something does.
    Live,
    /// Nothing does.
    None,
}

/// How a run ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Whether with exit code 0.
    pub is_success: bool,
    /// From its start to its end.
    pub lasted: Duration,
}

/// The life of one service.
#[derive(Clone, Debug)]
pub struct Life {
    phase: Phase,
    /// Restarts by the policy since the last that was cleared.
    attempts: u32,
    restarts: u64,
}

impl Life {
    /// Of a service that was never started.
    #[must_use]
    pub fn new() -> Self {
        Self { phase: Phase::Down(ServiceState::Stopped), attempts: 0, restarts: 0 }
    }

    /// The state that users see.
    #[must_use]
    pub fn state(&self) -> ServiceState {
        match self.phase {
            Phase::Down(state) => state,
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

    /// How often it was started again, by hand or by its policy.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Restarts by the policy since the count was cleared.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When it is restarted, where it waits for that.
    #[must_use]
    pub fn restart_at(&self) -> Option<Instant> {
        if let Phase::Backoff { until } = self.phase { Some(until) } else { None }
    }

    /// Whether a run lives.
    #[must_use]
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }

    /// Whether it waits for what it depends on.
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

    /// Somebody wants it started. `Err` where it is up or something is being done to it.
    ///
    /// # Errors
    /// The state that forbids it.
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

    /// Somebody else needs it: starts it where it is down.
    pub fn start_if_down(&mut self) -> Option<Action> {
        if self.state().is_down() { self.start().ok() } else { None }
    }

    /// Somebody wants it stopped, and all that its last run may have left behind. `None` where
    /// that needs nothing more.
    ///
    /// # Errors
    /// The state that forbids it.
    pub fn stop(&mut self, by: EndedBy, left: Leftovers) -> Result<Option<Action>, ServiceState> {
        let (phase, action) = match self.phase {
            Phase::Down(_) | Phase::Waiting { .. } | Phase::Backoff { .. }
                if left == Leftovers::Live =>
            {
                (Phase::Ending(AfterStop::Rest), Some(Action::End(by)))
            }
            Phase::Down(state) => return Err(state),
            Phase::Waiting { .. } | Phase::Backoff { .. } => {
                (Phase::Down(ServiceState::Stopped), None)
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

    /// Somebody wants it ended and started again. `None` where that is under way.
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

    /// Its health checks have failed so often that it is to be restarted, if its policy allows.
    pub fn fail(&mut self, lasted: Duration) -> Option<Action> {
        if !self.is_up() {
            return None;
        }
        self.phase = Phase::Ending(AfterStop::Decide { lasted });
        Some(Action::End(EndedBy::Health))
    }

    /// What it depends on is there.
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
                self.phase = Phase::Down(ServiceState::Stopped);
                return None;
            }
            AfterLaunch::Restart(_) => return Some(self.await_again()),
            AfterLaunch::Nothing => {}
        }
        let finish = Finish { is_success: false, lasted: Duration::ZERO };
        self.decide(policy, finish, now)
    }

    /// It has been up for long enough, or is healthy.
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

    /// Its tree is ended, as was wanted.
    pub fn tree_gone(&mut self, policy: &RestartPolicy, now: Instant) -> Option<Action> {
        let Phase::Ending(then) = self.phase else { return None };
        match then {
            AfterStop::Rest => {
                self.phase = Phase::Down(ServiceState::Stopped);
                None
            }
            AfterStop::Launch => Some(self.await_again()),
            AfterStop::Decide { lasted } => {
                // That it is to be restarted was said by its check, whatever ends otherwise ask.
                let policy = RestartPolicy { mode: RestartMode::Always, ..policy.clone() };
                self.decide(&policy, Finish { is_success: false, lasted }, now)
            }
        }
    }

    /// The time of its restart has come.
    pub fn backoff_over(&mut self) -> Option<Action> {
        self.restart_at().map(|_| self.launch_again())
    }

    /// Up again, by hand: behind what it depends on, which may be other than it was.
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
            let state =
                if finish.is_success { ServiceState::Exited } else { ServiceState::Crashed };
            self.phase = Phase::Down(state);
            return None;
        }
        if self.attempts >= policy.max_restarts {
            self.phase = Phase::Down(ServiceState::Fatal);
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

impl Default for Life {
    fn default() -> Self {
        Self::new()
    }
}

/// How long the restart after so many others waits.
fn delay(policy: &RestartPolicy, attempts: u32) -> Duration {
    let factor = policy.backoff_multiplier.powi(attempts.min(1000).cast_signed());
    let seconds = policy.backoff.as_secs_f64() * factor;
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).min(policy.backoff_max)
}

#[cfg(test)]
mod tests;
