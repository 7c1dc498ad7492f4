//! The commands of `llm-shell ctl`.

use std::collections::BTreeMap;
use std::time::Duration;

/// A command with its common options.
#[derive(Clone, Debug, PartialEq)]
pub struct CtlCommand {
    /// The action.
    pub verb: Verb,
    /// Whether to print the response as the server sent it.
    pub is_json: bool,
    /// How long to wait for completion.
    pub wait: Option<Duration>,
}

/// An action. Names are those of Astra's services; an LLM Shell has none.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Start a command, or services.
    Start(Start),
    /// Stop what is running.
    Stop(Vec<String>),
    /// Restart, with this time between SIGTERM and SIGKILL.
    Restart(Vec<String>, Option<Duration>),
    /// Kill with SIGKILL.
    Kill(Vec<String>),
    /// Show the state.
    Status(Vec<String>),
    /// Show output.
    Logs(Vec<String>, Lines),
    /// Send a signal: the signal's name, after a service's name for Astra.
    Signal(Vec<String>),
    /// Write to stdin: a service's name for Astra, then the text; without text, this stdin.
    Stdin(Vec<String>),
    /// Reload the services file.
    Reload(Vec<String>),
    /// Apply an action to several services.
    Bulk(String, Vec<String>),
    /// Show the health.
    Health(Vec<String>),
    /// Stream changes of services.
    Events,
}

/// What to start, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The command, or names of services.
    pub args: Vec<String>,
    /// The working directory.
    pub cwd: Option<String>,
    /// Additional environment variables.
    pub env: BTreeMap<String, String>,
    /// Whether to run it on a terminal.
    pub is_on_terminal: bool,
    /// Whether to keep its stdin open.
    pub has_stdin: bool,
    /// The time limit.
    pub timeout: Option<Duration>,
}

/// The lines to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Whether to follow the output.
    pub follows: bool,
    /// The number of last lines.
    pub count: Option<u64>,
    /// The pattern that lines must match.
    pub grep: Option<String>,
}
