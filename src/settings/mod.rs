//! The settings: flags, environment, file and defaults, defined by one table.

mod command_line;
mod ctl;
mod env_file;
mod error;
mod export;
mod load;
mod secret;
mod table;

pub use clap::ArgMatches;
pub use clap_complete::Shell;
pub use command_line::{McpServer, Task, command_line, completions_of, manual_of};
pub use ctl::Destination;
pub use env_file::{EnvFile, RUST_LOG, is_writable_by_others};
pub use error::SettingError;
pub use export::ExportOptions;
pub use load::{Loaded, Sources, load};
pub use secret::{Secret, token};
pub use table::{
    CREDENTIALS_DIRECTORY, ENVIRONMENT_PREFIX, Mode, SETTINGS, Setting, Settings,
    is_allowed_in_dotenv,
};
