//! What a request for logs asks for.

use super::accept::preferred;
use super::parameters;
use crate::error::Error;
use crate::http::{Problem, Query, Request};
use crate::logs::{FOLD_BYTES_MIN, Filter, Range, Selection, now};
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
pub enum LogOf {
    /// One run: all of it, where nothing else is said.
    Run,
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
    pub fn read(request: &Request<'_>, of: LogOf) -> Result<Self, Problem> {
        let mut query = request.query()?;
        let run_id = if of == LogOf::Service { query.take("run") } else { None };
        let follows = parameters::flag(&mut query, "follow")?;
        let form = form(&mut query, request.header("accept"), follows)?;
        let resumed = request.header("last-event-id").and_then(|id| id.parse().ok());
        let limit = parameters::count(&mut query, "limit")?;
        let default = match of {
            LogOf::Service if limit.is_none() => Range::Last(SERVICE_LINES_DEFAULT),
            LogOf::Service | LogOf::Run => Range::All,
        };
        let range = range(&mut query, resumed.filter(|_| form == Form::Events), default)?;
        let wait = parameters::wait(&mut query, "wait")?;
        let bytes_max = parameters::count(&mut query, "max_bytes")?;
        let (grep, strips) = (query.take("grep"), parameters::flag(&mut query, "strip_ansi")?);
        query.finish()?;
        let filter = Filter::new(grep.as_deref(), strips)?;
        let read = Self {
            selection: Selection { range, limit, filter },
            form,
            bytes_max: bytes_max.map(bytes).transpose()?,
            wait,
            follows,
            resumes: form == Form::Events && resumed.is_some(),
            again: again(request, of, run_id.as_deref(), grep, strips),
            run_id,
        };
        read.check()?;
        Ok(read)
    }

    /// What is answered of a command's output beside its state, from `range` on: cut to
    /// `bytes_max`, or to what is ever held in memory.
    ///
    /// # Errors
    /// 400 for a size that cannot be.
    pub fn of_output(
        range: Range,
        bytes_max: Option<u64>,
        escapes: Escapes,
    ) -> Result<Self, Problem> {
        let bytes_max = bytes_max.map_or(Ok(CONTENT_BYTES_MAX), bytes)?;
        Ok(Self {
            selection: Selection {
                range,
                limit: None,
                filter: Filter::new(None, escapes == Escapes::Stripped)?,
            },
            form: Form::Json,
            bytes_max: Some(bytes_max),
            wait: None,
            follows: false,
            resumes: false,
            run_id: None,
            again: Again::Request { path: "/logs".to_owned(), filters: String::new() },
        })
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
    of: LogOf,
    run_id: Option<&str>,
    grep: Option<String>,
    strips_ansi: bool,
) -> Again {
    if !request.is_inner() {
        let path = request.path().to_owned();
        return Again::Request { path, filters: filters(run_id, grep, strips_ansi) };
    }
    let whose = match of {
        LogOf::Run => format!("read_logs run_id={}", request.param("run_id")),
        LogOf::Service => format!("service_logs name={}", request.param("service")),
    };
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
