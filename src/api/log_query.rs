//! Query parameters and headers of a request for logs.

use super::accept::preferred;
use super::parameters;
use super::terminal::TerminalForm;
use crate::logs::Range;
use crate::ops::{
    ContinuationHint, Error, Escapes, LineNumbers, LogQuery, LogRange, Until, refuse_first,
};
use crate::runs;
use http1::{Problem, Request};

/// The media type of one entry per line.
pub const NDJSON: &str = "application/x-ndjson";

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A `LogsResponse`, or `ServiceLogs`.
    Json,
    /// The lines only.
    Text,
    /// One entry per line.
    Ndjson,
    /// Server-Sent Events.
    Events,
}

/// The log that a request reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOf<'a> {
    /// The log of the last run, by its id: all of it by default, if `run_id` does not name another
    /// one.
    LastRun(&'a str),
    /// The log of one run, by its id: all of it by default.
    Run(&'a str),
    /// The log of a service: its last hundred lines by default, optionally of one run only.
    Service,
}

/// Default number of lines of a service's log.
const SERVICE_LINES_DEFAULT: u64 = 100;

/// A validated request for logs.
#[derive(Debug)]
pub struct LogRequest {
    /// Selected lines, and the largest content.
    pub query: LogQuery,
    /// Form of the answer.
    pub form: Form,
    /// Whether to follow new output.
    pub follows: bool,
    /// Whether an interrupted event stream is resumed.
    pub resumes: bool,
    /// Set if the terminal of the run is wanted instead of its lines.
    pub terminal: Option<TerminalForm>,
    /// Restricts a service's log to one run.
    pub run_id: Option<String>,
}

impl LogRequest {
    /// Reads the query and the headers.
    ///
    /// # Errors
    /// 400 for a parameter that is unknown, malformed, or excluded by another one.
    pub fn read(request: &Request<'_>, of: LogOf<'_>) -> Result<Self, Problem> {
        let mut query = request.query()?;
        let run_id = match of {
            LogOf::LastRun(last) => same_run(query.take("run_id"), last)?,
            LogOf::Run(_) => None,
            LogOf::Service => query.take("run"),
        };
        let format = query.take("format");
        let accept = request.header("accept");
        if let Some(terminal) = TerminalForm::take(&mut query, accept, format.as_deref())? {
            query.finish()?;
            return Self::of_terminal(request, terminal, run_id);
        }
        let follows = parameters::flag(&mut query, "follow")?;
        let form = form(format, accept, follows)?;
        let resumed = request.header("last-event-id").filter(|_| form == Form::Events);
        let resumed = resumed.and_then(|id| Cursor::read(id, of));
        let limit = parameters::count(&mut query, "limit")?;
        let default = match of {
            LogOf::Service if limit.is_none() => Range::Last(SERVICE_LINES_DEFAULT),
            LogOf::Service | LogOf::Run(_) | LogOf::LastRun(_) => Range::All,
        };
        let given = LogRange {
            lines: parameters::count(&mut query, "lines")?,
            seconds: parameters::seconds(&mut query, "seconds")?,
            after: parameters::count(&mut query, "after")?,
            since: parameters::instant(&mut query, "since")?,
            before: parameters::instant(&mut query, "before")?,
        };
        let before = given.before;
        let range = match resumed {
            Some(resumed) => Range::After(resumed.line),
            None => given.or(default)?,
        };
        let wait = parameters::wait(&mut query, "wait")?;
        let until = parameters::until(&mut query, wait, request)?;
        let bytes_max = parameters::count(&mut query, "max_bytes")?;
        let (grep, strips) = (query.take("grep"), parameters::flag(&mut query, "strip_ansi")?);
        let context = parameters::count(&mut query, "context")?;
        let shows_numbers = parameters::flag(&mut query, "numbers")?;
        let numbers = if shows_numbers { LineNumbers::Shown } else { LineNumbers::Hidden };
        query.finish()?;
        let escapes = if strips { Escapes::Stripped } else { Escapes::Kept };
        let form_of_lines = FormOfLines { grep: grep.as_deref(), context, numbers, escapes };
        let hint = continuation(request, of, run_id.as_deref(), form_of_lines);
        let query = LogQuery::new(request, range, grep.as_deref(), escapes, hint)?;
        let mut query = query.with_context(context)?;
        (query.selection.limit, query.wait, query.numbers) = (limit, wait, numbers);
        query.until = until.unwrap_or(Until::Line);
        query.selection.before = before;
        query.cursor_reset = resumed.is_some_and(|cursor| cursor.is_of_another_run);
        let query = query.limited_to(bytes_max)?;
        query.check()?;
        let is_content = matches!(form, Form::Json | Form::Text);
        refuse_first(&[
            (wait.is_some() && follows, "wait and follow exclude each other: give one"),
            (follows && limit.is_some(), "a followed log has no end: omit limit"),
            (follows && before.is_some(), "a followed log has no end: omit before"),
            (
                follows && context.is_some(),
                "the lines after a match are not there yet in a followed log: omit context",
            ),
            (follows && bytes_max.is_some(), "a followed log has no end: omit max_bytes"),
            (
                bytes_max.is_some() && !is_content,
                "only the forms json and text can be cut: omit max_bytes",
            ),
        ])?;
        Ok(Self { query, form, follows, resumes: resumed.is_some(), terminal: None, run_id })
    }

    fn of_terminal(
        request: &Request<'_>,
        terminal: TerminalForm,
        run_id: Option<String>,
    ) -> Result<Self, Problem> {
        let (path, filters) = (request.path().to_owned(), String::new());
        let hint = ContinuationHint::Request { path, filters };
        let query = LogQuery::new(request, Range::All, None, Escapes::Kept, hint)?;
        let (form, follows, resumes) = (Form::Json, false, false);
        Ok(Self { query, form, follows, resumes, terminal: Some(terminal), run_id })
    }
}

/// The position at which an event stream is resumed.
#[derive(Clone, Copy)]
struct Cursor {
    line: u64,
    is_of_another_run: bool,
}

impl Cursor {
    /// Parses the id of an event: `RUN_ID:N`, or `N`. The line numbers of a service continue across
    /// its runs. `None` for any other text.
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

/// Checks that `run_id`, if given, names the last run.
fn same_run(run_id: Option<String>, last: &str) -> Result<Option<String>, Problem> {
    match run_id {
        Some(run_id) if run_id != last => {
            Err(runs::Error::AnotherRun { run_id, last: last.to_owned() }.into())
        }
        run_id => Ok(run_id),
    }
}

fn form(format: Option<String>, accept: Option<&str>, follows: bool) -> Result<Form, Problem> {
    let forms = [("json", Form::Json), ("text", Form::Text), ("ndjson", Form::Ndjson)];
    if let Some(format) = format {
        let form = forms.iter().find(|(name, _)| *name == format).map(|(_, form)| *form);
        let refused = || {
            Error::Invalid(format!(
                "The parameter format is {format:?}: give json or text or ndjson or screen or raw."
            ))
        };
        let form = form.ok_or_else(refused)?;
        // A stream has no JSON form; text is what curl shows best.
        return Ok(if follows && form == Form::Json { Form::Text } else { form });
    }
    // A stream has no JSON form, and a complete answer has no form of events.
    let offers: &[_] = if follows {
        &[("text/event-stream", Form::Events), (NDJSON, Form::Ndjson), ("text/plain", Form::Text)]
    } else {
        &[("application/json", Form::Json), (NDJSON, Form::Ndjson), ("text/plain", Form::Text)]
    };
    let default = if follows { Form::Text } else { Form::Json };
    Ok(preferred(accept, offers).unwrap_or(default))
}

/// The parameters that decide which lines of a range are shown, and how.
#[derive(Clone, Copy)]
struct FormOfLines<'a> {
    grep: Option<&'a str>,
    context: Option<u64>,
    numbers: LineNumbers,
    escapes: Escapes,
}

/// Returns how to request omitted lines: by the id of this run, which may not be the last one by
/// then.
fn continuation(
    request: &Request<'_>,
    of: LogOf<'_>,
    run_id: Option<&str>,
    lines: FormOfLines<'_>,
) -> ContinuationHint {
    let (path, run_id) = match of {
        LogOf::LastRun(run_id) | LogOf::Run(run_id) => (format!("/runs/{run_id}/logs"), None),
        LogOf::Service => (request.path().to_owned(), run_id),
    };
    let mut filters = form_urlencoded::Serializer::new(String::new());
    if let Some(run_id) = run_id {
        filters.append_pair("run", run_id);
    }
    if let Some(grep) = lines.grep {
        filters.append_pair("grep", grep);
    }
    if let Some(context) = lines.context {
        filters.append_pair("context", &context.to_string());
    }
    if lines.numbers == LineNumbers::Shown {
        filters.append_pair("numbers", "true");
    }
    if lines.escapes == Escapes::Stripped {
        filters.append_pair("strip_ansi", "true");
    }
    let filters = filters.finish();
    let filters = if filters.is_empty() { filters } else { format!("&{filters}") };
    ContinuationHint::Request { path, filters }
}
