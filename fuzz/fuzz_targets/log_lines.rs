//! Whatever bytes as what a command prints, and as what lies in a log file.

#![no_main]

use llm_shell::logs::{
    Capture, Filter, Keep, LogFolder, LogSeries, LogWriter, Moment, OlderPart, OnEnd, Page, Range,
    RunLog, RunRecord, Selection, now,
};
use std::io::Write;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Long lines are cut early, so that short inputs do it.
const PIECE_BYTES: usize = 64;

static WRITER: LazyLock<LogWriter> =
    LazyLock::new(|| LogWriter::start(PIECE_BYTES).expect("a writer"));

static FOLDER: LazyLock<Arc<LogFolder>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let keep = Keep {
        runs_max: usize::MAX,
        bytes_max: u64::MAX,
        run_bytes_max: u64::MAX,
        records_max: usize::MAX,
    };
    Arc::new(LogFolder::open(&folder, keep).expect("a log folder"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    printed(bytes);
    damaged(bytes);
});

/// Hands on that an end was told.
struct Told(Sender<()>);

impl OnEnd for Told {
    fn record(&self, _at: Moment) {}

    fn save(&self) {}

    fn publish(&self) {
        self.0.send(()).expect("somebody waits");
    }
}

/// What is printed is read back, line by line, from the log and from its file alone.
fn printed(bytes: &[u8]) {
    let log = Arc::new(FOLDER.new_log(now(), 0).expect("a log"));
    let ((output, mut to), (end, mut ended)) =
        (std::io::pipe().expect("a pipe"), std::io::pipe().expect("a pipe"));
    let (on_end, is_over) = channel();
    WRITER.capture(Capture {
        output: output.into(),
        end: Arc::new(end.into()),
        terminal: None,
        log: Arc::clone(&log),
        on_end: Arc::new(Told(on_end)),
    });
    to.write_all(bytes).expect("the pipe takes it");
    drop(to);
    ended.write_all(b"x").expect("the pipe takes it");
    is_over.recv_timeout(Duration::from_secs(5)).expect("the writer tells the end");
    log.wait_until(std::time::Instant::now() + Duration::from_secs(5), |log| log.is_closed);

    let bare = |line: &[u8]| match line.strip_suffix(b"\n") {
        Some(line) => text(line.strip_suffix(b"\r").unwrap_or(line)),
        None => text(line),
    };
    let expected: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').map(bare).collect();
    assert_eq!(lines(&log, Range::All), expected);
    check(&log);
    assert_eq!(lines(&reopened(&log), Range::All), expected);
    FOLDER.discard(&log);
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

/// Of a file with anything in it, what is an entry is read, and the ways to read it agree.
fn damaged(bytes: &[u8]) {
    let log = FOLDER.new_log(now(), 0).expect("a log");
    std::fs::write(FOLDER.shown_name(log.name()), bytes).expect("it can be written");
    let damaged = reopened(&log);
    check(&damaged);
    let mut stored = Vec::new();
    page(&damaged, Range::All).write_stored(&mut stored).expect("it can be read");
    std::fs::write(FOLDER.shown_name(log.name()), &stored).expect("it can be written");
    let mended = reopened(&log);
    assert_eq!(lines(&damaged, Range::All), lines(&mended, Range::All));
    let mut again = Vec::new();
    page(&mended, Range::All).write_stored(&mut again).expect("it can be read");
    assert_eq!(stored, again);
    FOLDER.discard(&log);
}

/// Holds the ways to read a log against each other.
fn check(log: &Arc<RunLog>) {
    let all = lines(log, Range::All);
    assert_eq!(log.snapshot().lines, all.len() as u64 - u64::from(has_open_line(log)));
    for count in [1, 2, all.len() as u64 + 1] {
        let last = lines(log, Range::Last(count));
        assert!(all.ends_with(&last), "the last {count}: {last:?} of {all:?}");
        assert!(last.len() as u64 >= count.min(all.len() as u64), "{last:?} of {all:?}");
    }
    let ended = &all[..usize::try_from(log.snapshot().lines).expect("few")];
    for after in 0..=ended.len().min(3) {
        assert_eq!(ended_lines(log, Range::After(after as u64)), ended[after..]);
    }
    let mut escaped = b"\"".to_vec();
    page(log, Range::All).write_escaped(&mut escaped).expect("it can be read");
    escaped.push(b'"');
    let text: String = serde_json::from_slice(&escaped).expect("a JSON string");
    assert_eq!(text, all.join("\n"));
}

fn has_open_line(log: &Arc<RunLog>) -> bool {
    log.snapshot().is_line_open
}

/// The lines of a range, one that has not ended included.
fn lines(log: &Arc<RunLog>, range: Range) -> Vec<String> {
    let mut lines = ended_lines(log, range);
    if has_open_line(log) {
        let counts = page(log, range).for_each(|_, _| Ok(())).expect("it can be read");
        lines.push(counts.unfinished);
    }
    lines
}

fn ended_lines(log: &Arc<RunLog>, range: Range) -> Vec<String> {
    let (mut lines, mut next) = (Vec::new(), None);
    let mut each = |line: llm_shell::logs::Line<'_>, text: &str| {
        assert_eq!(*next.get_or_insert(line.number), line.number);
        next = Some(line.number + 1);
        lines.push(text.to_owned());
        Ok(())
    };
    page(log, range).for_each(&mut each).expect("it can be read");
    lines
}

fn page(log: &Arc<RunLog>, range: Range) -> Page {
    let filter = Filter::new(None, false, None).expect("no filter");
    let selection = Selection { range, before: None, limit: None, filter };
    Page::select(&LogSeries::of(Arc::clone(log)), selection).expect("it can be read")
}

/// The log as a later server finds it.
fn reopened(log: &RunLog) -> Arc<RunLog> {
    let run = RunRecord {
        run_id: "0".repeat(16),
        name: None,
        command: String::new(),
        cwd: String::new(),
        pty: false,
        leader: None,
        boot_id: String::new(),
        created_at: now(),
        log: log.name().to_owned(),
        lines_before: 0,
        lines_rotated: 0,
        older_part: OlderPart::Unknown,
        end: None,
        ended_as: 0,
        lines_missing: 0,
        is_log_gone: false,
    };
    Arc::new(FOLDER.old_log(&run).expect("it can be read"))
}
