//! The command line, generated from the table of settings.

use super::ctl::{self, Destination};
use super::export::{self, ExportOptions};
use super::table::{SETTINGS, Setting};
use crate::client::CtlCommand;
use crate::protocol::Scope;
use crate::protocol::is_name;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::PathBuf;
use std::time::Duration;

/// The settings of clients: the address of the server, and credentials.
const CLIENT_FLAGS: [&str; 6] =
    ["host", "port", "socket", "token-file", "basic-auth-file", "insecure"];

/// Creates the command line of `llm-shell`. Values stay text: `load` reads all sources alike.
#[must_use]
pub fn command_line() -> Command {
    let secrets = SETTINGS.iter().filter(|setting| setting.flag.is_none());
    let secrets: Vec<_> =
        secrets.map(|secret| format!("{}: {}", secret.environment, secret.help)).collect();
    let serve = Command::new("serve").about("Run the LLM Shell (the default)").arg(
        idle_seconds("end-when-idle").help("End after these seconds without clients and runs"),
    );
    Command::new("llm-shell")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Run shell commands and supervise services over HTTP, with every output line on disk",
        )
        .after_help(format!(
            "Secrets are read from the environment or from files:\n  {}\n\n\
             Precedence: flags, environment, .env in the working directory, defaults. Only serve\n\
             and astra read .env; it cannot set the shell, the allowed origins or the allowed\n\
             hosts. RUST_LOG sets the log level on stderr (default: info).",
            secrets.join("\n  ")
        ))
        .args(flags())
        .subcommands([
            serve,
            astra(),
            with_help_of(&CLIENT_FLAGS, ctl::ctl()),
            mcp(),
            with_help_of(&[], check()),
            with_help_of(&[], token()),
            with_help_of(&[], schema()),
            with_help_of(&[], export::export(services_file("file"))),
            with_help_of(&[], completions()),
            with_help_of(&[], man()),
        ])
}

/// Creates the flags of settings, which every command takes.
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

/// Hides all flags of settings but these in the help of a command.
fn with_help_of(shown: &[&str], command: Command) -> Command {
    let is_of_use = |flag: &Arg| shown.contains(&flag.get_id().as_str());
    command.args(flags().filter(|flag| !is_of_use(flag)).map(|flag| flag.hide(true)))
}

fn astra() -> Command {
    let config = services_file("config").long("config").help("Services file");
    let exit_on_fatal = Arg::new("exit-on-fatal")
        .long("exit-on-fatal")
        .help("Shut down with exit code 1 when a required service is fatal or crashed")
        .action(ArgAction::SetTrue);
    Command::new("astra")
        .about("Supervise services that are defined in a file")
        .args([config, exit_on_fatal])
}

fn mcp() -> Command {
    let url = Arg::new("url")
        .long("url")
        .value_name("URL")
        .help("URL of an LLM Shell or Astra server; by default an LLM Shell runs in this process");
    let detach = Arg::new("detach")
        .long("detach")
        .action(ArgAction::SetTrue)
        .conflicts_with_all(["url", "socket"])
        .help(
            "Use the server of this user, whose runs survive this client: started when needed, it \
             ends after 10 minutes without clients and runs",
        );
    let idle = idle_seconds("detach-idle").default_value("600").requires("detach");
    Command::new("mcp")
        .about("Run an MCP server on stdin and stdout")
        .after_help(
            "Without --url, --socket, --detach and --log-dir the logs go to a new directory in\n\
             $XDG_STATE_HOME/llm-shell/mcp (~/.local/state/llm-shell/mcp), of which the newest 20\n\
             are kept. So any number of clients run side by side.",
        )
        .args([url, detach, idle, ctl::env_file()])
}

/// Creates a hidden option of a server that ends itself.
fn idle_seconds(name: &'static str) -> Arg {
    let seconds = |text: &str| text.parse::<u64>().map_err(|_| "expected a number of seconds");
    Arg::new(name).long(name).value_name("SECONDS").hide(true).value_parser(seconds)
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
        .about("Check a services file: print every error, or the start order")
        .arg(file)
}

fn token() -> Command {
    let name = Arg::new("name")
        .value_name("NAME")
        .required(true)
        .value_parser(|name: &str| {
            let expected = "letters, digits, `.`, `_` and `-`, 64 at most";
            if is_name(name) { Ok(name.to_owned()) } else { Err(expected) }
        })
        .help("Name of the client, as it will be in the access log and the audit");
    let scopes = Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>();
    let scope = Arg::new("scope")
        .value_name("SCOPE")
        .required(true)
        .value_parser(PossibleValuesParser::new(scopes))
        .help("What the client may do; each scope includes those before it");
    Command::new("token")
        .about("Make a token: print it, and below it its line for LLM_SHELL_TOKENS_FILE")
        .args([name, scope])
}

fn schema() -> Command {
    Command::new("schema").about("Print the JSON Schema of the services file")
}

