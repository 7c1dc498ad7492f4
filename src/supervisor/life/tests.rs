//! The table of verbs and states, and what policies make of ends.

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

/// A service that is up, and has been for long enough.
fn running() -> Life {
    let mut life = Life::new();
    assert_eq!(life.start(), Ok(Action::Await));
    assert_eq!(life.dependencies_met(), Some(Action::Launch));
    assert_eq!(life.launched(), None);
    life.settle();
    life
}

fn failed(policy: &RestartPolicy) -> Life {
    let mut life = running();
    life.ended(policy, finish(false, 1), Instant::now());
    life
}

/// Services in every state, by the way that leads there.
fn in_every_state() -> Vec<Life> {
    let never = RestartPolicy { mode: RestartMode::Never, ..policy() };
    let none = RestartPolicy { max_restarts: 0, ..policy() };
    let mut exited = running();
    exited.ended(&policy(), finish(true, 1), Instant::now());
    let mut waiting = Life::new();
    waiting.start().unwrap();
    let mut starting = waiting.clone();
    starting.dependencies_met();
    starting.launched();
    let (mut stopping, mut restarting) = (running(), running());
    stopping.stop(EndedBy::Kill, Leftovers::None).unwrap();
    restarting.restart(EndedBy::Restart);
    vec![
        Life::new(),
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
fn verbs_do_what_the_table_says() {
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
    for (life, expected) in in_every_state().into_iter().zip(expected) {
        let (mut start, mut stop, mut restart) = (life.clone(), life.clone(), life.clone());
        let started = start.start().map_or("-", |_| start.state().as_str());
        let stopped =
            stop.stop(EndedBy::Kill, Leftovers::None).map_or("-", |_| stop.state().as_str());
        restart.restart(EndedBy::Restart);
        let restarted = restart.state().as_str();
        let row = format!("{} {started} {stopped} {restarted}", life.state().as_str());
        assert_eq!(row, expected);
    }
}

#[test]
fn backoff_grows_to_its_cap_and_then_it_is_fatal() {
    let policy = RestartPolicy { max_restarts: 5, ..policy() };
    let (mut life, now) = (running(), Instant::now());
    for seconds in [5, 10, 20, 40, 60] {
        let action = life.ended(&policy, finish(false, 1), now);
        assert_eq!(action, Some(Action::WakeAt(now + Duration::from_secs(seconds))));
        assert_eq!(
            (life.state(), life.backoff_over()),
            (ServiceState::Backoff, Some(Action::Launch))
        );
        life.launched();
    }
    assert_eq!(life.ended(&policy, finish(false, 1), now), None);
    assert_eq!((life.state(), life.restarts()), (ServiceState::Fatal, 5));
}

#[test]
fn long_run_or_manual_start_resets_the_count() {
    let mut life = running();
    for lasted in [1, 1, 60, 1] {
        life.ended(&at_once(), finish(false, lasted), Instant::now());
        life.launched();
    }
    assert_eq!(life.attempts(), 2);
    for _ in 0..2 {
        life.ended(&at_once(), finish(false, 1), Instant::now());
        life.launched();
    }
    assert_eq!(life.state(), ServiceState::Fatal);
    life.start().unwrap();
    assert_eq!(life.attempts(), 0);
}

#[test]
fn modes_decide_which_ends_ask_for_a_restart() {
    for (mode, success, failure) in [
        (RestartMode::Always, ServiceState::Restarting, ServiceState::Restarting),
        (RestartMode::OnFailure, ServiceState::Exited, ServiceState::Restarting),
        (RestartMode::Never, ServiceState::Exited, ServiceState::Crashed),
    ] {
        for (is_success, state) in [(true, success), (false, failure)] {
            let mut life = running();
            let policy = RestartPolicy { mode, ..at_once() };
            life.ended(&policy, finish(is_success, 1), Instant::now());
            assert_eq!(life.state(), state, "{mode:?} {is_success}");
        }
    }
}

#[test]
fn failed_launch_is_retried_like_a_failed_run() {
    let mut life = Life::new();
    life.start().unwrap();
    life.dependencies_met();
    for _ in 0..3 {
        assert_eq!(life.launch_failed(&at_once(), Instant::now()), Some(Action::Launch));
    }
    assert_eq!(life.launch_failed(&at_once(), Instant::now()), None);
    assert_eq!(life.state(), ServiceState::Fatal);
}

#[test]
fn a_stop_while_a_run_is_launched_ends_that_run() {
    let mut life = Life::new();
    life.start().unwrap();
    life.dependencies_met();
    assert_eq!(life.stop(EndedBy::Kill, Leftovers::None), Ok(None));
    assert_eq!(life.state(), ServiceState::Stopping);
    assert_eq!(life.launched(), Some(Action::End(EndedBy::Kill)));
    assert_eq!(life.tree_gone(&policy(), Instant::now()), None);
    assert_eq!(life.state(), ServiceState::Stopped);
}

#[test]
fn a_stop_cancels_the_start_that_a_restart_was_to_bring() {
    let mut life = running();
    assert_eq!(life.restart(EndedBy::Restart), Some(Action::End(EndedBy::Restart)));
    assert_eq!(life.restart(EndedBy::Restart), None);
    assert_eq!(life.stop(EndedBy::Kill, Leftovers::None), Ok(None));
    assert_eq!(life.tree_gone(&policy(), Instant::now()), None);
    assert_eq!((life.state(), life.restarts()), (ServiceState::Stopped, 0));
}

#[test]
fn failed_checks_restart_in_any_mode_and_count() {
    let never = RestartPolicy { mode: RestartMode::Never, ..at_once() };
    let mut life = running();
    assert_eq!(life.fail(Duration::from_secs(1)), Some(Action::End(EndedBy::Health)));
    assert_eq!(life.fail(Duration::from_secs(1)), None);
    assert_eq!(life.tree_gone(&never, Instant::now()), Some(Action::Launch));
    assert_eq!((life.attempts(), life.restarts()), (1, 1));
}

#[test]
fn a_restart_while_a_run_is_launched_is_of_that_run() {
    let mut life = Life::new();
    life.start().unwrap();
    life.dependencies_met();
    assert_eq!(life.restart(EndedBy::Restart), None);
    assert_eq!(life.launched(), Some(Action::End(EndedBy::Restart)));
    assert_eq!(life.tree_gone(&policy(), Instant::now()), Some(Action::Await));
    assert_eq!((life.dependencies_met(), life.restarts()), (Some(Action::Launch), 1));
}

#[test]
fn a_stop_ends_what_a_run_that_has_ended_left_behind() {
    for mut life in in_every_state() {
        if life.state().is_down() || life.state() == ServiceState::Backoff {
            let ending = Ok(Some(Action::End(EndedBy::Kill)));
            assert_eq!(life.stop(EndedBy::Kill, Leftovers::Live), ending);
            assert_eq!(life.state(), ServiceState::Stopping);
        }
    }
}
