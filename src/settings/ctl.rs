//! `llm-shell ctl` on the command line.

use crate::client::{CtlCommand, Lines, Start, Verb};
use crate::ops::WAIT_MAX;
use crate::runs::SECONDS_MAX;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The default of `--wait`, in seconds.
const WAIT_DEFAULT: &str = "60";

/// Creates the command with its subcommands.
pub fn ctl() -> Command {
    let url = Arg::new("url")
        .long("url")
        .value_name("URL")
        .help("URL of the server; by default the one at --socket, or at --host and --port")
        .value_parser(web_address)
        .global(true);
    let token = Arg::new("token")
        .long("token")
        .value_name("TOKEN")
        .help("Token; visible to other users in ps, unlike a file or the environment")
        .global(true);
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print the answer of the server as JSON")
        .global(true);
    Command::new("ctl")
        .about("Control a running LLM Shell or Astra server")
        .after_help(
            "Exit code 0: success. 1: the server cannot be reached or refused the request, or \
             something is unhealthy. 2: invalid usage. `start --wait` exits with the code of the \
             command, or with 124 if the wait is over.",
        )
        .subcommand_required(true)
        .args([url, token, env_file(), json])
        .subcommands(verbs())
}

/// Creates the flag for a file with settings.
pub fn env_file() -> Arg {
    Arg::new("env-file")
        .long("env-file")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("File with LLM_SHELL_* settings; .env is not read")
        .global(true)
}

fn verbs() -> Vec<Command> {
    vec![
        start(),
        Command::new("stop")
            .about("Stop the command, or services")
            .args([wait(), names()])
            .after_help(examples(&[
                "stop # the command of an LLM Shell",
                "stop web --wait # a service of Astra, until it is down",
            ])),
        restart(),
        Command::new("kill")
            .about("Kill the command, or services, with SIGKILL")
            .arg(names())
            .after_help(examples(&["kill", "kill web worker"])),
        Command::new("status").about("Show the state").args([wait(), names()]).after_help(
            examples(&[
                "status",
                "status --wait=30 # until the command has ended",
                "status web --json",
            ]),
        ),
        logs(),
        Command::new("signal")
            .about("Send a signal to the command, or to a service")
            .arg(positional("[NAME] SIGNAL").num_args(1..=2).required(true))
            .after_help(examples(&["signal INT", "signal web HUP"])),
        Command::new("stdin")
            .about("Write a line, or stdin, to the command or to a service")
            .args([positional("[NAME] TEXT").num_args(0..), rest("TEXT")])
            .after_help(examples(&[
                "stdin yes",
                "stdin web -- --a text with hyphens",
                "stdin < answers",
            ])),
        Command::new("reload")
            .about("Reload the services file and apply the changes")
            .args([wait(), names()])
            .after_help(examples(&["reload", "reload web --wait"])),
        bulk(),
        Command::new("health")
            .about("Show the health, or run health checks of services")
            .arg(names())
            .after_help(examples(&["health", "health web"])),
        Command::new("events")
            .about("Stream changes of services")
            .after_help(examples(&["events --json"])),
    ]
}

fn wait() -> Arg {
    Arg::new("wait")
        .long("wait")
        .value_name("SECONDS")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value(WAIT_DEFAULT)
        .value_parser(|text: &str| seconds_up_to(WAIT_MAX.as_secs_f64(), text))
        .help("Wait until it has ended or settled: 60 seconds by default, at most 600")
}

/// Formats the examples of a help text.
fn examples(of: &[&str]) -> String {
    let lines = of.iter().map(|line| format!("\n  llm-shell ctl {line}"));
    format!("Examples:{}", lines.collect::<String>())
}

fn positional(name: &'static str) -> Arg {
    Arg::new("args").value_name(name)
}

/// Creates the argument for what follows `--`.
fn rest(name: &'static str) -> Arg {
    Arg::new("rest").value_name(name).num_args(1..).last(true).help("Taken literally")
}

fn names() -> Arg {
    let hint = ValueHint::Other;
    Arg::new("names")
        .value_name("NAME")
        .num_args(0..)
        .value_hint(hint)
        .help("Names of services (Astra)")
}

fn seconds(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("SECONDS")
        .allow_negative_numbers(true)
        .value_parser(|text: &str| seconds_up_to(SECONDS_MAX, text))
        .help(help)
}

/// Parses a number of seconds up to the maximum of the server.
fn seconds_up_to(max: f64, text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=max).contains(number));
    number.ok_or_else(|| format!("give a number of seconds from 0 to {max}"))
}

fn start() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("start")
        .about("Start a command, or services")
        .arg(Arg::new("cwd").long("cwd").value_name("DIRECTORY").help("Working directory"))
        .arg(
            Arg::new("env")
                .long("env")
                .value_name("NAME=VALUE")
                .action(ArgAction::Append)
                .value_parser(variable)
                .help("Environment variable to set; can be repeated"),
        )
        .arg(flag("pty", "Run it on a terminal"))
        .arg(flag("stdin", "Keep stdin open"))
        .arg(seconds("timeout", "Kill it after this time"))
        .args([
            wait().help(
                "Wait until it has ended, printing its output, or until services have settled: 60 \
                 seconds by default, at most 600",
            ),
            positional("COMMAND or NAME")
                .num_args(1..)
                .required_unless_present("rest")
                .help("Command for the shell, or names of services (Astra)"),
            rest("PROGRAM").help("Command for the shell, or a program and its arguments"),
        ])
        .after_help(examples(&[
            "start 'make test' --wait",
            "start --cwd site -- python3 -m http.server 8080",
            "start web worker",
        ]))
}

