//! Tests of pages against a slow, obvious model of a log.

use super::append::Appender;
use super::block::{BLOCK_MARGIN, Encoder};
use super::filter::Filter;
use super::folder::LogFolder;
use super::page::{Page, Range, Selection};
use super::retention::Keep;
use super::run_log::RunLog;
use super::series::LogSeries;
use super::stamp::stamp_of;
use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use std::sync::Arc;

const PIECE_BYTES: usize = 64;

fn instant(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::seconds(1_700_000_000 + second)
}

fn keep(bytes_max: u64) -> Keep {
    Keep { runs_max: 10, bytes_max, run_bytes_max: u64::MAX, records_max: 10 }
}

/// Returns these lines, one a second, as the logs of `runs` runs.
fn series_of(folder: &Arc<LogFolder>, lines: &[String], runs: usize) -> LogSeries {
    let mut logs = Vec::new();
    let mut before = 0;
    for lines in lines.chunks(lines.len().div_ceil(runs)) {
        logs.push(log_of(folder, lines, before));
        before += lines.len();
    }
    LogSeries::whole(logs)
}

/// Returns a log of these lines, rotated as often as `bytes_max` demands.
fn log_of(folder: &Arc<LogFolder>, lines: &[String], before: usize) -> Arc<RunLog> {
    let log = Arc::new(folder.new_log(instant(0), before as u64).unwrap());
    let mut appender = Appender::new(Arc::clone(&log));
    let mut encoder = Encoder::new(PIECE_BYTES);
    for (second, line) in lines.iter().enumerate() {
        let mut block = format!("{line}\n").into_bytes();
        let end = block.len();
        block.resize(end + BLOCK_MARGIN, 0);
        let stamp = stamp_of(instant(i64::try_from(before + second).unwrap()));
        let encoded = encoder.encode(&block, 0..end, &stamp);
        appender.append(encoder.output(), encoded.lines, &stamp);
    }
    log
}

/// Returns the numbers and texts of a page, and where the next one begins.
fn page_of(
    log: &LogSeries,
    range: Range,
    limit: Option<u64>,
    grep: Option<&str>,
) -> (Vec<(u64, String)>, u64) {
    let filter = Filter::new(grep, false, None).unwrap();
    page_of_selection(log, Selection { range, before: None, limit, filter })
}

fn page_of_selection(log: &LogSeries, selection: Selection) -> (Vec<(u64, String)>, u64) {
    let page = Page::select(log, selection).unwrap();
    let mut lines = Vec::new();
    let counts = page
        .for_each(|line, text| {
            lines.push((line.number, text.to_owned()));
            Ok(())
        })
        .unwrap();
    assert_eq!(counts.lines_returned, lines.len() as u64);
    assert_eq!(counts.first, lines.first().map(|(number, _)| *number));
    (lines, counts.next)
}

#[test]
fn lost_line_in_pieces_is_counted_and_reported_once() {
    let place = tempfile::tempdir().unwrap();
    let keep = keep(u64::MAX);
    let folder = Arc::new(LogFolder::open(place.path(), keep).unwrap());
    let log = Arc::new(folder.new_log(instant(0), 0).unwrap());
    let mut appender = Appender::new(Arc::clone(&log));
    let stamp = stamp_of(instant(0));
    let entry = |text: &str, end: &str| {
        let stamp = std::str::from_utf8(&stamp).unwrap();
        format!("{{\"timestamp\":\"{stamp}\",\"line\":\"{text}\"{end}}}\n").into_bytes()
    };
    let (piece, last) = (entry("piece", ",\"partial\":true"), entry("last", ""));
    // Within this second the name of the file is not checked.
    appender.append(&last, 1, &stamp);
    let full = std::fs::OpenOptions::new().append(true).open("/dev/full").unwrap();
    log.continue_in(full);
    for _ in 0..3 {
        appender.append(&piece, 0, &stamp);
    }
    assert_eq!(log.snapshot().dropped_lines, 1);
    log.continue_in(super::directory::create_file(&place.path().join("2.log")).unwrap());
    appender.append(&last, 1, &stamp);
    let all = page_of(&LogSeries::of(Arc::clone(&log)), Range::All, None, None).0;
    assert!(all[0].1.contains("1 lines are missing here"), "{all:?}");
    assert_eq!((all.len(), &*all[1].1), (2, "last"));
}

fn lines() -> impl Strategy<Value = Vec<String>> {
    let line =
        prop_oneof![6 => "[ab€]{0,30}", 1 => "[ab]{60,200}", 1 => Just("a\"\\\t\u{1}".into())];
    proptest::collection::vec(line, 1..120)
}

