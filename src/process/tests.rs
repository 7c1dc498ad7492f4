//! Helpers of unit tests that run commands.

use super::{CommandLine, Control, Input, Launch, Reaper};
use nix::sys::prctl;
use std::sync::{Arc, LazyLock};

/// Returns the one reaper of the test binary: a second would collect what the first has launched.
#[must_use]
pub fn reaper() -> &'static Arc<Reaper> {
    static REAPER: LazyLock<Arc<Reaper>> = LazyLock::new(|| {
        prctl::set_child_subreaper(true).unwrap();
        Arc::new(Reaper::start().unwrap())
    });
    &REAPER
}

/// Returns a launch of a command, with our own environment and without input.
#[must_use]
pub fn launch_of(command: CommandLine) -> Launch {
    Launch {
        command,
        shell: "/bin/sh".into(),
        directory: ".".into(),
        environment: std::env::vars_os().collect(),
        input: Input::Nothing,
        control: Control::None,
        cgroup: None,
        marks: Vec::new(),
    }
}
