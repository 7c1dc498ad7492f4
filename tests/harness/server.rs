//! An LLM Shell for tests.

use super::eventually;
use super::instance::{Instance, binary, open_folder};
use serde_json::{Value, json};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A running LLM Shell.
pub struct Server(Instance);

impl Server {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with these flags.
    pub fn start_with(flags: &[&str]) -> Self {
        let mut command = binary();
        command.args(flags);
        Self::start_command(command)
    }

    /// Starts a server with this command. Its working directory and port are set here.
    pub fn start_command(command: Command) -> Self {
        Self::start_in(command, tempfile::tempdir().expect("a fresh folder"))
    }

    /// Starts it in a folder that any user may write to.
    pub fn start_command_in_open_folder(command: Command) -> Self {
        Self::start_in(command, open_folder())
    }

    fn start_in(mut command: Command, folder: TempDir) -> Self {
        command.env("LLM_SHELL_PORT", "0");
        Self(Instance::start_in(command, folder))
    }

    /// Selects a child of the started process as the server, which then receives the signals.
    pub fn below_a_wrapper(self) -> Self {
        Self(self.0.below_a_wrapper())
    }

    /// Starts a command and asserts success.
    #[track_caller]
    pub fn run(&self, command: &str) -> Value {
        self.post_json("/start", &json!({ "command": command })).expect(201).json()
    }

    /// Starts a command and waits for its end.
    #[track_caller]
    pub fn run_to_end(&self, command: &str) -> Value {
        self.run(command);
        self.ended()
    }

    /// Waits for the end of the last run's own process and returns its state.
    #[track_caller]
    pub fn ended(&self) -> Value {
        eventually("the command ends", || {
            let status = self.get("/status").expect(200).json();
            (status["status"] != "running").then_some(status)
        })
    }

    /// Returns the content of GET /logs with this query.
    #[track_caller]
    pub fn content(&self, query: &str) -> String {
        let body = self.get(&format!("/logs{query}")).expect(200).json();
        body["content"].as_str().expect("content").to_owned()
    }

    /// Waits until the output contains a text.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        eventually(&format!("{text:?} is printed"), || {
            self.content("").contains(text).then_some(())
        });
    }

    /// Returns the entries of the last run's log on disk.
    pub fn stored(&self) -> Vec<Value> {
        let bytes = std::fs::read(self.log_path()).expect("the log can be read");
        let text = String::from_utf8(bytes).expect("a log of UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect()
    }

    pub fn log_path(&self) -> PathBuf {
        let status = self.get("/status").expect(200).json();
        self.folder().join(status["log_file"].as_str().expect("a log file"))
    }

    /// Returns the number of logs in its directory.
    pub fn logs_count(&self) -> usize {
        let entries = std::fs::read_dir(self.folder().join("logs")).expect("the log directory");
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "log")).count()
    }
}

impl Deref for Server {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Instance {
        &mut self.0
    }
}