proptest! {
    #[test]
    fn every_page_equals_that_of_the_model(
        lines in lines(),
        runs in 1_usize..4,
        bytes_max in prop_oneof![Just(u64::MAX), 16_000_u64..48_000],
        after in 0_u64..130,
        count in 1_u64..130,
        second in 0_i64..130,
        grep in prop_oneof![2 => Just(None), 1 => Just(Some("a")), 1 => Just(Some("^b"))],
    ) {
        let place = tempfile::tempdir().unwrap();
        let folder = Arc::new(LogFolder::open(place.path(), keep(bytes_max)).unwrap());
        let log = series_of(&folder, &lines, if bytes_max == u64::MAX { runs } else { 1 });
        let (all, next) = page_of(&log, Range::All, None, None);
        let total = lines.len() as u64;
        let gone = log.snapshot().lines_gone;
        // The model: the lines that are left, with their numbers.
        let numbered = (1_u64..).zip(lines.iter().cloned());
        let left: Vec<(u64, String)> = numbered.filter(|(number, _)| *number > gone).collect();
        prop_assert_eq!((&all, next), (&left, total));
        prop_assert!(bytes_max == u64::MAX || gone < total);
        let passes = |text: &str| match grep {
            Some("a") => text.contains('a'),
            Some(_) => text.starts_with('b'),
            None => true,
        };
        let passing: Vec<_> = left.into_iter().filter(|(_, text)| passes(text)).collect();
        let skipped = passing.len().saturating_sub(usize::try_from(count).unwrap());
        let last = passing[skipped..].to_vec();
        prop_assert_eq!(page_of(&log, Range::Last(count), None, grep).0, last);
        let behind = |number: u64| passing.iter().filter(move |line| line.0 > number).cloned();
        let young = page_of(&log, Range::Since(instant(second)), None, grep).0;
        prop_assert_eq!(young, behind(u64::try_from(second).unwrap()).collect::<Vec<_>>());
        let rest = page_of(&log, Range::After(after), None, grep).0;
        prop_assert_eq!(rest, behind(after).collect::<Vec<_>>());
        // Pages joined are the log.
        let (mut joined, mut cursor) = (Vec::new(), 0);
        loop {
            let (page, next) = page_of(&log, Range::After(cursor), Some(count), grep);
            joined.extend(page);
            if next == total {
                break;
            }
            prop_assert!(next > cursor);
            cursor = next;
        }
        prop_assert_eq!(joined, passing);
    }
    #[test]
    fn pages_with_context_and_bounds_equal_those_of_the_model(
        lines in lines(),
        runs in 1_usize..4,
        (since, before) in (0_i64..130, 0_i64..130),
        count in 1_u64..40,
        context in 0_u64..5,
        grep in prop_oneof![2 => Just("^a"), 1 => Just("bb")],
    ) {
        let place = tempfile::tempdir().unwrap();
        let folder = Arc::new(LogFolder::open(place.path(), keep(u64::MAX)).unwrap());
        let log = series_of(&folder, &lines, runs);
        let passes = |text: &str| match grep {
            "^a" => text.starts_with('a'),
            _ => text.contains("bb"),
        };
        let select = |range, before: Option<i64>, limit| {
            let filter = Filter::new(Some(grep), false, None).unwrap().with_context(context);
            let before = before.map(instant);
            page_of_selection(&log, Selection { range, before, limit, filter })
        };
        // The model: line N is stamped with second N - 1.
        let within = |from: u64, to: u64| -> Vec<u64> {
            let inside = |number: &u64| *number > from && *number <= to;
            let numbered = (1_u64..).zip(&lines).filter(|(number, _)| inside(number));
            let matches = numbered.filter(|(_, text)| passes(text)).map(|(number, _)| number);
            let matches: Vec<u64> = matches.collect();
            let near = |it: &u64| matches.iter().any(|other| it.abs_diff(*other) <= context);
            (1..=lines.len() as u64).filter(inside).filter(near).collect()
        };
        let numbers = |page: Vec<(u64, String)>| -> Vec<u64> {
            page.into_iter().map(|(number, _)| number).collect()
        };
        let total = lines.len() as u64;
        let (from, to) = (u64::try_from(since).unwrap(), u64::try_from(before).unwrap());
        let (page, next) = select(Range::Since(instant(since)), Some(before), None);
        prop_assert_eq!((numbers(page), next), (within(from, to), to.min(total)));
        let all = within(0, total);
        let last = all[all.len().saturating_sub(usize::try_from(count).unwrap())..].to_vec();
        prop_assert_eq!(numbers(select(Range::Last(count), None, None).0), last);
        // Pages joined are the whole.
        let (mut joined, mut cursor) = (Vec::new(), 0);
        while cursor < total {
            let (page, next) = select(Range::After(cursor), None, Some(count));
            joined.extend(numbers(page));
            prop_assert!(next > cursor);
            cursor = next;
        }
        prop_assert_eq!(joined, all);
    }
}
