//! Socket activation: systemd listens before the server starts.

use crate::harness::{binary, eventually, kill, send};
use nix::libc;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The first passed descriptor (`sd_listen_fds(3)`).
const FIRST: i32 = 3;

/// Returns the program under test with these sockets passed, in a folder of its own.
fn handed(sockets: Vec<OwnedFd>, folder: &TempDir) -> Command {
    let count = i32::try_from(sockets.len()).unwrap();
    let mut command = Command::new("sh");
    // LISTEN_PID must be the pid of the process that executes.
    command.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_llm-shell")]);
    let clean = binary();
    for (name, _) in clean.get_envs() {
        command.env_remove(name);
    }
    command.current_dir(folder.path()).env("LISTEN_FDS", count.to_string());
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    // SAFETY: dup and dup2 are async-signal-safe; the descriptors live as long as the closure.
    unsafe {
        command.pre_exec(move || {
            // Move them out of the target range first.
            let safe: [i32; 2] = [0, 1].map(|index: usize| {
                sockets
                    .get(index)
                    .map_or(-1, |socket| libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD, 100))
            });
            for (number, descriptor) in (FIRST..).zip(safe).filter(|(_, it)| *it >= 0) {
                libc::dup2(descriptor, number);
                libc::close(descriptor);
            }
            Ok(())
        })
    };
    command
}

fn end(mut server: Child) -> String {
    kill("TERM", server.id());
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(server.wait().unwrap().success(), "{log}");
    log
}

#[test]
fn inherited_tcp_socket_serves_early_clients() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut command = handed(vec![socket.into()], &folder);
    // No server runs yet: the kernel queues the request.
    let early =
        std::thread::spawn(move || send(address, &address.to_string(), "GET /health", &[], b""));
    let server = command.env("LLM_SHELL_PORT", "1").spawn().unwrap();
    drop(command);
    early.join().unwrap().expect(200);
    let log = end(server);
    assert!(log.contains(&format!("listening on http://{address}")), "{log}");
}

#[test]
fn inherited_unix_socket_keeps_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let socket = UnixListener::bind(&path).unwrap();
    let server = handed(vec![socket.into()], &folder).spawn().unwrap();
    let answer = eventually("it answers", || {
        let mut stream = UnixStream::connect(&path).ok()?;
        stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.contains("healthy").then_some(answer)
    });
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let log = end(server);
    assert!(log.contains(&format!("listening on {}", path.display())), "{log}");
    assert!(path.exists());
}

#[test]
fn self_check_reaches_an_abstract_socket() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().display().to_string();
    let socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    let mut command = handed(vec![socket.into()], &folder);
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "400000");
    // Any user can connect to an abstract name.
    command.env("LLM_SHELL_TOKEN", "secret-of-16-chars");
    let server = command.spawn().unwrap();
    let mut message = [0; 1024];
    while !message.starts_with(b"WATCHDOG=1") {
        manager.recv(&mut message).unwrap();
    }
    let log = end(server);
    assert!(log.contains(&format!("listening on @{name}")), "{log}");
    assert!(log.contains("GET /status"), "{log}");
}

#[test]
fn inherited_public_socket_needs_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let output = handed(vec![socket.into()], &folder).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(log.contains("is \"0.0.0.0\", which is not loopback"), "{log}");
}

/// The default mode of systemd's sockets, without `SocketMode=`.
#[test]
fn inherited_open_socket_needs_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let socket = || {
        let _ = std::fs::remove_file(&path);
        let socket = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        vec![socket.into()]
    };
    let output = handed(socket(), &folder).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(log.contains("SocketMode=0600") && log.contains("LLM_SHELL_TOKEN"), "{log}");
    let mut command = handed(socket(), &folder);
    let mut server = command.env("LLM_SHELL_TOKEN", "secret-of-16-chars").spawn().unwrap();
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /status HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    kill("TERM", server.id());
    assert!(server.wait().unwrap().success());
}

#[test]
fn only_one_listening_socket_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = || OwnedFd::from(tempfile::tempfile().unwrap());
    for (sockets, expected) in [
        (vec![file()], "fd 3 is not a socket"),
        (vec![file(), file()], "there are 2 of them: use a single Listen line in the .socket unit"),
    ] {
        let output = handed(sockets, &folder).output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains(expected) && log.lines().count() == 1, "{log}");
    }
}

#[test]
fn socket_for_another_process_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = binary();
    command.current_dir(folder.path()).env("LLM_SHELL_PORT", "0").stderr(Stdio::piped());
    let mut server = command.env("LISTEN_FDS", "1").env("LISTEN_PID", "1").spawn().unwrap();
    let mut log = server.stderr.take().unwrap();
    let mut stderr = String::new();
    eventually("it listens by itself", || {
        let mut bytes = [0; 512];
        let length = log.read(&mut bytes).ok()?;
        stderr.push_str(&String::from_utf8_lossy(&bytes[..length]));
        stderr.contains("listening on http://127.0.0.1:").then_some(())
    });
    kill("TERM", server.id());
    assert!(server.wait().unwrap().success());
}
