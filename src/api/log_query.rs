//! What a request for logs asks for.

use super::accept::preferred;
use super::parameters;
use crate::error::Error;
use crate::http::{Problem, Query, Request};
use crate::logs::{FOLD_BYTES_MIN, Filter, Range, Selection, now};
use std::ops;
use std::sync::Arc;
use std::time::Duration;

/// The largest content that can be cut to, in bytes: what is kept is in memory meanwhile.
const CONTENT_BYTES_MAX: usize = 1024 * 1024;

/// The form of one entry a line.
pub const NDJSON: &str = "application/x-ndjson";

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A `LogsResponse`.
    Json,
    /// The content alone.
    Text,
    /// An entry a line.
    Ndjson,
    /// Server-Sent Events.
    Events,
}

/// What a log is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOf<'a> {
    /// The last run, by its id: all of it, where nothing else is said, and only as long as it is
    /// the one that is asked for, where one is.
    LastRun(&'a str),
    /// One run, by its id: all of it, where nothing else is said.
    Run(&'a str),
    /// A service: its last hundred lines, where nothing else is said, and maybe one run alone.
    Service,
}

/// How many lines of a service's log are given where nothing else is said.
const SERVICE_LINES_DEFAULT: u64 = 100;

/// What a request for logs asks for, whole and valid.
#[derive(Debug)]
pub struct LogQuery {
    /// Which lines.
    pub selection: Selection,
    /// In which form.
    pub form: Form,
    /// How large the content may be.
    pub bytes_max: Option<usize>,
    /// How long to wait for a line behind the cursor.
    pub wait: Option<Duration>,
    /// Whether to go on with what comes.
    pub follows: bool,
    /// Whether an event stream that broke off is taken up again.
    pub resumes: bool,
    /// The run whose lines alone are wanted.
    pub run_id: Option<String>,
    /// Whether the cursor was of another run, or beyond the log, and was put at its beginning.
    pub cursor_reset: bool,
    /// Path and filters, for a request that asks for what was left out.
    pub again: Again,
}

/// What becomes of escape sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// They are as they were printed.
    Kept,
    /// They are taken out.
    Stripped,
}

/// How what was left out is asked for.
#[derive(Clone, Debug)]
pub enum Again {
    /// By another request.
    Request {
        /// Of what.
        path: String,
        /// By which filters.
        filters: String,
    },
    /// By another call of a tool, for which a handler asks: with these words before and behind.
    Call {
        /// The tool, and whose lines.
        whose: String,
        /// By which filters.
        filters: String,
    },
}

impl Again {
    /// The request for so many lines after one.
    pub fn request(&self, after: u64, limit: u64) -> String {
        match self {
            Self::Request { path, filters } => {
                format!("GET {path}?after={after}&limit={limit}{filters}")
            }
            Self::Call { whose, filters } => {
                format!("{whose} after={after} limit={limit}{filters}")
            }
        }
    }

    /// How long that may get, in bytes.
    pub fn bytes_max(&self) -> usize {
        self.request(u64::MAX, u64::MAX).len()
    }
}

impl LogQuery {
    /// Reads the query and the headers.
    ///
    /// # Errors
    /// 400 for a parameter that is unknown, malformed, or that another one excludes.
    pub fn read(request: &Request<'_>, of: LogOf<'_>) -> Result<Self, Problem> {
        let mut query = request.query()?;
        let run_id = match of {
            LogOf::LastRun(last) => same_run(query.take("run_id"), last)?,
            LogOf::Run(_) => None,
            LogOf::Service => query.take("run"),
        };
        let follows = parameters::flag(&mut query, "follow")?;
        let form = form(&mut query, request.header("accept"), follows)?;
        let resumed = request.header("last-event-id").filter(|_| form == Form::Events);
        let resumed = resumed.and_then(|id| Cursor::read(id, of));
        let limit = parameters::count(&mut query, "limit")?;
        let default = match of {
            LogOf::Service if limit.is_none() => Range::Last(SERVICE_LINES_DEFAULT),
            LogOf::Service | LogOf::Run(_) | LogOf::LastRun(_) => Range::All,
        };
        let range = range(&mut query, resumed.map(|it| it.line), default)?;
        let wait = parameters::wait(&mut query, "wait")?;
        let bytes_max = parameters::count(&mut query, "max_bytes")?;
        let (grep, strips) = (query.take("grep"), parameters::flag(&mut query, "strip_ansi")?);
        query.finish()?;
        let filter = Filter::new(grep.as_deref(), strips, Some(Arc::new(request.client_watch())))?;
        let read = Self {
            selection: Selection { range, limit, filter },
            form,
            bytes_max: bytes_max.map(bytes).transpose()?,
            wait,
            follows,
            resumes: resumed.is_some(),
            cursor_reset: resumed.is_some_and(|cursor| cursor.is_of_another_run),
            again: again(request, of, run_id.as_deref(), grep, strips),
            run_id,
        };
        read.check()?;
        Ok(read)
    }

