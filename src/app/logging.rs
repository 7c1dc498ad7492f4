//! The log on stderr.

use super::stderr::Stderr;
use crate::settings::{EnvFile, RUST_LOG, SettingError};
use env_filter::Filter;
use env_logger::{Builder, Logger, Target};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::{env, panic};

/// The default of `RUST_LOG`.
const DEFAULT: &str = "info";

/// The targets of this program's messages: its modules, its HTTP server and the access log.
const OWN_TARGETS: [&str; 3] = ["llm_shell", "http1", "access"];

/// A logger that applies `RUST_LOG`. Of other libraries only warnings and errors pass: their
/// detailed messages contain what is sent and received, credentials included.
struct OwnLog {
    filter: Filter,
    inner: Logger,
}

impl Log for OwnLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_shown(metadata) && self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if is_shown(record.metadata()) && self.filter.matches(record) {
            self.inner.log(record);
        }
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

fn is_shown(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    metadata.level() <= Level::Warn || OWN_TARGETS.iter().any(|own| target.starts_with(own))
}

/// Starts logging to stderr with the filter in `RUST_LOG`, from the environment or else from a
/// settings file. Must be called once.
///
/// # Errors
/// An invalid `RUST_LOG`.
pub(super) fn start(env_file: Option<&EnvFile>) -> Result<(), SettingError> {
    let in_file = || env_file.and_then(|file| file.value(RUST_LOG)).map(str::to_owned);
    let (text, source_name) = match env::var(RUST_LOG) {
        Ok(text) => (text, "environment"),
        Err(_) => (in_file().unwrap_or_else(|| DEFAULT.to_owned()), "settings file"),
    };
    let filter = filter(&text).map_err(|expected| SettingError::Value {
        setting: RUST_LOG.to_owned(),
        source_name: source_name.to_owned(),
        value: text,
        expected,
    })?;
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Trace).format_timestamp_millis();
    let inner = builder.target(Target::Pipe(Box::new(Stderr::default()))).build();
    let most = filter.filter();
    if log::set_boxed_logger(Box::new(OwnLog { filter, inner })).is_ok() {
        log::set_max_level(most);
    }
    // Panics are logged like everything else, by a message that does not block.
    panic::set_hook(Box::new(|panic| {
        log::error!("{panic}: this is a bug in llm-shell, please report it");
    }));
    Ok(())
}

/// Parses `info`, `llm_shell::logs=debug`, or several separated by commas.
fn filter(text: &str) -> Result<Filter, String> {
    let directives = text.split('/').next().unwrap_or_default().split(',').map(str::trim);
    // A misspelled level would be taken for a module, and silence everything else.
    let is_typo = |word: &&str| {
        let is_level = word.parse::<LevelFilter>().is_ok();
        let is_module = match word.split_once('=') {
            Some((module, level)) => !module.is_empty() && !level.is_empty(),
            None => word.contains("::"),
        };
        !word.is_empty() && !is_level && !is_module && !OWN_TARGETS.contains(word)
    };
    let expected = "a level (off, error, warn, info, debug, trace), or module=level, with commas \
                  between several";
    if directives.into_iter().any(|word| is_typo(&word)) {
        return Err(expected.to_owned());
    }
    let mut builder = env_filter::Builder::new();
    builder.try_parse(text).map_err(|_| expected.to_owned())?;
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_modules_are_parsed() {
        for good in ["info", "DEBUG", "", "warn,llm_shell::logs=debug", "access=off,info", "off"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["inf", "verbose", "info,debg", "llm_shell=loud", "llm_shell="] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_libraries_may_only_warn() {
        let of = |target, level| is_shown(&Metadata::builder().target(target).level(level).build());
        assert!(of("ureq::run", Level::Warn) && !of("ureq::run", Level::Debug));
        assert!(of("llm_shell::client", Level::Trace) && of("access", Level::Info));
    }
}
