//! Signals that arrive during an operation.

use crate::harness::raw::Client;
use crate::harness::{Astra, Server, binary, processes_in};
use serde_json::json;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// The number of attempts, each a little later than the one before.
const ROUNDS: u32 = 12;

/// The possible answers to a request during a shutdown: it was done before, it was refused with a
/// reason, or the server was gone.
fn is_told(status: Option<u16>) -> bool {
    matches!(status, None | Some(200 | 201 | 202 | 409 | 503))
}

/// Runs `ask` together with the signal, which is sent a little later each time; the server must
/// exit with 0 and leave nothing.
fn ends_well(
    server: &mut Server,
    round: u32,
    ask: impl Fn(std::net::SocketAddr) -> Option<u16> + Sync,
) {
    let address = server.address();
    let status = std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(address));
        std::thread::park_timeout(Duration::from_micros(400) * round);
        server.signal("TERM");
        asked.join().unwrap()
    });
    let began = Instant::now();
    assert_eq!(server.wait().code(), Some(0), "round {round}: {}", server.log());
    assert!(is_told(status), "round {round}: {status:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "round {round}: {:?}", began.elapsed());
    assert_eq!(processes_in(server.folder()), Vec::<String>::new(), "round {round}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Returns the status of the answer to a POST; `None` if the server was gone before it answered.
fn post(address: std::net::SocketAddr, path: &str, body: &str) -> Option<u16> {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    // A truncated answer has no status.
    let _cut = socket.read_to_string(&mut answer);
    answer.split(' ').nth(1)?.parse().ok()
}

#[test]
fn sigterm_during_a_start_ends_the_run() {
    let mut server = Server::start();
    for round in 0..ROUNDS {
        let command = json!({ "command": "(setsid sleep 600 &); sleep 600" }).to_string();
        ends_well(&mut server, round, |address| post(address, "/start", &command));
        server.start_again();
    }
}

#[test]
fn sigterm_during_a_restart_ends_both_runs() {
    let mut server = Server::start_with(&["--kill-timeout", "1"]);
    for round in 0..ROUNDS {
        server.run("trap 'sleep 0.003; exit' TERM; echo up; while :; do sleep 600 & wait; done");
        server.wait_for_output("up");
        ends_well(&mut server, round, |address| post(address, "/restart?timeout=1", ""));
        server.start_again();
    }
}

#[test]
fn sigterm_during_a_reload_ends_every_service() {
    let service = |name: &str| {
        let text = "trap 'sleep 0.003; exit' TERM; echo up; while :; do sleep 600 & wait; done";
        json!({ "cmd": format!("{text} # {name}") })
    };
    let mut astra = Astra::start(json!({ "a": service("old"), "b": service("same") }));
    for round in 0..ROUNDS {
        astra.wait_for("b", "running");
        astra.wait_for_line("a", "up");
        astra.write(json!({ "a": service("new"), "c": service("new") }));
        let address = astra.address();
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| match round % 2 {
                0 => post(address, "/supervisor/reload", "{}"),
                _ => None,
            });
            if round % 2 == 1 {
                astra.signal("HUP");
            }
            std::thread::park_timeout(Duration::from_micros(500) * round);
            astra.signal("TERM");
            let status = asked.join().unwrap();
            assert!(is_told(status), "round {round}: {status:?}");
        });
        assert_eq!(astra.wait().code(), Some(0), "round {round}: {}", astra.log());
        assert_eq!(processes_in(astra.folder()), Vec::<String>::new(), "round {round}");
        astra.write(json!({ "a": service("old"), "b": service("same") }));
        astra.start_again();
    }
}

#[test]
fn ignored_signals_end_nothing() {
    let server = Server::start();
    let pid = server.run("exec sleep 60")["process_pid"].clone();
    for signal in ["USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "PWR", "STKFLT", "XCPU", "XFSZ"]
    {
        server.signal(signal);
        let status = server.get("/status").expect(200).json();
        assert_eq!((&status["status"], &status["process_pid"]), (&json!("running"), &pid));
    }
}

#[test]
fn file_size_limit_drops_lines_only() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 40; exec \"$0\" \"$@\""]).arg(binary().get_program());
    let server = Server::start_command(command);
    let ended = server.run_to_end("seq 100000; exit 3");
    assert_eq!((&ended["status"], &ended["exit_code"]), (&json!("exited"), &json!(3)));
    assert!(ended["log_dropped_lines"].as_u64().unwrap() > 0, "{ended}");
}

#[test]
fn inherited_signal_mask_is_reset() {
    let mut command = binary();
    // SAFETY: sigprocmask(2) is async-signal-safe, and both sets live until it returns.
    unsafe {
        command.pre_exec(|| {
            let mut all = std::mem::zeroed();
            nix::libc::sigfillset(&raw mut all);
            nix::libc::sigprocmask(nix::libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
            Ok(())
        })
    };
    let mut server = Server::start_command(command);
    assert_eq!(server.run_to_end("(sleep 0 &); exit 3")["exit_code"], 3);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn clients_of_a_stopped_server_are_answered_later() {
    let server = Server::start();
    server.signal("STOP");
    let ask = |_| {
        let mut client = Client::connect(server.address());
        client.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client
    };
    let mut clients: Vec<Client> = (0..300).map(ask).collect();
    server.signal("CONT");
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(server.get("/health").status, 200);
}
