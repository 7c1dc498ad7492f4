//! A client of `llm-shell mcp`.

use super::request;
use crate::harness::eventually;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// A client of `llm-shell mcp`, in a folder of its own.
pub struct Speaker {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    pub lines: Option<Lines<BufReader<ChildStdout>>>,
    pub folder: TempDir,
}

impl Speaker {
    /// Starts it. Its state is in its folder, unless the command has another.
    pub fn start(mut command: Command, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command.arg("mcp").args(arguments).current_dir(folder.path());
        if command.get_envs().all(|(name, _)| name != "XDG_STATE_HOME") {
            command.env("XDG_STATE_HOME", folder.path().join("state"));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = Some(BufReader::new(child.stdout.take().unwrap()).lines());
        Self { stdin: child.stdin.take(), child, lines, folder }
    }

    pub fn say(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    pub fn hear(&mut self) -> Value {
        let line = self.lines.as_mut().unwrap().next().expect("an answer").unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    pub fn call(&mut self, id: u32, tool: &str, arguments: &Value) -> String {
        let mut message = request("tools/call", &json!({"name": tool, "arguments": arguments}));
        message["id"] = json!(id);
        self.say(&message);
        let answer = self.hear();
        assert_eq!(answer["id"], id, "{answer}");
        answer["result"]["content"][0]["text"].as_str().expect("a text").to_owned()
    }

    /// Returns the log directories below the state in its folder.
    pub fn log_directories(&self) -> Vec<PathBuf> {
        let below = std::fs::read_dir(self.folder.path().join("state/llm-shell/mcp")).unwrap();
        below.map(|entry| entry.unwrap().path()).collect()
    }

    /// Closes the input and waits for the end.
    pub fn leave(&mut self) -> ExitStatus {
        drop(self.stdin.take());
        eventually("it ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
