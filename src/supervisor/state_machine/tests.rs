//! Tests of the table of operations and states, and of restart policies.

use super::*;
use crate::protocol::{EndedBy, ServiceState};

fn policy() -> RestartPolicy {
    RestartPolicy::default()
}

fn at_once() -> RestartPolicy {
    RestartPolicy { backoff: Duration::ZERO, ..policy() }
}

fn finish(is_success: bool, seconds: u64) -> Finish {
    Finish { is_success, lasted: Duration::from_secs(seconds) }
}

/// Returns a service in the state `running`.
fn running() -> StateMachine {
    let mut machine = StateMachine::new();
    assert_eq!(machine.start(), Ok(Action::Await));
    assert_eq!(machine.dependencies_met(), Some(Action::Launch));
    assert_eq!(machine.launched(), None);
    machine.settle();
    machine
}

fn failed(policy: &RestartPolicy) -> StateMachine {
    let mut machine = running();
    machine.ended(policy, finish(false, 1), Instant::now());
    machine
}

/// Returns services in every state, each reached by its usual transitions.
fn in_every_state() -> Vec<StateMachine> {
    let never = RestartPolicy { mode: RestartMode::Never, ..policy() };
    let none = RestartPolicy { max_restarts: 0, ..policy() };
    let mut exited = running();
    exited.ended(&policy(), finish(true, 1), Instant::now());
    let mut waiting = StateMachine::new();
    waiting.start().unwrap();
    let mut starting = waiting.clone();
    starting.dependencies_met();
    starting.launched();
    let (mut stopping, mut restarting) = (running(), running());
    stopping.stop(EndedBy::Kill, Leftovers::None).unwrap();
    restarting.restart(EndedBy::Restart);
    vec![
        StateMachine::new(),
        exited,
        failed(&never),
        failed(&none),
        waiting,
        starting,
        running(),
        failed(&policy()),
        stopping,
        restarting,
    ]
}

#[test]
fn operations_follow_the_table() {
    let expected = [
        // state, after a start, after a stop, after a restart; `-` where it is refused
        "stopped starting - restarting",
        "exited starting - restarting",
        "crashed starting - restarting",
        "fatal starting - restarting",
        "starting - stopped starting",
        "starting - stopping restarting",
        "running - stopping restarting",
        "backoff restarting stopped restarting",
        "stopping - stopping restarting",
        "restarting - stopping restarting",
    ];
    for (machine, expected) in in_every_state().into_iter().zip(expected) {
        let (mut start, mut stop, mut restart) =
            (machine.clone(), machine.clone(), machine.clone());
        let started = start.start().map_or("-", |_| start.state().as_str());
        let stopped =
            stop.stop(EndedBy::Kill, Leftovers::None).map_or("-", |_| stop.state().as_str());
        restart.restart(EndedBy::Restart);
        let restarted = restart.state().as_str();
        let row = format!("{} {started} {stopped} {restarted}", machine.state().as_str());
        assert_eq!(row, expected);
    }
}

#[test]
fn backoff_grows_to_its_cap_and_then_it_is_fatal() {
    let policy = RestartPolicy { max_restarts: 5, ..policy() };
    let (mut machine, now) = (running(), Instant::now());
    for seconds in [5, 10, 20, 40, 60] {
        let action = machine.ended(&policy, finish(false, 1), now);
        assert_eq!(action, Some(Action::WakeAt(now + Duration::from_secs(seconds))));
        assert_eq!(
            (machine.state(), machine.backoff_over()),
            (ServiceState::Backoff, Some(Action::Launch))
        );
        machine.launched();
    }
    assert_eq!(machine.ended(&policy, finish(false, 1), now), None);
    assert_eq!((machine.state(), machine.restarts()), (ServiceState::Fatal, 5));
}

#[test]
fn long_run_or_manual_start_resets_the_count() {
    let mut machine = running();
    for lasted in [1, 1, 60, 1] {
        machine.ended(&at_once(), finish(false, lasted), Instant::now());
        machine.launched();
    }
    assert_eq!(machine.attempts(), 2);
    for _ in 0..2 {
        machine.ended(&at_once(), finish(false, 1), Instant::now());
        machine.launched();
    }
    assert_eq!(machine.state(), ServiceState::Fatal);
    machine.start().unwrap();
    assert_eq!(machine.attempts(), 0);
}

