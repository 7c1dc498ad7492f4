//! What unit tests that run commands stand on.

use super::Reaper;
use nix::sys::prctl;
use std::sync::LazyLock;

/// The one reaper of the test binary: a second would collect what the first has launched.
#[must_use]
pub fn reaper() -> &'static Reaper {
    static REAPER: LazyLock<Reaper> = LazyLock::new(|| {
        prctl::set_child_subreaper(true).unwrap();
        Reaper::start().unwrap()
    });
    &REAPER
}
