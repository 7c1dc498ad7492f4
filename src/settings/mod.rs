//! What the server is told: flag, then environment, then file, then default, by one table.

mod command_line;
mod ctl;
mod env_file;
mod export;
mod load;
mod secret;
mod table;

pub use clap::ArgMatches;
pub use clap_complete::Shell;
pub use command_line::{Task, command_line, completions_of, manual_of};
pub use ctl::Destination;
pub use env_file::{EnvFile, RUST_LOG, is_writable_by_others};
pub use export::ExportOrder;
pub use load::{Loaded, SettingFault, Sources, load};
pub use secret::{Secret, token};
pub use table::{
    CREDENTIALS_DIRECTORY, ENVIRONMENT_PREFIX, Mode, SETTINGS, Setting, Settings,
    may_stand_in_dotenv,
};
