//! Tests of the ledger by itself: what is read is what was written.

use super::*;
use crate::protocol::EndedBy;
use chrono::DateTime;

/// Maximum number of runs that the ledgers here know.
const RUNS: usize = 5;

fn end(exit_code: i32) -> EndRecord {
    EndRecord {
        at: DateTime::UNIX_EPOCH,
        exit_code: Some(exit_code),
        signal: None,
        ended_by: EndedBy::Itself,
        dropped_lines: 0,
        lasted_ms: None,
        output_at: None,
    }
}

fn log_name(number: u32) -> String {
    format!("2026-01-02_03-04-05_{number}.log")
}

fn run(number: u32) -> RunRecord {
    RunRecord {
        name: None,
        run_id: format!("{number:016x}"),
        command: "true".into(),
        cwd: "/".into(),
        pty: false,
        leader: None,
        boot_id: "boot".into(),
        created_at: DateTime::UNIX_EPOCH,
        log: log_name(number),
        lines_before: 0,
        lines_rotated: 0,
        older_part: OlderPart::Unknown,
        end: None,
        ended_as: 0,
        lines_missing: 0,
        is_log_gone: false,
    }
}

#[test]
fn ledger_is_read_back_without_torn_lines() {
    let folder = tempfile::tempdir().unwrap();
    for number in [1, 3, 4] {
        File::create(folder.path().join(log_name(number))).unwrap();
    }
    let ledger = Ledger::open(folder.path(), RUNS, Arc::default()).unwrap();
    (1..=4).for_each(|number| ledger.started(run(number)));
    let signal = Some("SIGKILL".to_owned());
    let end = EndRecord { signal, lasted_ms: Some(7), ..end(-9) };
    ledger.ended(&run(3).run_id, end.clone());
    ledger.launched(&run(1).run_id, Leader { pid: 7, start_ticks: 9 });
    ledger.started(RunRecord { log: log_name(1), ..run(5) });
    ledger.failed(&run(5).run_id);
    let older_part = OlderPart::Rotated { inode: 9, lines_before: 3 };
    ledger.rotated(&log_name(4), 12, older_part);
    ledger.missing(&log_name(4), 8);
    ledger.missing(&log_name(4), 15);
    drop(ledger);
    let path = folder.path().join(LEDGER_NAME);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"event\":\"ended\",\"run_id\":\"0000000000000001\",\"en").unwrap();
    for _ in 0..2 {
        let runs = Ledger::open(folder.path(), RUNS, Arc::default()).unwrap().runs();
        let expected = [
            RunRecord { lines_rotated: 12, older_part, lines_missing: 15, ..run(4) },
            RunRecord { end: Some(end.clone()), ended_as: 1, ..run(3) },
            RunRecord { is_log_gone: true, ..run(2) },
            RunRecord { leader: Some(Leader { pid: 7, start_ticks: 9 }), ..run(1) },
        ];
        assert_eq!(runs, expected);
    }
}

#[test]
fn invalid_names_in_a_ledger_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x"), "secret").unwrap();
    let ledger = Ledger::open(folder.path(), RUNS, Arc::default()).unwrap();
    ledger.started(run(1));
    for log in ["../x", "x", "/etc/passwd", "2026-01-02_03-04-05.log/../x"] {
        ledger.started(RunRecord { log: log.into(), ..run(2) });
    }
    for run_id in ["1", "", "000000000000000g", "../../0000000000"] {
        ledger.started(RunRecord { run_id: run_id.into(), ..run(3) });
    }
    drop(ledger);
    let runs = Ledger::open(folder.path(), RUNS, Arc::default()).unwrap().runs();
    assert_eq!(runs, [RunRecord { is_log_gone: true, ..run(1) }]);
}

#[test]
fn ends_outlive_logs_up_to_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Ledger::open(folder.path(), RUNS, Arc::default()).unwrap();
    let ledger = open();
    for number in 0..5000 {
        ledger.started(run(number));
        if number > 0 {
            ledger.ended(&run(number).run_id, end(i32::try_from(number).unwrap()));
        }
        ledger.removed(&[log_name(number)]);
    }
    // The first has no end, which the next server will look for.
    let check = |ledger: &Ledger| {
        let runs = ledger.runs();
        assert_eq!((runs.len(), &*runs[RUNS - 1].run_id), (RUNS, &*run(0).run_id));
        let codes: Vec<_> =
            runs[..RUNS - 1].iter().map(|run| run.end.as_ref()?.exit_code).collect();
        assert_eq!(codes, [Some(4999), Some(4998), Some(4997), Some(4996)]);
    };
    check(&ledger);
    let content = fs::read_to_string(folder.path().join(LEDGER_NAME)).unwrap();
    assert!(content.lines().count() <= SPARE_LINES + 4 * RUNS + 1);
    drop(ledger);
    check(&open());
}

#[test]
fn logs_are_removed_in_the_order_of_their_ends() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), RUNS, Arc::default()).unwrap();
    // As if the clock had been set back: the names have the other order.
    for number in [9, 5, 3, 1] {
        ledger.started(run(number));
    }
    for number in [5, 9, 1] {
        ledger.ended(&run(number).run_id, end(0));
    }
    let mut logs: Vec<String> = [1, 2, 3, 5, 9].map(log_name).into();
    let order = ledger.removal_order(&logs);
    logs.retain(|log| *log != log_name(3));
    let mut sorted: Vec<_> = order.iter().flatten().zip(logs).collect();
    sorted.sort();
    let sorted: Vec<_> = sorted.into_iter().map(|(_, log)| log).collect();
    assert_eq!(sorted, [2, 5, 9, 1].map(log_name));
    assert_eq!(order[2], None, "what runs is never removed");
}
