//! Answers with the terminal of a run: its screen, and its output as printed.

use super::accept::preferred;
use super::entries::TEXT;
use super::parameters;
use crate::logs::{RawOutput, RunLog};
use crate::ops::{Error, Source, next_client_check, refuse_first, terminal_of};
use crate::permits::Permits;
use crate::protocol::ScreenResponse;
use http::{HeaderName, HeaderValue, StatusCode};
use http1::{Problem, Query, Reply, StreamBody};
use std::io::{self, Write};
use std::sync::Arc;

/// The media type of output as printed.
const OCTETS: &str = "application/octet-stream";

/// The header with the position of the first byte of an answer.
const RAW_FROM: HeaderName = HeaderName::from_static("x-raw-from");

/// The header with the position after the last byte of an answer.
const RAW_NEXT: HeaderName = HeaderName::from_static("x-raw-next");

/// Number of bytes that a stream sends at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// The parameters of a log that select lines, which a terminal does not have.
const OF_LINES: [&str; 12] = [
    "lines",
    "seconds",
    "after",
    "since",
    "before",
    "limit",
    "wait",
    "grep",
    "context",
    "numbers",
    "strip_ansi",
    "max_bytes",
];

/// A form of an answer that is about the terminal, not about lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalForm {
    /// A `ScreenResponse`.
    Screen,
    /// The lines of the screen.
    ScreenText,
    /// The bytes from this position on, as printed.
    Raw(u64),
    /// Likewise, until the run ends.
    RawFollowed(u64),
}

impl TerminalForm {
    /// Takes the form if `format` names one of these.
    pub fn take(
        query: &mut Query,
        accept: Option<&str>,
        format: Option<&str>,
    ) -> Result<Option<Self>, Problem> {
        let from = parameters::count(query, "from")?;
        let is_raw = format == Some("raw");
        refuse_first(&[(from.is_some() && !is_raw, "from needs format=raw")])?;
        if !is_raw && format != Some("screen") {
            return Ok(None);
        }
        if let Some(name) = OF_LINES.into_iter().find(|name| query.take(name).is_some()) {
            let format = format.unwrap_or_default();
            let why = format!("format={format} has no lines to select: omit {name}");
            refuse_first(&[(true, &why)])?;
        }
        let follows = parameters::flag(query, "follow")?;
        let from = from.unwrap_or(0);
        if is_raw {
            return Ok(Some(if follows { Self::RawFollowed(from) } else { Self::Raw(from) }));
        }
        refuse_first(&[(follows, "a screen cannot be followed: follow format=raw")])?;
        let forms = [("application/json", Self::Screen), ("text/plain", Self::ScreenText)];
        Ok(Some(preferred(accept, &forms).unwrap_or(Self::Screen)))
    }
}

/// Answers with the terminal of the run whose log this is.
pub fn answer(
    form: TerminalForm,
    source: &dyn Source,
    streams: &Permits,
) -> Result<Reply, Problem> {
    let (log, raw) = terminal_of(source)?;
    Ok(match form {
        TerminalForm::Screen => Reply::json(StatusCode::OK, &ScreenResponse::from(raw.screen())),
        TerminalForm::ScreenText => {
            let text = raw.screen().lines.join("\n") + "\n";
            Reply::bytes(StatusCode::OK, TEXT, text.into_bytes())
        }
        TerminalForm::Raw(from) => {
            let (from, bytes) = raw.read(from, usize::MAX).map_err(Error::from)?;
            let next = from + bytes.len() as u64;
            Reply::bytes(StatusCode::OK, OCTETS, bytes)
                .with_header(RAW_FROM, HeaderValue::from(from))
                .with_header(RAW_NEXT, HeaderValue::from(next))
        }
        TerminalForm::RawFollowed(from) => {
            let permit = streams.take()?;
            let kept = raw.positions();
            let from = if kept.contains(&from) || from == kept.end { from } else { kept.start };
            let reply = Reply::stream(StatusCode::OK, OCTETS, move |to| {
                // Returned when the stream ends, however it ends.
                let _permit = permit;
                follow(&log, &raw, from, to)
            });
            reply.with_header(RAW_FROM, HeaderValue::from(from))
        }
    })
}

/// Sends bytes until the run has ended and all of them are sent, or the client is gone.
fn follow(
    log: &Arc<RunLog>,
    raw: &RawOutput,
    mut from: u64,
    to: &mut StreamBody<'_>,
) -> io::Result<()> {
    loop {
        // Checked before the bytes are read: if it is over, all of them are there.
        let is_over = log.snapshot().is_over;
        let (begin, bytes) = raw.read(from, BLOCK_BYTES).map_err(io::Error::other)?;
        if begin != from {
            // An answer that goes on after a gap would be another screen: the client resumes.
            return Err(io::Error::other("the client reads too slowly: bytes are no longer kept"));
        }
        from += bytes.len() as u64;
        to.write_all(&bytes)?;
        if !bytes.is_empty() {
            continue;
        }
        if is_over {
            return Ok(());
        }
        to.flush()?;
        let has_news = |is_over| is_over || raw.positions().end != from;
        log.wait_until(next_client_check(), |snapshot| has_news(snapshot.is_over));
        if to.client_gone() {
            return Ok(());
        }
    }
}
