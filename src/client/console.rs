//! The output of `llm-shell ctl`.

use super::terminal;
use parking_lot::Mutex;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// The width of a line if the terminal's is unknown.
const WIDTH_DEFAULT: usize = 100;

/// The interval at which the waiting time is updated.
const SECOND: Duration = Duration::from_secs(1);

/// Stdout and stderr, for people or for programs.
#[derive(Debug)]
pub struct Console {
    /// Whether to use colours.
    pub has_colours: bool,
    /// The width of a line; `None` without a terminal.
    pub width: Option<usize>,
    /// Whether stdout is a terminal, which printed text must not control.
    pub is_terminal: bool,
    lines: Mutex<()>,
}

/// The meaning of a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Healthy.
    Good,
    /// Not settled yet.
    Unsettled,
    /// Unhealthy or failed.
    Bad,
    /// One of several names.
    Name(usize),
}

impl Console {
    /// Creates the console of this process; `may_colour` is false if colours are disabled.
    #[must_use]
    pub fn of_process(may_colour: bool) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let size = rustix::termios::tcgetwinsize(&stdout).ok();
        let width = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        Self {
            has_colours: is_terminal && may_colour,
            width: is_terminal.then(|| width.unwrap_or(WIDTH_DEFAULT)),
            is_terminal,
            lines: Mutex::default(),
        }
    }

    /// Creates a console without colours, with lines of this width.
    #[cfg(test)]
    #[must_use]
    pub fn plain(width: Option<usize>) -> Self {
        Self { has_colours: false, width, is_terminal: false, lines: Mutex::default() }
    }

    /// Colours a text, if colours are enabled.
    #[must_use]
    pub fn tinted(&self, text: &str, tone: Tone) -> String {
        if !self.has_colours {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => 32,
            Tone::Unsettled => 33,
            Tone::Bad => 31,
            // Blue, magenta, cyan, and their bright forms: none of those with a meaning.
            Tone::Name(number) => [34, 35, 36, 94, 95, 96][number % 6],
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Prints a line, without control sequences on a terminal. Returns whether stdout is still
    /// open.
    pub fn say(&self, line: &str) -> bool {
        let line = if self.is_terminal { terminal::line(line) } else { line.to_owned() };
        let _whole_lines = self.lines.lock();
        let mut out = io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
    }

    /// Shows the waiting time on a line of stderr while `work` runs.
    pub fn while_waiting<T: Send>(&self, what: &str, work: impl FnOnce() -> T + Send) -> T {
        if !io::stderr().is_terminal() {
            return work();
        }
        std::thread::scope(|threads| {
            let (working, is_over) = mpsc::channel::<()>();
            let worker = threads.spawn(move || {
                // Dropped when the work is done, or panics.
                let _working = working;
                work()
            });
            for seconds in 0_u64.. {
                eprint!("\r\u{1b}[KWaiting {what}: {seconds} s");
                if is_over.recv_timeout(SECOND) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            eprint!("\r\u{1b}[K");
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
