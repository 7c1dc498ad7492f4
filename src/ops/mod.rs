//! Operations that clients can request, shared by HTTP and the Model Context Protocol.
//!
//! [`Shell`] has the operations on the command of an LLM Shell, [`Services`] those on the services
//! of Astra. They take and return wire types and know neither routes nor tools: the adapters, `api`
//! and `mcp`, phrase requests and errors for their callers.

mod audit;
mod client;
mod error;
mod exec;
mod line_form;
mod log_page;
mod log_query;
mod run_events;
mod run_marks;
mod run_source;
mod run_status;
mod service_detail;
mod service_events;
pub mod service_lines;
mod service_source;
mod service_status;
mod services;
mod shell;
mod source;
mod terminal;
pub mod text_report;
mod truncator;
mod until;
mod waits;

pub use audit::{Audit, Audited, Change};
pub use client::{Client, Provenance, require};
pub use error::{Error, Result, with_advice};
pub use exec::ExecSource;
pub use line_form::LineNumbers;
pub use log_page::{begin_read, logs_response, prompt as log_prompt, unreadable, write_content};
pub use log_query::{
    ContinuationHint, Escapes, LogQuery, LogRange, WAIT_MAX, fitting_seconds, fitting_wait,
    refuse_first,
};

pub use run_events::OpenPrompts;
pub use run_marks::RunMarks;
pub use run_source::RunSource;
pub use run_status::status_of;
pub use service_detail::{Exit, ServiceDetail};
pub use service_events::ServiceEventPage;
pub use service_source::ServiceSource;
pub use service_status::event_name;
pub use services::Services;
pub use shell::{Place, RunsQuery, Shell, ShellConfig, Started, WAITED_RUNS_MAX, WaitFor, Which};
pub use source::{Named, Source};
pub use terminal::terminal_of;
pub use until::{OutputMark, Until, Waited, wait_until};
pub use waits::next_client_check;
