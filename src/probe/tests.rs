//! Tests of probes against servers, ports and commands of all kinds.

use super::*;
use crate::process::{self, CommandLine};
use crate::protocol::HealthStatus;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const PATIENT: Duration = Duration::from_secs(20);

fn context() -> ProbeContext<'static> {
    ProbeContext {
        reaper: process::tests::reaper(),
        shell: Path::new("/bin/sh"),
        directory: Path::new("/"),
        environment: &[],
        marks: &[],
        until: None,
    }
}

fn probe_once(check: &Check, timeout: Duration) -> Result<(), String> {
    probe(check, timeout, &Prober::default(), context())
}

/// Starts a server that calls `answer` with each request's head and connection; returns its port.
fn server(answer: impl Fn(&str, TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut byte = [0];
            while !head.ends_with("\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.push(char::from(byte[0]));
            }
            answer(&head, stream);
        }
    });
    port
}

/// Starts a server that gives every request the same answer.
fn server_of(answer: &'static str) -> u16 {
    server(move |_, mut stream| stream.write_all(answer.as_bytes()).unwrap())
}

fn get(port: u16, timeout: Duration) -> Result<(), String> {
    probe_once(&Check::http(&format!("http://localhost:{port}/health?a=b")).unwrap(), timeout)
}

fn refused<T>(why: &str) -> Result<T, String> {
    Err(why.to_owned())
}

/// Returns a port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn urls_are_healthy_by_status() {
    for (answer, found) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Ok(())),
        ("HTTP/1.1 204 No Content\r\n\r\n", Ok(())),
        ("HTTP/1.0 200 OK\r\n\r\nhello", Ok(())),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", Ok(())),
        ("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", refused("HTTP 500")),
        ("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}", refused("HTTP 404")),
        ("HTTP/1.1 304 Same\r\n\r\n", refused("HTTP 304")),
    ] {
        assert_eq!(get(server_of(answer), PATIENT), found, "{answer}");
    }
    let why = get(server_of("SSH-2.0-OpenSSH_9.9\r\n\r\n"), PATIENT).unwrap_err();
    assert!(why.starts_with("not an HTTP response: "), "{why}");
}

#[test]
fn requests_have_path_query_and_user_agent() {
    let port = server(|head, mut stream| {
        let is_right = head.starts_with("GET /health?a=b HTTP/1.1\r\n")
            && head
                .to_lowercase()
                .contains(concat!("user-agent: llm-shell/", env!("CARGO_PKG_VERSION")));
        let status = if is_right { 200 } else { 400 };
        write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    assert_eq!(get(port, PATIENT), Ok(()));
}

#[test]
fn redirects_are_followed_up_to_five() {
    let redirects = |times: usize| {
        server(move |head, mut stream| {
            let path = head.split(' ').nth(1).unwrap_or_default();
            let next = path.matches("/x").count() + 1;
            let answer = if next > times {
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned()
            } else {
                let place = "/x".repeat(next);
                format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")
            };
            // The other side may have closed the connection.
            let _gone = stream.write_all(answer.as_bytes());
        })
    };
    assert_eq!(get(redirects(5), PATIENT), Ok(()));
    assert_eq!(get(redirects(6), PATIENT), refused("more than 5 redirects"));
}

#[test]
fn slow_servers_time_out() {
    let silent = server(|_, stream| {
        thread::park_timeout(PATIENT);
        drop(stream);
    });
    let dripping = server(|_, mut stream| {
        let mut line: &[u8] = b"HTTP/1.1 200 OK\r\n";
        while stream.write_all(line).is_ok() {
            line = b"X: y\r\n";
            thread::park_timeout(Duration::from_millis(20));
        }
    });
    for port in [silent, dripping] {
        let began = Instant::now();
        let found = get(port, Duration::from_millis(300));
        assert_eq!(found, refused("no answer within 0.3 s"));
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

#[test]
fn closed_port_refuses() {
    assert_eq!(get(closed_port(), PATIENT), refused("connection refused"));
    for host in ["127.0.0.1", "localhost"] {
        let check = Check::Tcp { host: host.to_owned(), port: closed_port() };
        assert_eq!(probe_once(&check, PATIENT), refused("connection refused"));
    }
}

#[test]
fn open_port_is_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(probe_once(&Check::Tcp { host: host.to_owned(), port }, PATIENT), Ok(()));
    }
}

#[test]
fn port_that_drops_connections_times_out() {
    // A queue of one that is full: the kernel then ignores further connections.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let _queued = TcpStream::connect(address).unwrap();
    let _waiting = TcpStream::connect_timeout(&address, Duration::from_millis(100));
    let check = Check::Tcp { host: "127.0.0.1".to_owned(), port: address.port() };
    let began = Instant::now();
    assert_eq!(probe_once(&check, Duration::from_millis(200)), refused("no answer within 0.2 s"));
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn unknown_hosts_are_reported() {
    let url = Check::http("http://no.such.host.invalid/").unwrap();
    for check in [Check::tcp("no.such.host.invalid:80").unwrap(), url] {
        let why = probe_once(&check, PATIENT).unwrap_err();
        assert!(why.starts_with("the host cannot be resolved"), "{why}");
    }
}

#[test]
fn https_urls_use_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut hello = [0; 2];
        stream.read_exact(&mut hello).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        hello
    });
    let check = Check::http(&format!("https://localhost:{port}/")).unwrap();
    let why = probe_once(&check, PATIENT).unwrap_err();
    assert!(!why.starts_with("HTTP"), "{why}");
    // A handshake record of TLS 1.x.
    assert_eq!(server.join().unwrap(), [22, 3]);
}