fn restart() -> Command {
    let timeout = seconds("timeout", "Time from SIGTERM to SIGKILL");
    Command::new("restart")
        .about("Restart the command, or services")
        .args([timeout, wait(), names()])
        .after_help(examples(&["restart --timeout 2", "restart web --wait"]))
}

fn logs() -> Command {
    let count = value_parser!(u64);
    Command::new("logs")
        .about("Show output")
        .arg(
            Arg::new("follow")
                .short('f')
                .long("follow")
                .action(ArgAction::SetTrue)
                .help("Follow output"),
        )
        .arg(
            Arg::new("lines")
                .short('n')
                .long("lines")
                .value_name("N")
                .value_parser(count)
                .help("Show the last N lines; 0 means all"),
        )
        .arg(
            Arg::new("grep")
                .long("grep")
                .value_name("REGEX")
                .help("Show only matching lines; (?i) ignores case"),
        )
        .arg(names())
        .after_help(examples(&["logs -n 50", "logs -f web worker", "logs --grep '(?i)error'"]))
}

fn bulk() -> Command {
    let actions = ["start", "stop", "restart", "reload"];
    Command::new("bulk")
        .about("Act on several services, in the order of their dependencies")
        .arg(Arg::new("action").value_name("ACTION").required(true).value_parser(actions))
        .args([names().num_args(1..).required(true), wait()])
        .after_help(examples(&["bulk restart web worker --wait"]))
}

fn web_address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let is_address =
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace));
    if is_address { Ok(text.to_owned()) } else { Err("give http://HOST:PORT".to_owned()) }
}

/// The server that the command line names, in addition to the settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Destination {
    /// The URL.
    pub url: Option<String>,
    /// The token.
    pub token: Option<String>,
    /// The settings file.
    pub env_file: Option<PathBuf>,
}

impl fmt::Debug for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Destination").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Returns the server and the command of a parsed command line.
pub fn ctl_command(flags: &ArgMatches) -> (Destination, CtlCommand) {
    let (name, matches) = flags.subcommand().unwrap_or(("status", flags));
    let wait = matches.try_get_one::<f64>("wait").ok().flatten().copied();
    let command = CtlCommand {
        verb: verb(name, matches),
        is_json: matches.get_flag("json"),
        wait: wait.map(Duration::from_secs_f64),
    };
    let (url, token) = (matches.get_one("url").cloned(), matches.get_one("token").cloned());
    (Destination { url, token, env_file: matches.get_one("env-file").cloned() }, command)
}

fn verb(name: &str, matches: &ArgMatches) -> Verb {
    let many = |id: &str| -> Vec<String> {
        matches.get_many::<String>(id).map(|values| values.cloned().collect()).unwrap_or_default()
    };
    let args = || {
        let rest = matches.try_get_many::<String>("rest").ok().flatten().unwrap_or_default();
        many("args").into_iter().chain(rest.cloned()).collect()
    };
    let duration_of = |id: &str| matches.get_one::<f64>(id).copied().map(Duration::from_secs_f64);
    match name {
        "start" => Verb::Start(Start {
            args: args(),
            cwd: matches.get_one::<String>("cwd").cloned(),
            env: many("env").iter().map(|variable| pair(variable)).collect(),
            is_on_terminal: matches.get_flag("pty"),
            has_stdin: matches.get_flag("stdin"),
            timeout: duration_of("timeout"),
        }),
        "stop" => Verb::Stop(many("names")),
        "restart" => Verb::Restart(many("names"), duration_of("timeout")),
        "kill" => Verb::Kill(many("names")),
        "logs" => {
            let lines = Lines {
                follows: matches.get_flag("follow"),
                count: matches.get_one::<u64>("lines").copied(),
                grep: matches.get_one::<String>("grep").cloned(),
            };
            Verb::Logs(many("names"), lines)
        }
        "signal" => Verb::Signal(args()),
        "stdin" => Verb::Stdin(args()),
        "reload" => Verb::Reload(many("names")),
        "bulk" => {
            let action = matches.get_one::<String>("action").cloned();
            Verb::Bulk(action.unwrap_or_default(), many("names"))
        }
        "health" => Verb::Health(many("names")),
        "events" => Verb::Events,
        _ => Verb::Status(many("names")),
    }
}

/// Parses `NAME=VALUE`.
fn variable(matches: &str) -> Result<String, String> {
    let is_one = matches.split_once('=').is_some_and(|(name, _)| !name.is_empty());
    if is_one { Ok(matches.to_owned()) } else { Err("give NAME=VALUE".to_owned()) }
}

/// Splits a variable into its name and its value.
fn pair(variable: &str) -> (String, String) {
    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
    (name.to_owned(), value.to_owned())
}
