//! One probe of a health check.

use super::check::Check;
use super::prober::Prober;
use super::reason::{io_reason, no_answer};
use super::web;
use crate::catch_panic::catch_panic;
use crate::process::{
    CommandLine, Control, Input, Launch, Limit, Outcome, Reaper, run_with_timeout,
};
use std::ffi::OsString;
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Number of characters of a command's last line that are reported.
const REPORTED_CHARACTERS_MAX: usize = 200;

/// The context of a probe.
#[derive(Clone, Copy, Debug)]
pub struct ProbeContext<'a> {
    /// The reaper that runs commands.
    pub reaper: &'a Reaper,
    /// The shell that runs a command that is text, with `-c`.
    pub shell: &'a Path,
    /// The working directory of commands.
    pub directory: &'a Path,
    /// The whole environment of commands.
    pub environment: &'a [(OsString, OsString)],
    /// The marks of the run that is probed: what its checks leave behind is ended with it.
    pub marks: &'a [String],
    /// Readable when the run is gone, which ends a command.
    pub until: Option<BorrowedFd<'a>>,
}

/// Probes once, with the check's state between probes. Blocks for `timeout` at most, and for what
/// it takes to end a command that is not done by then.
///
/// # Errors
/// Why it failed, in a few words: `HTTP 500`, `connection refused`, `no answer within 5 s`.
pub fn probe(
    check: &Check,
    timeout: Duration,
    prober: &Prober,
    context: ProbeContext<'_>,
) -> Result<(), String> {
    let found = catch_panic("A health check", || match check {
        Check::Http { url } => web::get(url, timeout, prober),
        Check::Tcp { host, port } => connect(host, *port, timeout, prober),
        Check::Command(command) => run(command, timeout, prober, context),
    });
    found.unwrap_or_else(|| Err("the check itself failed, see the server's log".to_owned()))
}

fn connect(host: &str, port: u16, timeout: Duration, prober: &Prober) -> Result<(), String> {
    let deadline = Instant::now() + timeout;
    let mut why = no_answer(timeout);
    let addresses = prober.resolve(host, port, timeout);
    for address in addresses.map_err(|error| io_reason(&error, timeout))? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(_connection) => return Ok(()),
            Err(error) => why = io_reason(&error, timeout),
        }
    }
    Err(why)
}

fn run(
    command: &CommandLine,
    timeout: Duration,
    prober: &Prober,
    context: ProbeContext<'_>,
) -> Result<(), String> {
    if let Some(pid) = prober.remaining_pid() {
        return Err(format!(
            "process {pid} of the previous check cannot be killed: no new check is started"
        ));
    }
    let launch = Launch {
        command: command.clone(),
        shell: context.shell.to_owned(),
        directory: context.directory.to_owned(),
        environment: context.environment.to_vec(),
        input: Input::Nothing,
        control: Control::None,
        cgroup: None,
        marks: context.marks.to_vec(),
    };
    let ended = run_with_timeout(context.reaper, launch, Limit { timeout, until: context.until })
        .map_err(|error| error.to_string())?;
    ended.remains.into_iter().for_each(|leader| prober.keep_remaining(leader));
    let how = match ended.outcome {
        Some(Outcome::Exited(0)) => return Ok(()),
        Some(Outcome::Exited(code)) => format!("exit code {code}"),
        Some(outcome @ Outcome::Signalled(_)) => {
            format!("ended by {}", outcome.signal().unwrap_or_default())
        }
        Some(Outcome::Unknown) => "ended with an unknown status".to_owned(),
        None => no_answer(timeout),
    };
    match last_line(&ended.output) {
        Some(line) => Err(format!("{how}: {line}")),
        None => Err(how),
    }
}

/// Returns the last line that is not blank, in a form for a message.
fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(REPORTED_CHARACTERS_MAX).collect())
}
