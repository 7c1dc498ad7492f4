//! A running binary, in a folder of its own, on a port chosen by the kernel.

use super::client::{Answer, send};
use super::stream::Stream;
use super::{eventually, processes_in};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// Returns the program under test, without settings in its environment, and with SIGHUP not
/// ignored, as it is if the tests run under nohup.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llm-shell"));
    // SAFETY: signal(2) is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            nix::libc::signal(nix::libc::SIGHUP, nix::libc::SIG_DFL);
            Ok(())
        })
    };
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LLM_SHELL_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// A running server. When it is dropped, it is stopped, and none of its processes may survive.
pub struct Instance {
    child: Child,
    /// Pid of the server itself, which is not the child if that is a wrapper.
    pid: u32,
    address: SocketAddr,
    folder: TempDir,
    log: Arc<Mutex<String>>,
    command: Command,
}

impl Instance {
    /// Starts a server in this folder and waits until it listens.
    pub fn start_in(mut command: Command, folder: TempDir) -> Self {
        command.current_dir(folder.path()).stderr(Stdio::piped());
        let (child, log) = spawn(&mut command);
        let address = ([0, 0, 0, 0], 0).into();
        let mut server = Self { pid: child.id(), child, address, folder, log, command };
        server.address = server.find_address();
        server
    }

    /// Starts a server that has ended again, in the same folder.
    pub fn start_again(&mut self) {
        let (child, log) = spawn(&mut self.command);
        (self.pid, self.child, self.log) = (child.id(), child, log);
        self.address = self.find_address();
    }

    /// Opens an event stream of this path.
    #[track_caller]
    pub fn events(&self, path: &str) -> Stream {
        Stream::open(self.address, path, &["Accept: text/event-stream"])
    }

    fn find_address(&self) -> SocketAddr {
        eventually("the server says where it listens", || {
            let log = self.log();
            let (_, after) = log.split_once("listening on http://")?;
            after.lines().next()?.parse().ok()
        })
    }

    /// Selects a child of the started process as the server, which then receives the signals.
    pub fn below_a_wrapper(mut self) -> Self {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        self.pid = eventually("the wrapper starts the server", || {
            std::fs::read_to_string(&children).ok()?.split_whitespace().next()?.parse().ok()
        });
        self
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns what the server has written to stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the server has written this to stderr.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        eventually(&format!("{text:?} is logged"), || self.log().contains(text).then_some(()));
    }

    /// Returns the kernel's state of the thread of each connection: `S` sleeps, waiting for a
    /// request or for something in the server.
    pub fn connections(&self) -> String {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let state = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).ok()?;
            let (name, rest) = stat.split_once(" (")?.1.split_once(") ")?;
            name.strip_prefix("http-")?.parse::<u64>().ok()?;
            rest.chars().next()
        };
        tasks.filter_map(state).collect()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path}"), &[], b"")
    }

    pub fn post(&self, path: &str) -> Answer {
        self.request(&format!("POST {path}"), &[], b"")
    }

    pub fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.request(&format!("POST {path}"), &[], body.to_string().as_bytes())
    }

    pub fn request(&self, head: &str, headers: &[&str], body: &[u8]) -> Answer {
        self.request_as(&self.address.to_string(), head, headers, body)
    }

    /// Sends a request with this host name.
    pub fn request_as(&self, host: &str, head: &str, headers: &[&str], body: &[u8]) -> Answer {
        send(self.address, host, head, headers, body)
    }

    /// Sends the server a signal.
    pub fn signal(&self, name: &str) {
        kill(name, self.pid);
    }

    /// Waits until the server has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the server ends", || self.child.try_wait().expect("it can be waited for"))
    }

    /// Kills all processes that work in the server's folder, for a test that has failed.
    fn end_by_force(&mut self) {
        let own = [self.pid, self.child.id()].map(|pid| pid.to_string());
        let pids = processes_in(self.folder()).into_iter();
        let pids = pids.filter_map(|line| Some(line.split(' ').next()?.to_owned()));
        // A process may have ended meanwhile.
        let _gone = Command::new("kill").arg("-KILL").args(own).args(pids).status();
        let _ended = self.child.wait();
    }

    /// Returns the live processes that this server has started.
    pub fn living(&self) -> Vec<String> {
        let mut living = processes_in(self.folder());
        let own = [self.pid.to_string(), self.child.id().to_string()];
        living.retain(|line| !own.iter().any(|pid| line.starts_with(&format!("{pid} "))));
        living
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log:\n{}", self.log());
            return self.end_by_force();
        }
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal("CONT");
            self.signal("TERM");
            self.wait();
        }
        let left = self.living();
        assert!(left.is_empty(), "left behind: {left:?}\n{}", self.log());
    }
}

/// Creates a folder that any user may write to.
pub fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a fresh folder");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), open).expect("the folder is ours");
    folder
}

/// Sends a signal to a process.
pub fn kill(name: &str, pid: u32) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    assert!(sent.expect("kill runs").success(), "kill -{name} {pid}");
}

fn spawn(command: &mut Command) -> (Child, Arc<Mutex<String>>) {
    let mut child = command.spawn().expect("the binary runs");
    let log = Arc::new(Mutex::new(String::new()));
    keep(child.stderr.take().expect("stderr is piped"), Arc::clone(&log));
    (child, log)
}

fn keep(stderr: ChildStderr, log: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}
