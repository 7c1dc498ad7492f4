//! `ProcessManager`: the life of one command, from its start to the end of its last process.
//!
//! Two locks. `operation` is held over a whole start or restart, so that two never interleave;
//! `state` for a copy or an assignment, so that a status never waits for a restart. A kill takes
//! only `state`: it joins an ending in progress, cuts its grace short, and cancels the start that
//! was to follow.

mod config;
mod error;
mod history;
mod input;
mod launching;
mod old_logs;
mod process_manager;
mod recording;
mod run;
mod run_events;
mod run_set;
mod session;
mod spec;
mod spec_cache;
mod state;
mod stop;
mod timeout;

pub use config::{ManagerConfig, Metering, Numbering, Observer, RunObserver, SECONDS_MAX};
pub use error::Error;
pub use history::{PastRun, STRAYS_TIMEOUT, recover};
pub use input::{EndsInput, Written};
pub use process_manager::{Ending, KillReport, ProcessManager};
pub use run::{End, EndedLeftover, RunView, Snapshot};
pub use run_events::{RunChange, RunEvents};
pub use run_set::{FoundRun, ManagedRun, RunFilter, RunSet};
pub use session::{Exec, ExecRequest, ExecState, Session, SessionShell};
pub use spec::RunSpec;
