//! The command line, made from the table.

use super::export::{self, ExportOrder};
use super::orders::{self, Destination};
use super::table::{SETTINGS, Setting};
use crate::client::Order;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;

/// The settings that a client goes by: where the server is, and what it is shown.
const CLIENT_FLAGS: [&str; 6] =
    ["host", "port", "socket", "token-file", "basic-auth-file", "insecure"];

/// What `llm-shell` understands. A value is taken as text: `load` reads all sources alike.
#[must_use]
pub fn command_line() -> Command {
    let secrets = SETTINGS.iter().filter(|setting| setting.flag.is_none());
    let secrets: Vec<_> =
        secrets.map(|secret| format!("{}: {}", secret.environment, secret.help)).collect();
    let serve = Command::new("serve").about("Run the LLM Shell (what happens without a command)");
    Command::new("llm-shell")
        .version(env!("CARGO_PKG_VERSION"))
        .about("One shell command at a time over HTTP, with every line of its output on disk")
        .after_help(format!(
            "Secrets come from the environment alone, or from files:\n  {}\n\n\
             Precedence: flags, environment, .env in the working directory, defaults. Only serve\n\
             and astra read .env, but for the shell, the allowed origins and the allowed hosts.\n\
             RUST_LOG sets what is logged to stderr (default: info).",
            secrets.join("\n  ")
        ))
        .args(flags())
        .subcommands([
            serve,
            astra(),
            with_help_of(&CLIENT_FLAGS, orders::ctl()),
            mcp(),
            with_help_of(&[], check()),
            with_help_of(&[], schema()),
            with_help_of(&[], export::export(services_file("file"))),
            with_help_of(&[], completions()),
            with_help_of(&[], man()),
        ])
}

/// The flags of the settings, which every command takes.
fn flags() -> impl Iterator<Item = Arg> {
    let insecure = Arg::new("insecure")
        .long("insecure")
        .help(
            "Allow unauthenticated access from other machines; for clients, send the token over \
             plain HTTP (dangerous)",
        )
        .action(ArgAction::SetTrue)
        .global(true);
    let of_setting = |setting: &Setting| {
        let default = match (setting.default, setting.astra_default) {
            ("", None) => String::new(),
            ("", Some(astra)) => format!(" [astra: {astra}]"),
            (default, None) => format!(" [default: {default}]"),
            (default, Some(astra)) => format!(" [default: {default}, astra: {astra}]"),
        };
        let flag = Arg::new(setting.flag?)
            .long(setting.flag?)
            .value_name(setting.takes)
            .help(format!("{} [env: {}]{default}", setting.help, setting.environment))
            .global(true)
            .help_heading("Settings")
            .allow_hyphen_values(true);
        Some(flag)
    };
    SETTINGS.iter().filter_map(of_setting).chain([insecure])
}

/// A command whose help shows the flags of these settings alone: it has no use for the others.
fn with_help_of(shown: &[&str], command: Command) -> Command {
    let is_of_use = |flag: &Arg| shown.contains(&flag.get_id().as_str());
    command.args(flags().filter(|flag| !is_of_use(flag)).map(|flag| flag.hide(true)))
}

fn astra() -> Command {
    let config = services_file("config").long("config").help("Services file to go by");
    let exit_on_fatal = Arg::new("exit-on-fatal")
        .long("exit-on-fatal")
        .help("End everything, with exit code 1, when a required service is fatal or crashed")
        .action(ArgAction::SetTrue);
    Command::new("astra")
        .about("Supervise the services of a file: start, restart, check, log")
        .args([config, exit_on_fatal])
}

fn mcp() -> Command {
    let url = Arg::new("url")
        .long("url")
        .value_name("URL")
        .help("Server to talk to, a LLM Shell or Astra; without one, a LLM Shell runs inside");
    Command::new("mcp")
        .about("Speak the Model Context Protocol on stdin and stdout")
        .args([url, orders::env_file()])
}

