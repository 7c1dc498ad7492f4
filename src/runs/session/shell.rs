//! The shells of sessions, and the lines that control them.
//!
//! The shell is interactive, because only such a one survives an interrupt, a syntax error and
//! `${name?}` in all implementations (dash, busybox, bash, bash as sh). Each line of ours is short,
//! and what it does to the shell's state is undone in it. `\` keeps aliases away. bash drops what
//! it has read of a line when an interrupt comes, and takes the rest for a line: so they have no
//! quotes, and no rest of one does harm. In particular, a rest with `exit` is a syntax error.

use crate::process::{CommandLine, is_program};
use crate::runs::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::fmt;

/// The shell of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionShell {
    /// `/bin/sh`, whatever shell that is.
    Sh,
    /// `bash`, as found in `PATH`.
    Bash,
}

/// Lines for the shell before its first command: no line editing, job control, history, prompts,
/// or timeout; a failed `exec` does not end it, nor what busybox takes for the end of its
/// lines when a background job ends. The last one gives it the output of its commands,
/// for traps that run between two of them: until then it prints prompts.
const SET_UP: [&str; 6] = [
    "\\set +o emacs +o vi\n",
    "\\set +m\n",
    "PS1= PS2=;\\unset PS0 PROMPT_COMMAND MAILCHECK TMOUT HISTFILE\n",
    "test -n \"$BASH_VERSION\"&&\\set +o history +H&&\\shopt -s execfail\n",
    "test -n \"$BASH_VERSION\"||\\set -o ignoreeof\n",
    "\\exec >&3\n",
];

/// Where bash is looked for, if a session does not name its shell.
const SEARCHED: &str = "/bin:/usr/bin:/usr/local/bin";

/// Status of a shell that cannot report, because it has no descriptor left (`ulimit -n 5`).
const CANNOT_REPORT: i32 = 125;

/// Status of a command whose end could not be reported because of an interrupt.
const INTERRUPTED: i32 = 130;

/// Options of the shell that would act on our own lines. They are switched off after each command,
/// and on again inside the next.
const OPTIONS: [char; 3] = ['e', 'v', 'x'];

impl SessionShell {
    /// Returns its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sh => "sh",
            Self::Bash => "bash",
        }
    }

    /// Returns bash where it is installed, else sh. Blocks for the file system.
    #[must_use]
    pub fn installed() -> Self {
        let search = OsStr::new(SEARCHED);
        if is_program(OsStr::new("bash"), Some(search)) { Self::Bash } else { Self::Sh }
    }

    /// Returns its program, which is the command of a session.
    pub(in super::super) fn program(self) -> &'static str {
        match self {
            Self::Sh => "/bin/sh",
            Self::Bash => "bash",
        }
    }

    /// Returns the command with the arguments that make its program interactive.
    pub(in super::super) fn interactive(self, command: &CommandLine) -> CommandLine {
        let arguments: &[&str] = match self {
            Self::Sh => &["-i"],
            Self::Bash => &["--norc", "--noprofile", "--noediting", "-i"],
        };
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        CommandLine::Arguments(
            [program_of(command).to_owned()].into_iter().chain(arguments).collect(),
        )
    }

    /// Checks that the program is installed, for a command with this environment.
    ///
    /// # Errors
    /// `NoSuchShell`.
    pub(in super::super) fn check(
        self,
        command: &CommandLine,
        environment: &[(OsString, OsString)],
    ) -> Result<()> {
        let path = environment.iter().rev().find(|(name, _)| name == "PATH");
        let path = path.map(|(_, value)| value.as_os_str());
        let is_installed = is_program(OsStr::new(program_of(command)), path);
        if is_installed { Ok(()) } else { Err(Error::NoSuchShell { shell: self.as_str() }) }
    }
}

fn program_of(command: &CommandLine) -> &str {
    match command {
        CommandLine::Shell(text) => text,
        CommandLine::Arguments(arguments) => arguments.first().map_or("", String::as_str),
    }
}

impl fmt::Display for SessionShell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns the lines for a new shell.
pub(super) fn set_up_lines() -> &'static [&'static str] {
    &SET_UP
}