    /// What is answered of a run's output beside its state, from `range` on: cut to
    /// `bytes_max`, or to what is ever held in memory.
    ///
    /// # Errors
    /// 400 for a size that cannot be.
    pub fn of_output(
        run_id: &str,
        range: Range,
        bytes_max: Option<u64>,
        escapes: Escapes,
    ) -> Result<Self, Problem> {
        let bytes_max = bytes_max.map_or(Ok(CONTENT_BYTES_MAX), bytes)?;
        Ok(Self {
            selection: Selection {
                range,
                limit: None,
                filter: Filter::new(None, escapes == Escapes::Stripped, None)?,
            },
            form: Form::Json,
            bytes_max: Some(bytes_max),
            wait: None,
            follows: false,
            resumes: false,
            run_id: None,
            cursor_reset: false,
            again: Again::Request { path: format!("/runs/{run_id}/logs"), filters: String::new() },
        })
    }

    /// Has the cursor fit a log with lines of these numbers: one that is beyond them is of a log
    /// that was longer, and begins anew, so that no line is passed over.
    pub fn fit_cursor(&mut self, lines: &ops::Range<u64>) {
        let Range::After(after) = self.selection.range else { return };
        self.cursor_reset |= after > lines.end;
        let after = if self.cursor_reset { lines.start } else { after.max(lines.start) };
        self.selection.range = Range::After(after);
    }

    /// Refuses what makes no sense together.
    fn check(&self) -> Result<(), Problem> {
        let has_cursor = matches!(self.selection.range, Range::After(_));
        let is_tail = matches!(self.selection.range, Range::Last(_));
        let is_content = matches!(self.form, Form::Json | Form::Text);
        for (is_wrong, why) in [
            (self.wait.is_some() && !has_cursor, "wait needs after: give the last answer's next"),
            (self.wait.is_some() && self.follows, "wait and follow exclude each other: give one"),
            (
                is_tail && self.selection.limit.is_some(),
                "lines and limit exclude each other: give one",
            ),
            (self.follows && self.selection.limit.is_some(), "follow has no end: leave limit out"),
            (self.follows && self.bytes_max.is_some(), "follow has no end: leave max_bytes out"),
            (self.bytes_max.is_some() && !is_content, "max_bytes is for content: leave it out"),
        ] {
            if is_wrong {
                return Err(
                    Error::Input(format!("The parameters do not go together: {why}.")).into()
                );
            }
        }
        Ok(())
    }
}

/// Where a stream of events is taken up again.
#[derive(Clone, Copy)]
struct Cursor {
    line: u64,
    is_of_another_run: bool,
}

impl Cursor {
    /// Reads the id of an event: `RUN_ID:N`, or `N` alone. The lines of a service have numbers
    /// that go on over its runs. `None` for what is no such id.
    fn read(id: &str, of: LogOf<'_>) -> Option<Self> {
        let (run_id, line) = id.rsplit_once(':').map_or((None, id), |(run, n)| (Some(run), n));
        let line = line.parse().ok()?;
        let is_of_another_run = match of {
            LogOf::LastRun(own) | LogOf::Run(own) => run_id.is_some_and(|run_id| run_id != own),
            LogOf::Service => false,
        };
        Some(Self { line, is_of_another_run })
    }
}