#[test]
fn commands_are_healthy_by_exit_code() {
    for (text, found) in [
        ("true", Ok(())),
        ("exit 3", refused("exit code 3")),
        (
            "echo one; echo '  it is \x1b down  ' >&2; echo; exit 1",
            refused("exit code 1: it is  down"),
        ),
        ("kill -TERM $$", refused("ended by SIGTERM")),
    ] {
        let check = Check::Command(CommandLine::Shell(text.to_owned()));
        assert_eq!(probe_once(&check, PATIENT), found, "{text}");
    }
    let arguments = ["/no/such/program"].map(str::to_owned).into();
    let why = probe_once(&Check::Command(CommandLine::Arguments(arguments)), PATIENT).unwrap_err();
    assert!(why.contains("/no/such/program") && why.contains("could not be run"), "{why}");
}

#[test]
fn command_check_gets_directory_and_environment() {
    let environment = [("GIVEN", "1")].map(|(name, value)| (name.into(), value.into()));
    let text = r#"test "$PWD $GIVEN ${PATH_OF_TESTS-no}" = "/ 1 no" || { env; exit 1; }"#;
    let check = Check::Command(CommandLine::Shell(text.to_owned()));
    let context = ProbeContext { environment: &environment, ..context() };
    assert_eq!(probe(&check, PATIENT, &Prober::default(), context), Ok(()));
}

#[test]
fn hanging_commands_are_killed_in_time() {
    let check = Check::Command(CommandLine::Shell("echo waiting; sleep 1000".to_owned()));
    let began = Instant::now();
    let found = probe_once(&check, Duration::from_millis(300));
    assert_eq!(found, refused("no answer within 0.3 s: waiting"));
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn reports_combine_checks_that_run_in_parallel() {
    let command = |text: &str| Check::Command(CommandLine::Shell(text.to_owned()));
    let (good, slow, bad) = (command("true"), command("sleep 0.4"), command("exit 7"));
    let prober = Prober::default;
    let both = [("a", &good, PATIENT, prober()), ("b", &slow, PATIENT, prober())];
    let report = HealthReport::take(&both, context());
    assert_eq!((report.status, report.error()), (HealthStatus::Healthy, None));
    let slowest = report.response_time.unwrap();
    assert!(slowest >= Duration::from_millis(400) && slowest < PATIENT, "{slowest:?}");
    let checks = [("slow", &slow), ("bad", &bad), ("good", &good)]
        .map(|(name, check)| (name, check, PATIENT, prober()));
    let report = HealthReport::take(&checks, context());
    assert_eq!((report.status, report.error()), (HealthStatus::Unhealthy, Some("exit code 7")));
    let names: Vec<_> = report.checks.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["slow", "bad", "good"]);
    let many: Vec<_> = (0..8).map(|_| ("slow", &slow, PATIENT, prober())).collect();
    let began = Instant::now();
    assert_eq!(HealthReport::take(&many, context()).status, HealthStatus::Healthy);
    assert!(began.elapsed() < Duration::from_millis(8 * 400), "{:?}", began.elapsed());
    assert_eq!(HealthReport::take(&[], context()), HealthReport::unknown());
}