fn completions() -> Command {
    let shell = Arg::new("of-shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(value_parser!(clap_complete::Shell))
        .help("Shell");
    Command::new("completions").about("Generate shell completions").arg(shell)
}

fn man() -> Command {
    let command = Arg::new("command")
        .value_name("COMMAND")
        .num_args(0..)
        .help("Command whose page to print, such as: man ctl logs");
    Command::new("man").about("Print a manual page").arg(command)
}

/// Generates the completions for a shell.
#[must_use]
pub fn completions_of(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line(), "llm-shell", &mut script);
    if shell == clap_complete::Shell::Bash {
        // The generator joins names by `__subcmd__` when it looks them up, and mistakes the hyphen
        // of llm-shell for such a joint when it stores them (clap #6421).
        let text = String::from_utf8_lossy(&script);
        return text.replace("llm__subcmd__shell", "llm__shell").into_bytes();
    }
    script
}

/// Renders the manual page of a command as roff; that of `llm-shell` if the path is empty. Returns
/// `None` if there is no such command.
#[must_use]
pub fn manual_of(path: &[String]) -> Option<Vec<u8>> {
    let mut command = command_line();
    command.build();
    for name in path {
        command = command.find_subcommand(name)?.clone();
    }
    let mut page = Vec::new();
    // Writing into memory.
    clap_mangen::Man::new(command).render(&mut page).ok()?;
    Some(page)
}

/// A task that the command line names.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Run the LLM Shell.
    Serve {
        /// How long it lives without clients and runs; `None` for ever.
        idle_max: Option<Duration>,
    },
    /// Supervise services.
    Astra {
        /// The services file.
        config: PathBuf,
        /// Whether to shut down when a required service gives up.
        exit_on_fatal: bool,
    },
    /// Control a running server.
    Ctl {
        /// The server, if the command line names one.
        destination: Destination,
        /// The command.
        command: CtlCommand,
    },
    /// Speak the Model Context Protocol on stdin and stdout.
    Mcp {
        /// The server.
        server: McpServer,
        /// The settings file.
        env_file: Option<PathBuf>,
    },
    /// Check a services file.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Make a token.
    Token {
        /// The name of the client.
        name: String,
        /// What it may do.
        scope: Scope,
    },
    /// Print the JSON Schema of the services file.
    Schema,
    /// Print manifests for an orchestrator.
    Export(ExportOptions),
    /// Generate shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print a manual page.
    Man {
        /// The path of the command.
        command: Vec<String>,
    },
}

/// The server of `llm-shell mcp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum McpServer {
    /// The one at the socket of the settings, or an LLM Shell in this process.
    OfSettings,
    /// The one at a URL.
    AtUrl(String),
    /// That of the user, which lives this long without clients and runs.
    OfUser(Duration),
}

impl Task {
    /// Returns the task of a parsed command line.
    #[must_use]
    pub fn of(flags: &ArgMatches) -> Self {
        match flags.subcommand() {
            Some(("astra", flags)) => Self::Astra {
                config: flags.get_one("config").cloned().unwrap_or_default(),
                exit_on_fatal: flags.get_flag("exit-on-fatal"),
            },
            Some(("ctl", flags)) => {
                let (destination, command) = ctl::ctl_command(flags);
                Self::Ctl { destination, command }
            }
            Some(("mcp", flags)) => Self::Mcp {
                server: match flags.get_one::<String>("url") {
                    Some(url) => McpServer::AtUrl(url.clone()),
                    None if flags.get_flag("detach") => {
                        McpServer::OfUser(seconds(flags, "detach-idle").unwrap_or_default())
                    }
                    None => McpServer::OfSettings,
                },
                env_file: flags.get_one("env-file").cloned(),
            },
            Some(("check", flags)) => {
                Self::Check { file: flags.get_one("file").cloned().unwrap_or_default() }
            }
            Some(("token", flags)) => {
                let text = |id| flags.get_one::<String>(id).cloned().unwrap_or_default();
                let is_it = |scope: &&Scope| scope.as_str() == text("scope");
                let scope = Scope::ALL.iter().find(is_it).copied().unwrap_or(Scope::Read);
                Self::Token { name: text("name"), scope }
            }
            Some(("schema", _)) => Self::Schema,
            Some(("export", flags)) => Self::Export(ExportOptions::of(flags)),
            Some(("completions", flags)) => Self::Completions {
                shell: flags.get_one("of-shell").copied().unwrap_or(clap_complete::Shell::Bash),
            },
            Some(("man", flags)) => Self::Man {
                command: flags.get_many("command").unwrap_or_default().cloned().collect(),
            },
            Some((_, flags)) => Self::Serve { idle_max: seconds(flags, "end-when-idle") },
            None => Self::Serve { idle_max: None },
        }
    }
}

fn seconds(flags: &ArgMatches, name: &str) -> Option<Duration> {
    flags.get_one::<u64>(name).copied().map(Duration::from_secs)
}