/// Refuses a run that is not the last one.
fn same_run(run_id: Option<String>, last: &str) -> Result<Option<String>, Problem> {
    match run_id {
        Some(run_id) if run_id != last => {
            Err(Error::AnotherRun { run_id, last: last.to_owned() }.into())
        }
        run_id => Ok(run_id),
    }
}

fn range(query: &mut Query, resumed: Option<u64>, default: Range) -> Result<Range, Problem> {
    let lines = parameters::count(query, "lines")?;
    let seconds = parameters::seconds(query, "seconds")?;
    let after = parameters::count(query, "after")?;
    if let Some(resumed) = resumed {
        return Ok(Range::After(resumed));
    }
    match (lines, seconds, after) {
        (None, None, None) => Ok(default),
        (Some(0), None, None) => Ok(Range::All),
        (Some(lines), None, None) => Ok(Range::Last(lines)),
        (None, Some(seconds), None) => Ok(Range::Since(now() - seconds)),
        (None, None, Some(after)) => Ok(Range::After(after)),
        _ => Err(Error::Input(
            "The parameters lines, seconds and after exclude each other: give one of them."
                .to_owned(),
        )
        .into()),
    }
}

fn form(query: &mut Query, accept: Option<&str>, follows: bool) -> Result<Form, Problem> {
    let forms = [("json", Form::Json), ("text", Form::Text), ("ndjson", Form::Ndjson)];
    if let Some(form) = parameters::word(query, "format", &forms)? {
        // A stream has no JSON form: it is what curl shows best.
        return Ok(if follows && form == Form::Json { Form::Text } else { form });
    }
    // A stream has no JSON form, and an answer that ends has none as events.
    let offers: &[_] = if follows {
        &[("text/event-stream", Form::Events), (NDJSON, Form::Ndjson), ("text/plain", Form::Text)]
    } else {
        &[("application/json", Form::Json), (NDJSON, Form::Ndjson), ("text/plain", Form::Text)]
    };
    let otherwise = if follows { Form::Text } else { Form::Json };
    Ok(preferred(accept, offers).unwrap_or(otherwise))
}

fn bytes(given: u64) -> Result<usize, Problem> {
    let bytes = usize::try_from(given).ok();
    let fits = bytes.filter(|bytes| (FOLD_BYTES_MIN..=CONTENT_BYTES_MAX).contains(bytes));
    fits.ok_or_else(|| {
        let (min, max) = (FOLD_BYTES_MIN, CONTENT_BYTES_MAX);
        Error::Input(format!("The parameter max_bytes is {given}: give {min} to {max}.")).into()
    })
}

fn again(
    request: &Request<'_>,
    of: LogOf<'_>,
    run_id: Option<&str>,
    grep: Option<String>,
    strips_ansi: bool,
) -> Again {
    // Of this run, whichever is the last one then.
    let (path, whose, run_id) = match of {
        LogOf::LastRun(run_id) | LogOf::Run(run_id) => {
            (format!("/runs/{run_id}/logs"), format!("read_logs run_id={run_id}"), None)
        }
        LogOf::Service => {
            let whose = format!("service_logs name={}", request.param("service"));
            (request.path().to_owned(), whose, run_id)
        }
    };
    if !request.is_inner() {
        return Again::Request { path, filters: filters(run_id, grep, strips_ansi) };
    }
    let run = run_id.map(|run_id| format!(" run={run_id}"));
    let grep = grep.map(|grep| format!(" grep={}", serde_json::Value::from(grep)));
    Again::Call { whose, filters: run.unwrap_or_default() + &grep.unwrap_or_default() }
}

fn filters(run_id: Option<&str>, grep: Option<String>, strips_ansi: bool) -> String {
    let mut filters = form_urlencoded::Serializer::new(String::new());
    if let Some(run_id) = run_id {
        filters.append_pair("run", run_id);
    }
    if let Some(grep) = grep {
        filters.append_pair("grep", &grep);
    }
    if strips_ansi {
        filters.append_pair("strip_ansi", "true");
    }
    let filters = filters.finish();
    if filters.is_empty() { filters } else { format!("&{filters}") }
}