/// Returns the line that runs the script as command `number` and reports its begin and end. The
/// command gets none of the descriptors of the control: the script closes 6 itself, because the
/// shell must open it first.
pub(super) fn command_line(number: u64, input: CommandInput) -> String {
    let input = match input {
        CommandInput::Nothing => "</dev/null",
        CommandInput::Session => "<&5",
    };
    let (begin, end) =
        (format!("\\command printf b\\ {number}\\\\0 >&4"), report_line('e', number));
    format!("{begin}||{begin};\\. /proc/self/fd/6 {input} >&3 2>&3 3>&- 4>&- 5<&- 6<&7 7<&-;{end}")
}

/// Returns the line that reports the end of command `number` once more: it answers where the line
/// of the command was left (an interrupt, a syntax error).
pub(super) fn end_line(number: u64) -> String {
    report_line('f', number)
}

/// Returns the line for a report, which an interrupt may prevent once. A shell that cannot report
/// at all exits. (dash, which no interrupt prevents, has status 2 then, and seems to succeed the
/// second time.)
fn report_line(kind: char, number: u64) -> String {
    let report = format!("\\command printf {kind}\\ {number}");
    format!(
        "if {report}\\ %s\\ %s\\\\0 $? $- >&4;then :;\
         elif \\test $? -ne 2&&{report}\\ {INTERRUPTED}\\ %s\\\\0 $- >&4;then :;\
         else \\exit {CANNOT_REPORT};fi;\\set +exv\n"
    )
}

/// Returns the line that asks whether the shell reads its lines.
pub(super) fn ping_line(number: u64) -> String {
    format!("\\command printf p\\ {number}\\\\0 >&4\n")
}

/// Returns what stands before the text of a command in its script, on the same line, so that line
/// numbers in messages are those of the command.
pub(super) fn script_prefix(options: &str) -> String {
    let mut prefix = "\\command exec 6<&-;".to_owned();
    if !options.is_empty() {
        prefix.push_str("\\set -");
        prefix.push_str(options);
        prefix.push(';');
    }
    prefix
}

/// The stdin of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandInput {
    /// /dev/null.
    Nothing,
    /// What is written to the session.
    Session,
}

/// A report of the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// A command begins.
    Begin(u64),
    /// A command has ended.
    End {
        number: u64,
        code: i32,
        /// Those of its options that were switched off.
        options: String,
        /// Whether it was asked for once more.
        is_repeated: bool,
    },
    /// Answer to a ping.
    Pong(u64),
}

/// Splits what the shell has written into reports.
#[derive(Debug, Default)]
pub(super) struct ReportReader {
    partial: Vec<u8>,
}

/// Maximum number of bytes of a report: a longer one is not ours.
const REPORT_BYTES_MAX: usize = 256;

impl ReportReader {
    /// Returns the reports that are complete with these bytes.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Report> {
        let mut reports = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == 0) {
            let has_space = self.partial.len() + part.len() <= REPORT_BYTES_MAX;
            self.partial.extend_from_slice(if has_space { part } else { b"" });
            if part.ends_with(b"\0") {
                let text = std::mem::take(&mut self.partial);
                reports.extend(std::str::from_utf8(&text).ok().and_then(parse));
            }
        }
        reports
    }
}

fn parse(text: &str) -> Option<Report> {
    let mut words = text.trim_end_matches('\0').split(' ');
    let (kind, number) = (words.next()?, words.next()?.parse().ok()?);
    match kind {
        "b" => Some(Report::Begin(number)),
        "p" => Some(Report::Pong(number)),
        "e" | "f" => {
            let code = words.next()?.parse().ok()?;
            let options = words.next().unwrap_or_default();
            let options = OPTIONS.into_iter().filter(|option| options.contains(*option)).collect();
            Some(Report::End { number, code, options, is_repeated: kind == "f" })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_from_any_pieces() {
        let text = b"b 7\0e 7 130 hixB\0f 7 0 \0p 3\0";
        let end = |code, options: &str, is_repeated| {
            let options = options.to_owned();
            Report::End { number: 7, code, options, is_repeated }
        };
        let expected = [Report::Begin(7), end(130, "x", false), end(0, "", true), Report::Pong(3)];
        for size in 1..text.len() {
            let mut reader = ReportReader::default();
            let reports: Vec<Report> =
                text.chunks(size).flat_map(|bytes| reader.read(bytes)).collect();
            assert_eq!(reports, expected);
        }
    }

    #[test]
    fn what_is_no_report_is_skipped() {
        let long = [&[b'x'; 1000][..], b"\0x 1\0e 1\0b 2\0"].concat();
        assert_eq!(ReportReader::default().read(&long), [Report::Begin(2)]);
    }
}
