//! The LLM Shell, driven over HTTP as its users drive it.

mod conventions;
mod ending;
mod environment;
mod logs;
mod output;
mod restart;
mod shutdown;
mod start;
mod workflow;
