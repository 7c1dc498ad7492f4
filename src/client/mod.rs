//! A client of a server: one that runs elsewhere, or one within this process.

mod asking;
mod console;
mod ctl;
mod follow;
mod order;
mod services;
mod shell;
mod stream;
mod table;
mod target;
mod terminal;
mod trouble;

pub use asking::{Answer, Away, Client};
pub use console::Console;
pub use ctl::{is_ours, run};
pub use order::{Lines, Order, Start, Verb};
pub use trouble::Trouble;
