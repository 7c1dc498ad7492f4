//! Tests of the LLM Shell over HTTP.

mod conventions;
mod cursors;
mod ending;
mod ends;
mod environment;
mod following;
mod history;
mod idempotency;
mod input;
mod log_directory;
mod logs;
mod output;
mod programs;
mod reading;
mod restart;
mod retention;
mod runs;
mod searching;
mod sessions;
mod shutdown;
mod start;
mod terminal;
mod text_report;
mod until;
mod workflow;
