//! An Astra server for tests.

use super::client::Answer;
use super::instance::{Instance, binary, open_folder};
use super::stream::Stream;
use super::{eventually, eventually_or};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The name of the services file in the server's folder.
const FILE: &str = "services.json";

/// A running Astra with a services file of its own.
pub struct Astra(Instance);

impl Astra {
    /// Starts these services. Unless they say otherwise, they are up at once: their
    /// `start_seconds` is 0.
    #[track_caller]
    pub fn start(services: Value) -> Self {
        Self::start_with(&[], services)
    }

    /// Starts these services with these flags.
    #[track_caller]
    pub fn start_with(flags: &[&str], services: Value) -> Self {
        Self::start_in(binary(), flags, services, tempfile::tempdir().expect("a fresh folder"))
    }

    /// Starts these services with a prepared command.
    #[track_caller]
    pub fn start_command(command: Command, services: Value) -> Self {
        Self::start_in(command, &[], services, tempfile::tempdir().expect("a fresh folder"))
    }

    /// Starts it in a folder that any user may write to.
    #[track_caller]
    pub fn start_command_in_open_folder(command: Command, services: Value) -> Self {
        Self::start_in(command, &[], services, open_folder())
    }

    /// Starts a custom program, with these services in `services.json`.
    #[track_caller]
    pub fn start_bare(mut command: Command, services: Value) -> Self {
        let folder = tempfile::tempdir().expect("a fresh folder");
        write(folder.path(), services);
        command.env("LLM_SHELL_PORT", "0");
        Self(Instance::start_in(command, folder))
    }

    fn start_in(mut command: Command, flags: &[&str], services: Value, folder: TempDir) -> Self {
        write(folder.path(), services);
        command.args(["astra", "--config", FILE, "--log-dir", "logs"]).args(flags);
        command.env("LLM_SHELL_PORT", "0");
        Self(Instance::start_in(command, folder))
    }

    /// Selects a child of the started process as the server, which then receives the signals.
    pub fn below_a_wrapper(self) -> Self {
        Self(self.0.below_a_wrapper())
    }

    /// Writes services into the file.
    pub fn write(&self, services: Value) {
        write(self.folder(), services);
    }

    /// Writes a text into the file.
    pub fn write_text(&self, text: &str) {
        fs::write(self.folder().join(FILE), text).expect("the file can be written");
    }

    /// Requests an operation (`start`, `stop`, `restart`, `reload`) on a service.
    pub fn ask(&self, verb: &str, name: &str) -> Answer {
        self.post_json(&format!("/supervisor/{verb}"), &json!({ "name": name }))
    }

    /// Requests an operation, waits until the service has settled, and returns its state.
    #[track_caller]
    pub fn settle(&self, verb: &str, name: &str) -> String {
        let path = format!("/supervisor/{verb}?wait=60");
        let answer = self.post_json(&path, &json!({ "name": name })).expect(200).json();
        answer["status"].as_str().expect("a state").to_owned()
    }

    /// Returns the status of a service.
    #[track_caller]
    pub fn status(&self, name: &str) -> Value {
        self.get(&format!("/supervisor/status/{name}")).expect(200).json()
    }

    /// Waits for a service's process and returns its pid.
    #[track_caller]
    pub fn pid_of(&self, name: &str) -> u32 {
        let status = self.wait_until(name, "up", |status| status["pid"].is_u64());
        status["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a pid")
    }

    /// Waits until a service is in this state.
    #[track_caller]
    pub fn wait_for(&self, name: &str, state: &str) -> Value {
        self.wait_until(name, state, |status| status["status"] == state)
    }

    /// Waits until the status of a service matches.
    #[track_caller]
    pub fn wait_until(&self, name: &str, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let last = RefCell::new(Value::Null);
        let probe = || {
            last.replace(self.status(name));
            is_it(&last.borrow()).then(|| last.borrow().clone())
        };
        eventually_or(|| format!("{name} is {what}, and not {}", last.borrow()), probe)
    }

    /// Returns the lines that a service has printed, over all of its runs.
    #[track_caller]
    pub fn lines(&self, name: &str) -> Vec<String> {
        let answer = self.get(&format!("/supervisor/logs/{name}?lines=0&format=text"));
        answer.expect(200).text().lines().map(str::to_owned).collect()
    }

    /// Waits until a service has printed this line.
    #[track_caller]
    pub fn wait_for_line(&self, name: &str, line: &str) {
        eventually(&format!("{name} prints {line:?}"), || {
            self.lines(name).iter().any(|found| found == line).then_some(())
        });
    }

    /// Opens a stream of this path.
    #[track_caller]
    pub fn stream(&self, path: &str) -> Stream {
        Stream::open(self.address(), path, &[])
    }

    /// Writes an empty file into the server's folder, which a service may wait for.
    pub fn touch(&self, name: &str) {
        fs::write(self.folder().join(name), "").expect("the folder can be written");
    }

    /// Returns the lines of a file that services write to.
    pub fn written(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn write(folder: &Path, mut services: Value) {
    for service in services.as_object_mut().expect("services by name").values_mut() {
        let fields = service.as_object_mut().expect("fields");
        fields.entry("start_seconds").or_insert(json!(0));
    }
    fs::write(folder.join(FILE), services.to_string()).expect("the file can be written");
}

impl Deref for Astra {
    type Target = Instance;

    fn deref(&self) -> &Instance {
        &self.0
    }
}

impl DerefMut for Astra {
    fn deref_mut(&mut self) -> &mut Instance {
        &mut self.0
    }
}
