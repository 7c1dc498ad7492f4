//! The command line, made from the table.

use super::table::SETTINGS;
use clap::{Arg, ArgAction, Command};

/// What `llm-shell` understands. A value is taken as text: `load` reads all sources alike.
#[must_use]
pub fn command_line() -> Command {
    let flags = SETTINGS.iter().map(|setting| {
        Arg::new(setting.flag)
            .long(setting.flag)
            .value_name(setting.takes)
            .help(format!(
                "{} [env: {}] [default: {}]",
                setting.help, setting.environment, setting.default
            ))
            .global(true)
            .allow_hyphen_values(true)
    });
    let insecure = Arg::new("insecure")
        .long("insecure")
        .help("Listen beyond loopback although whoever gets there has a shell")
        .action(ArgAction::SetTrue)
        .global(true);
    let serve = Command::new("serve").about("Run the LLM Shell (what happens without a command)");
    Command::new("llm-shell")
        .version(env!("CARGO_PKG_VERSION"))
        .about("One shell command at a time over HTTP, with every line of its output on disk")
        .after_help(
            "Settings come from flags, then the environment, then .env in the working directory.\n\
             RUST_LOG sets what is logged to stderr (default: info).",
        )
        .args(flags)
        .arg(insecure)
        .subcommand(serve)
}
