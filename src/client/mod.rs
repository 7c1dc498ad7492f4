//! Clients of a server: a remote one, or one in this process.

mod command;
mod console;
mod ctl;
mod error;
mod follow;
mod request;
mod server;
mod services;
mod shell;
mod stream;
mod table;
mod target;
mod terminal;

pub use command::{CtlCommand, Lines, Start, Verb};
pub use console::Console;
pub use ctl::{is_ours, run};
pub use error::ClientError;
pub use request::{Answer, Client, Streamed, Unreachable};
