//! The loading of settings: from flags, the environment, a file or defaults.

use super::env_file::{EnvFile, RUST_LOG};
use super::error::SettingError;
use super::secret;
use super::table::{
    CREDENTIALS_DIRECTORY, ENVIRONMENT_PREFIX, Mode, SETTINGS, Setting, Settings, Values,
};
use crate::process;
use clap::ArgMatches;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The sources of values.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The parsed command line.
    pub flags: &'a ArgMatches,
    /// The server's environment.
    pub environment: &'a [(OsString, OsString)],
    /// The settings file, if there is one.
    pub env_file: Option<&'a EnvFile>,
    /// The mode, which determines the defaults.
    pub mode: Mode,
}

/// The loaded settings, with warnings.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// The names of the settings that came from the file.
    pub from_file: Vec<&'static str>,
    /// The warnings about the settings.
    pub warnings: Vec<String>,
}

const FROM_FLAG: &str = "command line";
const FROM_ENVIRONMENT: &str = "environment";
const FROM_DEFAULT: &str = "default";
const FROM_CREDENTIALS: &str = "systemd credential";

/// Loads the settings.
///
/// # Errors
/// The first invalid value, in the order of the table, with its name and source.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, SettingError> {
    let mut found = FoundValues::default();
    for setting in SETTINGS {
        apply(setting, &mut found, sources)?;
    }
    let FoundValues { mut values, set_by, mut from_file, mut warnings } = found;
    let is_set = |file: &EnvFile| file.value(RUST_LOG).is_some();
    if sources.env_file.is_some_and(is_set) && variable(sources, RUST_LOG).is_none() {
        from_file.push(RUST_LOG);
    }
    take_credentials(&mut values, sources)?;
    let built = values.build(sources.flags.get_flag("insecure"), set_by);
    let settings = built.map_err(|setting| SettingError::Empty {
        setting: setting.to_owned(),
        source_name: FROM_DEFAULT.to_owned(),
    })?;
    let names = sources.environment.iter().filter_map(|(name, _)| name.to_str());
    warnings.extend(unknown(names, FROM_ENVIRONMENT));
    if let Some(file) = sources.env_file {
        let names = file.variables.iter().map(|it| it.name.as_str());
        warnings.extend(unknown(names, &file.name));
        warnings.extend(file.ignored.iter().map(|name| {
            format!("{name} in {} is ignored: set it by its flag or in the environment", file.name)
        }));
    }
    Ok(Loaded { settings, from_file, warnings })
}

/// The values found so far.
#[derive(Default)]
struct FoundValues {
    values: Values,
    set_by: BTreeMap<&'static str, String>,
    from_file: Vec<&'static str>,
    warnings: Vec<String>,
}

/// The value found for a setting.
struct Found {
    /// The setting's name in its source.
    name: String,
    source_name: String,
    value: String,
}

fn find(setting: &Setting, sources: &Sources<'_>, from_file: &mut Vec<&str>) -> Option<Found> {
    let found = |name: &str, source: &str, value: String| {
        Some(Found { name: name.to_owned(), source_name: source.to_owned(), value })
    };
    let flag = setting.flag.and_then(|flag| sources.flags.get_one::<String>(flag).cloned());
    if let Some(value) = flag {
        return found(&format!("--{}", setting.flag.unwrap_or_default()), FROM_FLAG, value);
    }
    if let Some(value) = variable(sources, setting.environment) {
        return found(setting.environment, FROM_ENVIRONMENT, value);
    }
    let in_file = |file: &EnvFile| file.value(setting.environment).map(str::to_owned);
    if let Some((file, value)) = sources.env_file.and_then(|it| Some((it, in_file(it)?))) {
        from_file.push(setting.environment);
        return found(setting.environment, &file.name, value);
    }
    let default = setting.default_in(sources.mode);
    if default.is_empty() {
        return None;
    }
    found(setting.environment, FROM_DEFAULT, default.to_owned())
}

fn apply(
    setting: &Setting,
    so_far: &mut FoundValues,
    sources: &Sources<'_>,
) -> Result<(), SettingError> {
    let Some(found) = find(setting, sources, &mut so_far.from_file) else { return Ok(()) };
    let Found { name, source_name, value } = found;
    if value.is_empty() {
        return Err(SettingError::Empty { setting: name, source_name });
    }
    match (setting.read)(&mut so_far.values, &value) {
        Err(expected) if setting.is_secret() => {
            Err(SettingError::Secret { setting: name, source_name, expected })
        }
        Err(expected) => Err(SettingError::Value { setting: name, source_name, value, expected }),
        Ok(()) => {
            if source_name != FROM_DEFAULT {
                let set_by = format!("{name} ({source_name})");
                so_far.set_by.insert(setting.environment, set_by);
            }
            if setting.environment == "LLM_SHELL_SHELL" && !is_program(&value, sources) {
                let expected = "an executable program".to_owned();
                return Err(SettingError::Value { setting: name, source_name, value, expected });
            }
            let file = if setting.holds_secret_file() {
                Some((&*value, format!("{name} ({source_name})")))
            } else {
                let is_in_file = setting.is_secret() && so_far.from_file.last() == Some(&&*name);
                is_in_file.then(|| (&*source_name, source_name.clone()))
            };
            if let Some((_, shown)) = file.filter(|(path, _)| secret::is_for_others(path)) {
                so_far.warnings.push(format!(
                    "{shown} holds a secret, but other users can read or change the file: \
                     chmod 600"
                ));
            }
            Ok(())
        }
    }
}

/// Returns whether the commands' environment can execute this program.
fn is_program(name: &str, sources: &Sources<'_>) -> bool {
    process::is_program(OsStr::new(name), variable(sources, "PATH").as_deref().map(OsStr::new))
}