fn services_file(id: &'static str) -> Arg {
    Arg::new(id)
        .value_name("FILE")
        .default_value("astra_services.json")
        .value_parser(value_parser!(PathBuf))
}

fn check() -> Command {
    let file = services_file("file").help("Services file to check");
    Command::new("check")
        .about("Check a services file: every fault, or the order in which services start")
        .arg(file)
}

fn schema() -> Command {
    Command::new("schema").about("Print the JSON Schema of the services file")
}

fn completions() -> Command {
    let shell = Arg::new("of-shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(value_parser!(clap_complete::Shell))
        .help("Shell to print them for");
    Command::new("completions").about("Print what completes our words in a shell").arg(shell)
}

fn man() -> Command {
    let command = Arg::new("command")
        .value_name("COMMAND")
        .num_args(0..)
        .help("Command to print the page of: man ctl logs");
    Command::new("man").about("Print a manual page").arg(command)
}

/// The script that completes our words in a shell.
#[must_use]
pub fn completions_of(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line(), "llm-shell", &mut script);
    if shell == clap_complete::Shell::Bash {
        // The generator joins words by `__subcmd__` where it looks one up, and takes the hyphen of
        // our name for such a joint where it stores one (clap #6421).
        let text = String::from_utf8_lossy(&script);
        return text.replace("llm__subcmd__shell", "llm__shell").into_bytes();
    }
    script
}

/// The manual page of a command by its words, as roff; of all of them where there are no words.
/// `None` where there is no such command.
#[must_use]
pub fn manual_of(words: &[String]) -> Option<Vec<u8>> {
    let mut command = command_line();
    command.build();
    for word in words {
        command = command.find_subcommand(word)?.clone();
    }
    let mut page = Vec::new();
    // It is written into memory.
    clap_mangen::Man::new(command).render(&mut page).ok()?;
    Some(page)
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Run the LLM Shell.
    Serve,
    /// Supervise services.
    Astra {
        /// The services file.
        config: PathBuf,
        /// Whether all is over when a required service is given up.
        exit_on_fatal: bool,
    },
    /// Ask a server that runs.
    Ctl {
        /// Which one, where that is said.
        destination: Destination,
        /// What of it.
        order: Order,
    },
    /// Speak the Model Context Protocol on stdin and stdout.
    Mcp {
        /// The server to talk to; `None` for one inside.
        url: Option<String>,
        /// A file that settings stand in.
        env_file: Option<PathBuf>,
    },
    /// Check a services file.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print the JSON Schema of the services file.
    Schema,
    /// Print manifests for an orchestrator.
    Export(ExportOrder),
    /// Print what completes our words in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print a manual page.
    Man {
        /// The words of the command that it is of.
        command: Vec<String>,
    },
}

impl Task {
    /// What a parsed command line asks for.
    #[must_use]
    pub fn of(flags: &ArgMatches) -> Self {
        match flags.subcommand() {
            Some(("astra", flags)) => Self::Astra {
                config: flags.get_one("config").cloned().unwrap_or_default(),
                exit_on_fatal: flags.get_flag("exit-on-fatal"),
            },
            Some(("ctl", flags)) => {
                let (destination, order) = orders::order(flags);
                Self::Ctl { destination, order }
            }
            Some(("mcp", flags)) => Self::Mcp {
                url: flags.get_one("url").cloned(),
                env_file: flags.get_one("env-file").cloned(),
            },
            Some(("check", flags)) => {
                Self::Check { file: flags.get_one("file").cloned().unwrap_or_default() }
            }
            Some(("schema", _)) => Self::Schema,
            Some(("export", flags)) => Self::Export(ExportOrder::of(flags)),
            Some(("completions", flags)) => Self::Completions {
                shell: flags.get_one("of-shell").copied().unwrap_or(clap_complete::Shell::Bash),
            },
            Some(("man", flags)) => Self::Man {
                command: flags.get_many("command").unwrap_or_default().cloned().collect(),
            },
            _ => Self::Serve,
        }
    }
}