#[test]
fn mode_decides_which_ends_cause_a_restart() {
    for (mode, success, failure) in [
        (RestartMode::Always, ServiceState::Restarting, ServiceState::Restarting),
        (RestartMode::OnFailure, ServiceState::Exited, ServiceState::Restarting),
        (RestartMode::Never, ServiceState::Exited, ServiceState::Crashed),
    ] {
        for (is_success, state) in [(true, success), (false, failure)] {
            let mut machine = running();
            let policy = RestartPolicy { mode, ..at_once() };
            machine.ended(&policy, finish(is_success, 1), Instant::now());
            assert_eq!(machine.state(), state, "{mode:?} {is_success}");
        }
    }
}

#[test]
fn failed_launch_is_retried_like_a_failed_run() {
    let mut machine = StateMachine::new();
    machine.start().unwrap();
    machine.dependencies_met();
    for _ in 0..3 {
        assert_eq!(machine.launch_failed(&at_once(), Instant::now()), Some(Action::Launch));
    }
    assert_eq!(machine.launch_failed(&at_once(), Instant::now()), None);
    assert_eq!(machine.state(), ServiceState::Fatal);
}

#[test]
fn stop_during_a_launch_ends_the_launched_run() {
    let mut machine = StateMachine::new();
    machine.start().unwrap();
    machine.dependencies_met();
    assert_eq!(machine.stop(EndedBy::Kill, Leftovers::None), Ok(None));
    assert_eq!(machine.state(), ServiceState::Stopping);
    assert_eq!(machine.launched(), Some(Action::End(EndedBy::Kill)));
    assert_eq!(machine.tree_gone(&policy(), Instant::now()), None);
    assert_eq!(machine.state(), ServiceState::Stopped);
}

#[test]
fn stop_cancels_the_start_of_a_restart() {
    let mut machine = running();
    assert_eq!(machine.restart(EndedBy::Restart), Some(Action::End(EndedBy::Restart)));
    assert_eq!(machine.restart(EndedBy::Restart), None);
    assert_eq!(machine.stop(EndedBy::Kill, Leftovers::None), Ok(None));
    assert_eq!(machine.tree_gone(&policy(), Instant::now()), None);
    assert_eq!((machine.state(), machine.restarts()), (ServiceState::Stopped, 0));
}

#[test]
fn failed_checks_restart_in_any_mode_and_count() {
    let never = RestartPolicy { mode: RestartMode::Never, ..at_once() };
    let mut machine = running();
    assert_eq!(machine.fail(Duration::from_secs(1)), Some(Action::End(EndedBy::Health)));
    assert_eq!(machine.fail(Duration::from_secs(1)), None);
    assert_eq!(machine.tree_gone(&never, Instant::now()), Some(Action::Launch));
    assert_eq!((machine.attempts(), machine.restarts()), (1, 1));
}

#[test]
fn restart_during_a_launch_replaces_the_launched_run() {
    let mut machine = StateMachine::new();
    machine.start().unwrap();
    machine.dependencies_met();
    assert_eq!(machine.restart(EndedBy::Restart), None);
    assert_eq!(machine.launched(), Some(Action::End(EndedBy::Restart)));
    assert_eq!(machine.tree_gone(&policy(), Instant::now()), Some(Action::Await));
    assert_eq!((machine.dependencies_met(), machine.restarts()), (Some(Action::Launch), 1));
}

#[test]
fn stop_ends_leftovers_of_an_ended_run() {
    for mut machine in in_every_state() {
        if machine.state().is_down() || machine.state() == ServiceState::Backoff {
            let ending = Ok(Some(Action::End(EndedBy::Kill)));
            assert_eq!(machine.stop(EndedBy::Kill, Leftovers::Live), ending);
            assert_eq!(machine.state(), ServiceState::Stopping);
        }
    }
}
