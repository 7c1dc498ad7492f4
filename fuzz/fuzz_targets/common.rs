//! The whole server in this process, on a Unix socket, and a connection for each input.
//!
//! A panic anywhere, in a thread of the server too, ends the run: libFuzzer's hook aborts.

use llm_shell::{app, settings};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// What lets a request in.
pub const TOKEN: &str = "Authorization: Bearer fuzz-fuzz-fuzz-fuzz\r\n";

/// Sends `bytes` on a connection of their own and reads until its end, which must come in time
/// and begin with an answer where anything is answered.
pub fn exchange(bytes: &[u8]) {
    static SOCKET: OnceLock<PathBuf> = OnceLock::new();
    let mut client = UnixStream::connect(SOCKET.get_or_init(serve)).expect("the door is open");
    client.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    // The server may have refused it before all was sent.
    let _ = client.write_all(bytes);
    let _ = client.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    match client.read_to_end(&mut answer) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no end: {bytes:?}"),
        // A reset: what had come counts.
        _ => assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{answer:?}"),
    }
}

/// Starts the server; its socket. No command can do harm: /bin/true is the shell.
fn serve() -> PathBuf {
    // Rust's own `main`, which there is none of here, ignores it: commands close their input.
    // SAFETY: no handler is set, and no other part of this program sets one for this signal.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) }.expect("it can be ignored");
    let folder = tempfile::tempdir().expect("a folder").keep();
    let path = folder.join("socket");
    let arguments = ["llm-shell", "--shell", "/bin/true"].map(Into::into);
    let places = ["--socket".into(), path.clone(), "--log-dir".into(), folder.join("logs")];
    let flags = settings::command_line().get_matches_from(arguments.into_iter().chain(places));
    let environment = [("LLM_SHELL_TOKEN".into(), "fuzz-fuzz-fuzz-fuzz".into())];
    let mode = settings::Mode::Shell;
    let sources =
        settings::Sources { mode, flags: &flags, environment: &environment, env_file: None };
    let settings = settings::load(&sources).expect("settings").settings;
    let listener = app::listen(&settings).expect("a socket");
    let startup = app::Startup { settings, environment: Vec::new() };
    std::thread::spawn(|| app::run(startup, listener, None));
    path
}
