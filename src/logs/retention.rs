//! Retention: removal of logs of ended runs when there are too many, or when all are too large.

use super::ledger::Ledger;
use super::names::{log_of_file, name_order, older_name, raw_name};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The smallest limit for logs, in bytes: two pipes full of lines.
pub const LOG_BYTES_MIN: u64 = 64 * 1024;

/// The limits on what is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Number of runs with their logs.
    pub runs_max: usize,
    /// Number of bytes, over all runs.
    pub bytes_max: u64,
    /// Number of bytes of one run, unless that is more than a quarter of all.
    pub run_bytes_max: u64,
    /// Number of known runs, those whose logs are gone included.
    pub records_max: usize,
}

impl Keep {
    /// Returns the maximum size of the log of one run.
    pub(super) fn run_bytes(&self) -> u64 {
        self.run_bytes_max.min(self.bytes_max / RUNS_IN_ALL_MIN)
    }
}

/// Number of runs of the maximum size that fit into the limit for all logs: a flood leaves the
/// others theirs.
const RUNS_IN_ALL_MIN: u64 = 4;

/// Removes logs of a directory until the rest fits, `active` and those of runs without an end
/// never; returns the names of those removed. Other files are ignored.
pub fn enforce(folder: &Path, keep: Keep, active: &str, ledger: &Ledger) -> Vec<String> {
    let (logs, sizes): (Vec<String>, Vec<u64>) = logs_in(folder).into_iter().unzip();
    let (mut runs, mut bytes) = (logs.len(), sizes.iter().sum::<u64>());
    let is_too_much = |runs, bytes| runs > keep.runs_max || bytes > keep.bytes_max;
    if !is_too_much(runs, bytes) {
        return Vec::new();
    }
    let order = ledger.removal_order(&logs);
    let known = order.into_iter().zip(logs.into_iter().zip(sizes));
    let removable = known.filter_map(|(removal, log)| Some((removal?, log)));
    let mut removable: Vec<_> = removable.filter(|(_, (log, _))| log != active).collect();
    removable.sort_by(|(one, (first, _)), (other, (second, _))| {
        one.cmp(other).then_with(|| name_order(first).cmp(&name_order(second)))
    });
    let mut removed = Vec::new();
    for (_, (log, log_bytes)) in removable {
        if !is_too_much(runs, bytes) {
            break;
        }
        remove(folder, &log);
        runs -= 1;
        bytes -= log_bytes;
        removed.push(log);
    }
    removed
}

/// Removes the files of a log.
pub fn remove(folder: &Path, log: &str) {
    for file in [log.to_owned(), older_name(log), raw_name(log)] {
        // Not every log has the other files; one that is gone already is fine.
        let _missing = fs::remove_file(folder.join(file));
    }
}

/// Returns the names of the files of all logs in a directory, whatever their type.
pub fn files_of_logs(folder: &Path) -> impl Iterator<Item = String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    names.filter(|name| log_of_file(name).is_some())
}

/// Returns the bytes of each log, with its other files. Each file is read by its name in the open
/// directory, once, because that is done at each start.
fn logs_in(folder: &Path) -> HashMap<String, u64> {
    let mut logs = HashMap::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = file.file_name().into_string() else { continue };
        // An older part alone is a log too: a crash prevented its new file.
        if let Some(log) = log_of_file(&name) {
            *logs.entry(log.to_owned()).or_default() += file.metadata().map_or(0, |it| it.len());
        }
    }
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_logs_are_removed_by_name_active_never() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "2026-01-02_03-04-05.log",
            "2026-01-02_03-04-05_2.log",
            "2026-01-02_03-04-05_10.log",
            "2026-01-02_03-04-06.log",
        ];
        let fill =
            || names.iter().for_each(|n| fs::write(folder.path().join(n), [0; 100]).unwrap());
        fill();
        // The bytes of a terminal count as its log, and are removed with it.
        let raw = folder.path().join(raw_name(names[0]));
        fs::write(&raw, [0; 50]).unwrap();
        fs::write(folder.path().join("notes.log"), [0; 5000]).unwrap();
        let ledger = Ledger::open(folder.path(), 1, std::sync::Arc::default()).unwrap();
        let enforce = |runs_max, bytes_max, active| {
            let keep = Keep { runs_max, bytes_max, run_bytes_max: bytes_max, records_max: 1 };
            enforce(folder.path(), keep, active, &ledger)
        };
        assert_eq!(enforce(4, 450, names[3]), Vec::<String>::new());
        assert_eq!(enforce(4, 449, names[3]), [names[0]]);
        assert!(!raw.exists());
        assert_eq!(enforce(3, 299, names[1]), [names[2]]);
        fill();
        assert_eq!(enforce(1, 1, names[0]).len(), 3);
        assert!(folder.path().join("notes.log").exists());
    }
}
