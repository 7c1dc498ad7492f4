//! What `llm-shell ctl` was told to do.

use std::collections::BTreeMap;
use std::time::Duration;

/// One order.
#[derive(Clone, Debug, PartialEq)]
pub struct CtlCommand {
    /// What is to be done.
    pub verb: Verb,
    /// Whether the answer is printed as the server gave it.
    pub is_json: bool,
    /// How long to wait until it has come about.
    pub wait: Option<Duration>,
}

/// What is to be done. Of an LLM Shell there are no names; of Astra there are.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Start a command, or services.
    Start(Start),
    /// End what runs.
    Stop(Vec<String>),
    /// End it and start it again, with so much time to end by itself.
    Restart(Vec<String>, Option<Duration>),
    /// End it at once.
    Kill(Vec<String>),
    /// Tell the state.
    Status(Vec<String>),
    /// Show output.
    Logs(Vec<String>, Lines),
    /// Send a signal: a name of Astra's before it.
    Signal(Vec<String>),
    /// Write: a name of Astra's, then the text, or what stdin gives.
    Stdin(Vec<String>),
    /// Read the services file again.
    Reload(Vec<String>),
    /// Do one thing to several services.
    Bulk(String, Vec<String>),
    /// Tell whether all is well.
    Health(Vec<String>),
    /// Tell every change as it comes.
    Events,
}

/// What is to be started, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The command's words, or services.
    pub words: Vec<String>,
    /// Where.
    pub cwd: Option<String>,
    /// With which variables more.
    pub env: BTreeMap<String, String>,
    /// Whether on a terminal.
    pub is_on_terminal: bool,
    /// Whether it can be written to.
    pub has_stdin: bool,
    /// For how long at most.
    pub timeout: Option<Duration>,
}

/// Which lines are to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Whether to go on with what comes.
    pub follows: bool,
    /// How many of the last.
    pub count: Option<u64>,
    /// Those that match.
    pub grep: Option<String>,
}
