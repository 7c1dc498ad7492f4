//! How much is kept: old runs go when there are too many, or when all logs are too large.

use super::stamp::has_form;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The least that logs can be kept to, in bytes: two pipes full of lines.
pub const LOG_BYTES_MIN: u64 = 64 * 1024;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// How many runs.
    pub runs_max: usize,
    /// How many bytes, over all runs.
    pub bytes_max: u64,
}

/// Removes the oldest logs of a directory until what is left fits, `active` never; gives the names
/// of those that went. Files that are no logs of ours are not looked at.
pub fn enforce(folder: &Path, keep: Keep, active: &str) -> Vec<String> {
    let mut kept: Vec<(String, u64)> = logs_in(folder).into_iter().collect();
    kept.sort_by(|(one, _), (other, _)| order(one).cmp(&order(other)));
    let mut bytes: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
    let mut runs = kept.len();
    let mut gone = Vec::new();
    for (log, its_bytes) in kept.into_iter().filter(|(log, _)| log != active) {
        if runs <= keep.runs_max && bytes <= keep.bytes_max {
            break;
        }
        for file in [log.clone(), older_name(&log)] {
            // One that was never rotated has no older part; one that is gone is what we want.
            let _missing = fs::remove_file(folder.join(file));
        }
        runs -= 1;
        bytes -= its_bytes;
        gone.push(log);
    }
    gone
}

/// The name of the part of a log that was rotated away.
pub fn older_name(log: &str) -> String {
    format!("{log}.1")
}

/// The names of the files of all logs in a directory, whatever they are.
pub fn files_of_logs(folder: &Path) -> impl Iterator<Item = String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    names.filter(|name| is_log(name.strip_suffix(".1").unwrap_or(name)))
}

/// The bytes of each log, with its older part. Each file is asked about by its name in the open
/// directory, once: that is done at each start.
fn logs_in(folder: &Path) -> HashMap<String, u64> {
    let mut logs = HashMap::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = file.file_name().into_string() else { continue };
        // The older part of a log whose present one a crash has kept from being made is a log too.
        let log = name.strip_suffix(".1").unwrap_or(&name);
        if is_log(log) {
            *logs.entry(log.to_owned()).or_default() += file.metadata().map_or(0, |it| it.len());
        }
    }
    logs
}

/// Whether a name has the form that we give: `YYYY-MM-DD_HH-MM-SS.log`, or `…_N.log`.
pub fn is_log(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".log") else { return false };
    let (second, repeat) = stem.split_at_checked(19).unwrap_or((stem, ""));
    let number = repeat.strip_prefix('_').unwrap_or("0");
    has_form(second.as_bytes(), b"0000-00-00_00-00-00")
        && (repeat.is_empty() || repeat.starts_with('_'))
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Logs in the order of their runs: by the second, then by the number within it.
fn order(name: &str) -> (&str, u64) {
    let stem = name.strip_suffix(".log").unwrap_or(name);
    let (second, repeat) = stem.split_at_checked(19).unwrap_or((stem, ""));
    (second, repeat.strip_prefix('_').and_then(|number| number.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_give_are_logs() {
        for log in ["2026-01-02_03-04-05.log", "2026-01-02_03-04-05_12.log"] {
            assert!(is_log(log), "{log}");
        }
        for other in [
            "notes.log",
            "2026-01-02_03-04-05.log.1",
            "2026-01-02_03-04-05_.log",
            "2026-01-02_03-04-05x.log",
            "2026-01-02_03-04-0é.log",
            ".runs",
            ".log",
        ] {
            assert!(!is_log(other), "{other}");
        }
    }

    #[test]
    fn the_oldest_go_first_and_the_active_one_never() {
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
        fs::write(folder.path().join("notes.log"), [0; 5000]).unwrap();
        let enforce = |runs_max, bytes_max, active| {
            enforce(folder.path(), Keep { runs_max, bytes_max }, active)
        };
        assert_eq!(enforce(4, 400, names[3]), Vec::<String>::new());
        assert_eq!(enforce(3, 400, names[3]), [names[0]]);
        assert_eq!(enforce(3, 299, names[1]), [names[2]]);
        fill();
        assert_eq!(enforce(1, 1, names[0]).len(), 3);
        assert!(folder.path().join("notes.log").exists());
    }
}
