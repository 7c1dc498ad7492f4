//! Processes at the kernel's edge: spawn, trees, signals, reaping, exit status, usage.
//!
//! No other module makes system calls about processes. A run is a *leader* (the command's own
//! process, in a session of its own) and everything that it started: the *tree*. The server is a
//! child subreaper: a process that leaves the tree's session or forks twice becomes our child when
//! its parent dies, and is found again.
//!
//! No signal is ever sent to a pid: each goes through a pidfd whose process was checked to be the
//! right one, so that a recycled pid cannot be hit.

mod background;
mod cgroup;
mod child;
mod child_setup;
mod children;
mod command_line;
mod connections;
mod error;
mod exec;
mod interrupt;
mod keeper;
mod launch;
mod leader;
mod leftovers;
mod local_keeper;
mod mark;
mod outcome;
mod pidfd;
mod procfs;
mod reaper;
mod remaining;
mod resource_limits;
mod run_with_timeout;
mod sampler;
mod setup;
mod shell_control;
mod siblings;
mod signal;
mod spawn;
mod spawner;
mod stdin;
mod terminal;
#[cfg(test)]
pub mod tests;
mod tree;
mod usage;

pub use background::{leave_session, spawn_server};
pub use cgroup::{Cgroups, NoCgroup, RunCgroup};
pub use command_line::CommandLine;
pub use connections::connections_of;
pub use error::Error;
pub use exec::is_program;
pub use interrupt::SentSignal;
pub use launch::{COMMAND_BYTES_MAX, Launch};
pub use leader::Leader;
pub use leftovers::{StrayRun, boot_id, end_strays};
pub use outcome::Outcome;
pub use procfs::command_of;
pub use reaper::{Descriptors, Launched, Reaper};
pub use resource_limits::ResourceLimits;
pub use run_with_timeout::{Ended, Limit, run_with_timeout};
pub use sampler::Sampler;
pub use setup::{
    close_memory, exit_at_once, hangup_is_ignored, is_root, prepare, raise_descriptor_limit,
};
pub use shell_control::{Control, ShellControl, Wakeup};
pub use siblings::{Launching, Siblings};
pub use signal::Signal;
pub use stdin::{Stdin, StdinClosed};
pub use terminal::{Input, TerminalSize};
pub use tree::{LeftBehind, OrphanPolicy, Orphans, Tree};
pub use usage::{BatchUsage, BatchUsageMeter, Usage, UsageMeter};
