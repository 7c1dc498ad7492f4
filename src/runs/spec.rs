//! Specification of a run: the command, its environment, its limits.

use super::error::{Error, Result};
use super::session::SessionShell;
use crate::process::{COMMAND_BYTES_MAX, CommandLine, Input, ResourceLimits};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Number of characters of a variable's name that are shown in an error.
const NAME_CHARACTERS_SHOWN: usize = 80;

/// The variables that a run has even if it clears the environment.
const BASIC_VARIABLES: [&str; 5] = ["PATH", "HOME", "USER", "LANG", "TERM"];

/// The specification of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSpec {
    /// The name by which requests may refer to it.
    pub name: Option<String>,
    /// The command.
    pub command: CommandLine,
    /// The working directory; `None` for the server's own, which relative ones are resolved
    /// against.
    pub directory: Option<PathBuf>,
    /// Whether it gets of the server's environment only what every program expects.
    pub clears_environment: bool,
    /// Changes to the server's environment; `None` removes a name.
    pub environment: BTreeMap<String, Option<String>>,
    /// The kind of input.
    pub input: Input,
    /// Time after which it is ended.
    pub timeout: Option<Duration>,
    /// Resource limits, for which it needs a control group.
    pub limits: ResourceLimits,
    /// The shell, if it is a session: the command is then its program, without arguments.
    pub session: Option<SessionShell>,
}

impl RunSpec {
    /// Returns the specification of a text for the shell, in the server's directory and
    /// environment, without input.
    #[must_use]
    pub fn shell(command: &str) -> Self {
        let command = CommandLine::Shell(command.to_owned());
        Self {
            name: None,
            command,
            directory: None,
            clears_environment: false,
            environment: BTreeMap::new(),
            input: Input::Nothing,
            timeout: None,
            limits: ResourceLimits::default(),
            session: None,
        }
    }

    /// Returns the specification of a session, in the server's directory and environment.
    #[must_use]
    pub fn session(shell: SessionShell) -> Self {
        let command = CommandLine::Arguments(vec![shell.program().to_owned()]);
        Self { command, session: Some(shell), ..Self::shell("") }
    }

    /// Refuses what no kernel can run.
    ///
    /// # Errors
    /// `CommandBlank`, `CommandHasNul`, `CommandTooLong`, and `Invalid` for an invalid variable of
    /// the environment.
    pub fn check(&self) -> Result<()> {
        let parts = match &self.command {
            CommandLine::Shell(text) => std::slice::from_ref(text),
            CommandLine::Arguments(arguments) => arguments,
        };
        if parts.first().is_none_or(|first| first.trim().is_empty()) {
            return Err(Error::CommandBlank);
        }
        for part in parts {
            check_part(part)?;
        }
        self.environment.iter().try_for_each(|(name, value)| check_variable(name, value.as_deref()))
    }

    /// Returns the working directory, where `own` is the server's.
    pub(super) fn directory_in(&self, own: &Path) -> PathBuf {
        self.directory.as_ref().map_or_else(|| own.to_owned(), |directory| own.join(directory))
    }

    /// Returns the whole environment: the server's, with the changes and the run's id.
    #[must_use]
    pub fn environment_over(
        &self,
        own: &[(OsString, OsString)],
        run_id: &str,
    ) -> Vec<(OsString, OsString)> {
        let is_inherited = |name: &OsString| {
            !self.clears_environment || BASIC_VARIABLES.iter().any(|basic| name == basic)
        };
        let is_changed =
            |name: &OsString| name.to_str().is_some_and(|name| self.environment.contains_key(name));
        // Of an interactive `sh`, ENV names a file that it runs first.
        let is_read_first = |name: &OsString| self.session.is_some() && name == "ENV";
        let is_kept =
            |name: &OsString| is_inherited(name) && !is_changed(name) && !is_read_first(name);
        let kept = own.iter().filter(|(name, _)| is_kept(name)).cloned();
        let added =
            self.environment.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let added = added.map(|(name, value)| (name.into(), value.into()));
        kept.chain(added).chain([("RUN_ID".into(), run_id.into())]).collect()
    }
}

fn check_part(part: &str) -> Result<()> {
    if part.contains('\0') {
        return Err(Error::CommandHasNul);
    }
    if part.len() > COMMAND_BYTES_MAX {
        let bytes = part.len();
        return Err(Error::CommandTooLong { bytes, bytes_max: COMMAND_BYTES_MAX });
    }
    Ok(())
}

fn check_variable(name: &str, value: Option<&str>) -> Result<()> {
    let is_name = !name.is_empty() && !name.contains(['=', '\0']);
    if !is_name || value.is_some_and(|value| value.contains('\0')) {
        return Err(Error::Invalid(format!(
            "The environment variable {name:?} is invalid: its name must not be empty or contain \
             `=`, and neither it nor its value may contain a NUL."
        )));
    }
    // The kernel takes `NAME=value` as one string.
    let bytes = name.len() + 1 + value.map_or(0, str::len);
    if bytes > COMMAND_BYTES_MAX {
        let shown: String = name.chars().take(NAME_CHARACTERS_SHOWN).collect();
        return Err(Error::Invalid(format!(
            "The variable {shown:?} has {bytes} bytes with its name, but the kernel accepts at \
             most {COMMAND_BYTES_MAX}: put the value into a file and give its path."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_replaces_and_removes_names_of_the_servers() {
        let own = [("A", "1"), ("B", "2"), ("RUN_ID", "old")].map(|(n, v)| (n.into(), v.into()));
        let environment =
            [("B", None), ("C", Some("3".to_owned()))].map(|(n, v)| (n.to_owned(), v)).into();
        let spec = RunSpec { environment, ..RunSpec::shell("true") };
        let all = spec.environment_over(&own, "r1");
        let expected = [("A", "1"), ("RUN_ID", "old"), ("C", "3"), ("RUN_ID", "r1")];
        assert_eq!(all, expected.map(|(n, v)| (n.into(), v.into())));
    }

    #[test]
    fn invalid_commands_and_variables_are_refused() {
        let refused = |command| RunSpec { command, ..RunSpec::shell("") }.check().is_err();
        assert!(refused(CommandLine::Shell(" \n".into())));
        assert!(refused(CommandLine::Arguments(vec![])));
        assert!(refused(CommandLine::Arguments(vec!["ls".into(), "a\0b".into()])));
        let with = |name: &str, value: &str| {
            let environment = [(name.to_owned(), Some(value.to_owned()))].into();
            RunSpec { environment, ..RunSpec::shell("true") }.check()
        };
        assert!(with("", "x").is_err() && with("A=B", "x").is_err() && with("A", "\0").is_err());
        assert!(with("A", "").is_ok());
        let most = COMMAND_BYTES_MAX - "A=".len();
        assert!(with("A", &"x".repeat(most)).is_ok());
        let error = with("A", &"x".repeat(most + 1)).unwrap_err().to_string();
        assert!(error.contains("\"A\" has 131072 bytes") && error.contains("131071"), "{error}");
    }
}
