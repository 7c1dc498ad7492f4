//! The environment of a page's commands: servers, a folder, and the ports to reach them.

use super::alike::assert_alike;
use super::blocks::{Block, blocks};
use super::{read, root};
use crate::harness::{Instance, Server, binary};
use regex::Regex;
use std::ffi::OsString;
use std::fs;
use std::iter::once;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// The ports of servers that a page's own commands start.
const OTHER_PORTS: [&str; 3] = ["8765", "8080", "8443"];

/// A working folder, with the servers that the page uses.
pub struct Session {
    shell: Option<Server>,
    astra: Option<Instance>,
    folder: Option<tempfile::TempDir>,
    ports: Vec<(&'static str, String)>,
}

impl Session {
    /// Creates a session with only a folder.
    pub fn alone() -> Self {
        let ports = OTHER_PORTS.map(|port| (port, free_port()));
        let folder = Some(tempfile::tempdir().unwrap());
        Self { shell: None, astra: None, folder, ports: ports.into() }
    }

    /// Creates a session with an LLM Shell in its folder, which has port 8000 on the pages.
    pub fn with_shell(self) -> Self {
        self.with_shell_of(Server::start())
    }

    /// Creates a session with an LLM Shell started by the caller.
    pub fn with_shell_of(mut self, server: Server) -> Self {
        self.ports.push(("8000", server.address().port().to_string()));
        self.shell = Some(server);
        self
    }

    /// Adds an Astra with this services file, whose folder is that of the session if there is no
    /// LLM Shell. On the pages it has port 7031.
    pub fn with_astra(mut self, services: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("astra_services.json"), self.here(services)).unwrap();
        let mut command = binary();
        command.args(["astra", "--log-dir", "logs/astra"]).env("LLM_SHELL_PORT", "0");
        let astra = Instance::start_in(command, folder);
        self.ports.push(("7031", astra.address().port().to_string()));
        self.astra = Some(astra);
        self
    }

    /// Copies a path of the repository into the folder.
    pub fn with_copy_of(self, path: &str) -> Self {
        let to = self.folder().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let from = root().join(path);
        assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
        self
    }

    fn folder(&self) -> &Path {
        let astra = || self.astra.as_ref().map(Instance::folder);
        let shell = self.shell.as_ref().map(|shell| shell.folder());
        shell.or_else(astra).unwrap_or_else(|| self.folder.as_ref().unwrap().path())
    }

    /// Replaces the ports in a text with those of the session.
    fn here(&self, text: &str) -> String {
        let replace = |text: String, (port, here): &(&str, String)| {
            let port = Regex::new(&format!(r"\b{port}\b")).unwrap();
            port.replace_all(&text, here).into_owned()
        };
        self.ports.iter().fold(text.to_owned(), replace)
    }

    /// Follows a page from beginning to end: writes the files that it shows, runs its
    /// commands, and compares their output. Returns the number of commands.
    pub fn follow(&self, page: &str) -> usize {
        let mut count = 0;
        for block in blocks(&read(page)).0 {
            match (&*block.language, &*block.mark) {
                ("console", "") => count += self.run_examples(page, &block),
                ("sh", "") => {
                    self.run(page, block.line, &block.text());
                    count += 1;
                }
                (_, "not-run" | "") => {}
                (_, name) => {
                    fs::write(self.folder().join(name), self.here(&block.text())).unwrap();
                }
            }
        }
        count
    }

    fn run_examples(&self, page: &str, block: &Block) -> usize {
        let examples = block.examples();
        for (command, shown) in &examples {
            let given = self.run(page, block.line, command);
            assert_alike(&format!("{page}: {command}"), shown, &given);
        }
        examples.len()
    }

    fn run(&self, page: &str, line: usize, command: &str) -> String {
        let here = self.here(command);
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &here]).current_dir(self.folder()).env("PATH", path());
        // The default server of the client is the first one of the page.
        let first = ["8000", "7031"].map(|port| self.here(port)).into_iter();
        let servers = [self.shell.is_some(), self.astra.is_some()];
        for (port, _) in first.zip(servers).filter(|(_, is_there)| *is_there).take(1) {
            shell.env("LLM_SHELL_PORT", port);
        }
        let output = shell.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{page}, line {line}: {here}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Returns PATH with the program under test first.
fn path() -> OsString {
    let ours = Path::new(env!("CARGO_BIN_EXE_llm-shell")).parent().unwrap().to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(once(ours).chain(std::env::split_paths(&others))).unwrap()
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}
