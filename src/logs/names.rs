//! Names of the files in a log directory.

use super::stamp::has_form;

/// The file that a server holds locked while the directory is its own.
pub const LOCK_NAME: &str = ".lock";

/// The ledger of runs.
pub const LEDGER_NAME: &str = ".runs";

/// Returns the name of the log of a run that began in the second `stem` (`YYYY-MM-DD_HH-MM-SS`),
/// `repeat` others of that second having names before it.
pub fn log_name(stem: &str, repeat: u64) -> String {
    match repeat {
        0 => format!("{stem}.log"),
        repeat => format!("{stem}_{repeat}.log"),
    }
}

/// Returns the name of the rotated part of a log.
pub fn older_name(log: &str) -> String {
    format!("{log}.1")
}

/// Returns the name of the file with the bytes of a terminal, beside its log.
pub fn raw_name(log: &str) -> String {
    format!("{log}.raw")
}

/// Returns the name of the log that a file belongs to; `None` if it belongs to none.
pub fn log_of_file(name: &str) -> Option<&str> {
    let other = name.strip_suffix(".1").or_else(|| name.strip_suffix(".raw"));
    Some(other.unwrap_or(name)).filter(|log| is_log(log))
}

/// Whether a name has the form of `log_name`.
pub fn is_log(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".log") else { return false };
    let (second, repeat) = stem.split_at_checked(19).unwrap_or((stem, ""));
    let number = repeat.strip_prefix('_').unwrap_or("0");
    has_form(second.as_bytes(), b"0000-00-00_00-00-00")
        && (repeat.is_empty() || repeat.starts_with('_'))
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the sort key of a log: its second, then its number within that.
pub fn name_order(name: &str) -> (&str, u64) {
    let stem = name.strip_suffix(".log").unwrap_or(name);
    let (second, repeat) = stem.split_at_checked(19).unwrap_or((stem, ""));
    (second, repeat.strip_prefix('_').and_then(|number| number.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_log_are_recognized() {
        let log = "2026-01-02_03-04-05.log";
        for name in [log.to_owned(), older_name(log), raw_name(log)] {
            assert_eq!(log_of_file(&name), Some(log));
        }
        for name in ["notes.log", ".raw", "2026-01-02_03-04-05.log.2"] {
            assert_eq!(log_of_file(name), None);
        }
    }

    #[test]
    fn only_names_in_the_form_of_log_name_are_logs() {
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
}