fn variable(sources: &Sources<'_>, name: &str) -> Option<String> {
    let is_it = |(found, _): &&(OsString, OsString)| found == OsStr::new(name);
    let found = sources.environment.iter().find(is_it)?;
    // Only a path may be a value that is not UTF-8; it is converted lossily.
    Some(found.1.to_string_lossy().into_owned())
}

/// Takes the secrets that systemd passes (`LoadCredential=llm-shell.token:…`), unless they are set
/// otherwise.
fn take_credentials(values: &mut Values, sources: &Sources<'_>) -> Result<(), SettingError> {
    let Some(folder) = variable(sources, CREDENTIALS_DIRECTORY) else { return Ok(()) };
    let slots = [
        ("llm-shell.token", &mut values.token, secret::token as fn(&str) -> _),
        ("llm-shell.basic-auth", &mut values.basic_auth, secret::password),
    ];
    for (name, slot, read) in slots {
        let path = format!("{folder}/{name}");
        if slot.is_none() && Path::new(&path).exists() {
            let setting = name.to_owned();
            let taken = secret::file(&path, read).and_then(|found| secret::set(slot, found));
            taken.map_err(|expected| SettingError::Secret {
                setting,
                source_name: FROM_CREDENTIALS.to_owned(),
                expected,
            })?;
        }
    }
    Ok(())
}

fn unknown<'a>(names: impl Iterator<Item = &'a str>, source_name: &str) -> Vec<String> {
    let is_unknown = |name: &&str| {
        name.starts_with(ENVIRONMENT_PREFIX) && SETTINGS.iter().all(|s| s.environment != *name)
    };
    let warning =
        |name| format!("{name} ({source_name}) is not a setting of this version: ignored");
    names.filter(is_unknown).map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::super::command_line;
    use super::*;
    use std::time::Duration;

    fn load_from(
        flags: &[&str],
        environment: &[(&str, &str)],
        dotenv: &str,
    ) -> Result<Loaded, String> {
        let flags = command_line().get_matches_from([&["llm-shell"], flags].concat());
        let environment: Vec<_> = environment.iter().map(|(n, v)| (n.into(), v.into())).collect();
        let file = EnvFile::parse(".env", dotenv.as_bytes()).map_err(|error| error.to_string())?;
        let mode = Mode::Shell;
        let env_file = Some(&file);
        let sources = Sources { flags: &flags, environment: &environment, env_file, mode };
        load(&sources).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_override_environment_dotenv_and_defaults() {
        let (flag, variable) = (["--port", "1"], [("LLM_SHELL_PORT", "2")]);
        let dotenv = "LLM_SHELL_PORT=3\n";
        let port = |loaded: Result<Loaded, String>| loaded.unwrap().settings.port;
        assert_eq!(port(load_from(&flag, &variable, dotenv)), 1);
        assert_eq!(port(load_from(&[], &variable, dotenv)), 2);
        assert_eq!(port(load_from(&[], &[], dotenv)), 3);
        assert_eq!(port(load_from(&[], &[], "")), 8000);
        assert_eq!(port(load_from(&["serve", "--port", "4"], &[], "")), 4);
    }

    #[test]
    fn defaults_match_the_documentation() {
        let settings = load_from(&[], &[], "").unwrap().settings;
        assert_eq!(settings.host, "127.0.0.1");
        assert_eq!(settings.log_directory.to_str(), Some("logs"));
        assert_eq!(settings.restart_timeout, Duration::from_secs(10));
        assert_eq!(settings.kill_timeout, Duration::from_secs(5));
        assert_eq!(settings.shell.to_str(), Some("/bin/sh"));
        assert_eq!((settings.line_bytes_max, settings.insecure), (65536, false));
    }

    #[test]
    fn a_bad_value_is_named_with_its_source() {
        for (flags, variable, dotenv, said) in [
            (vec!["--port", "65536"], "80", "", "invalid --port \"65536\" (command line)"),
            (vec![], "http", "", "invalid LLM_SHELL_PORT \"http\" (environment)"),
            (vec![], "", "", "LLM_SHELL_PORT (environment) is empty"),
        ] {
            let error = load_from(&flags, &[("LLM_SHELL_PORT", variable)], dotenv).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
        let error = load_from(&[], &[("LLM_SHELL_SHELL", "/nope")], "").unwrap_err();
        let said = "invalid LLM_SHELL_SHELL \"/nope\" (environment): expected an executable";
        assert!(error.starts_with(said), "{error}");
        assert!(load_from(&["--shell", "sh"], &[], "").is_ok());
        assert!(load_from(&["--shell", "/etc/passwd"], &[], "").is_err());
        let error = load_from(&[], &[], "LLM_SHELL_KILL_TIMEOUT=-1").unwrap_err();
        assert!(error.starts_with("invalid LLM_SHELL_KILL_TIMEOUT \"-1\" (.env)"), "{error}");
        let error = load_from(&[], &[], "LLM_SHELL_KILL_TIMEOUT=NaN").unwrap_err();
        assert!(error.contains("seconds from 0 to 86400"), "{error}");
        let error = load_from(&[], &[], "A=1\nLLM_SHELL_TOKEN s3cret\n").unwrap_err();
        assert_eq!(error, ".env: line 2: expected NAME=value");
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        let loaded = load_from(&["--kill-timeout", "0.25"], &[], "").unwrap();
        assert_eq!(loaded.settings.kill_timeout, Duration::from_millis(250));
    }

    #[test]
    fn unknown_settings_cause_warnings() {
        let loaded = load_from(&[], &[("LLM_SHELL_PROT", "1"), ("OTHER", "2")], "").unwrap();
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].starts_with("LLM_SHELL_PROT (environment)"));
    }
}
