//! Helpers of unit tests that run commands.

use super::{CommandLine, Input, Launch, Reaper};
use nix::sys::prctl;
use std::sync::LazyLock;

/// Returns the one reaper of the test binary: a second would collect what the first has launched.
#[must_use]
pub fn reaper() -> &'static Reaper {
    static REAPER: LazyLock<Reaper> = LazyLock::new(|| {
        prctl::set_child_subreaper(true).unwrap();
        Reaper::start().unwrap()
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
        cgroup: None,
        marks: Vec::new(),
    }
}
