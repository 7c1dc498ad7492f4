//! Tests that need their own process: its descriptors, threads, limits and signals.

use super::served::Served;
use crate::support::PATIENCE;
use crate::support::raw::{Client, eventually};
use http1::Limits;
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::net::{AddressFamily, SocketType, connect, socket};
use std::fs;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::{Command, id};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Set in the process that runs one of these tests alone.
const ALONE: &str = "HTTP1_TEST_ALONE";

/// The number of threads without connections: those of the test harness, the test and the accept
/// loop, and two standby threads.
const THREADS: usize = 5;

/// Runs `body` in a process of its own: this test binary, with `test` as its only test.
fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let binary = std::env::current_exe().expect("this binary");
    let name = format!("alone::{test}");
    let output = Command::new(binary)
        .args(["--exact", &name, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("a run of this binary");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("our descriptors").count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("our threads").count()
}

/// A request mutated in a few places, always the same for the same number.
fn mutated(number: usize) -> Vec<u8> {
    const SEEDS: [&str; 4] = [
        "GET /items/a%20b HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\n\r\n",
        "POST /seen?lines=1 HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 70000\r\n\r\nab",
    ];
    let mut state = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % limit
    };
    let mut bytes = SEEDS[number % SEEDS.len()].as_bytes().to_vec();
    for _ in 0..=below(4) {
        let at = below(bytes.len());
        match below(4) {
            0 => bytes[at] = u8::try_from(below(256)).expect("a byte"),
            1 if bytes.len() > 1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, b"\r\n\0 :,;%0fF-"[below(12)]),
            _ => bytes.truncate(at + 1),
        }
    }
    bytes
}

#[test]
fn thousands_of_broken_requests_leak_nothing() {
    alone("thousands_of_broken_requests_leak_nothing", || {
        let panics = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&panics);
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            counted.fetch_add(1, Ordering::SeqCst);
            print(panic);
        }));
        let mut served = Served::with(Limits { connections: Some(64), ..Limits::default() });
        assert_eq!(served.client().get("/hello").status, 200);
        eventually("the first connection is gone", || threads() == THREADS);
        let before = descriptors();
        std::thread::scope(|scope| {
            for part in 0..4 {
                let served = &served;
                let address = served.address;
                scope.spawn(move || {
                    for number in 0..1_000 {
                        let mut client = Client::connect(address);
                        client.send(mutated(number * 4 + part));
                        // Some disconnect at once, some read the whole response.
                        if number % 3 > 0 {
                            client.end_sending();
                            client.rest();
                        }
                    }
                });
            }
        });
        eventually("every thread has ended", || threads() == THREADS);
        eventually("every descriptor is closed", || descriptors() == before);
        assert_eq!(panics.load(Ordering::SeqCst), 0, "panics");
        assert_eq!(served.client().get("/hello").status, 200);
        let server = served.server.take().expect("the server");
        assert_eq!(server.finish(Duration::from_secs(10)), 0);
    });
}

/// Sends SIGUSR2 to every thread of the server, again and again, until `stop` is set.
fn pester(stop: &AtomicBool) {
    let process = i64::from(id());
    while !stop.load(Ordering::SeqCst) {
        for task in fs::read_dir("/proc/self/task").expect("our threads").flatten() {
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let thread: i64 = task.file_name().to_string_lossy().parse().expect("a thread's id");
            if name.starts_with("http-") {
                // SAFETY: three integers; a thread that has ended meanwhile gives an error code.
                unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGUSR2) };
            }
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn signals_do_not_disturb_requests() {
    alone("signals_do_not_disturb_requests", || {
        let seen = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(libc::SIGUSR2, Arc::clone(&seen)).expect("a handler");
        let limits = Limits { head: Duration::from_millis(400), ..Limits::default() };
        let served = Served::with(limits);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| pester(&stop));
            let mut follower =
                served.exchange("GET /stream/until-gone HTTP/1.1\r\nHost: a\r\n\r\n");
            for _ in 0..20 {
                let mut client = served.client();
                client.send("GET /hello HTTP/1.1\r\n");
                std::thread::sleep(Duration::from_millis(1));
                client.send("Host: a\r\n\r\n");
                assert_eq!(client.answer().text(), "hello\n");
                let body = "x".repeat(1024 * 1024);
                assert_eq!(client.post("/echo", &body).body.len(), body.len());
                assert_eq!(client.get("/large/5000000").body.len(), 5_000_000);
                assert_eq!(client.get("/stream/large").text().lines().count(), 10_000);
            }
            let silent = served.exchange("GET /hello HT").answer();
            assert_eq!(silent.status, 408, "a deadline is kept all the same");
            follower.head().expect("a head");
            drop(follower);
            assert_eq!(served.event(), "gone true true");
            stop.store(true, Ordering::SeqCst);
        });
        assert!(seen.load(Ordering::SeqCst), "no signal came");
    });
}

/// Clients that connect and send a request while the server has no descriptor for them; with the
/// files that occupy the descriptors.
fn clients_without_descriptors(served: &Served, count: usize) -> (Vec<Client>, Vec<fs::File>) {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
    // Their sockets are created first: the server would take a descriptor freed for one.
    let socket = || socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let sockets: Vec<_> = (0..count).map(|_| socket()).collect();
    // Descriptors are numbered without a gap; counting them uses one.
    setrlimit(Resource::RLIMIT_NOFILE, descriptors() as u64 - 1, hard).expect("a lower limit");
    // And one that was open for a moment when they were counted is taken.
    let taken = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    let connect = |socket: OwnedFd| {
        connect(&socket, &served.address).expect("a connection");
        let mut client = Client::over(TcpStream::from(socket));
        client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    };
    (sockets.into_iter().map(connect).collect(), taken)
}

#[test]
fn a_shortage_of_descriptors_is_survived() {
    alone("a_shortage_of_descriptors_is_survived", || {
        let served = Served::start();
        let mut busy = served.exchange("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(served.event(), "entered");
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit");
        let (mut clients, _taken) = clients_without_descriptors(&served, 10);
        std::thread::sleep(Duration::from_millis(120));
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("the old limit");
        for client in &mut clients {
            assert_eq!(client.answer().status, 200, "those who waited are let in");
        }
        served.gate.open();
        assert_eq!(busy.answer().text(), "waited\n", "who was in is served");
    });
}

#[test]
fn longest_idle_connection_is_evicted_without_descriptors() {
    alone("longest_idle_connection_is_evicted_without_descriptors", || {
        let served = Served::start();
        let mut silent: Vec<Client> = (0..3).map(|_| served.client()).collect();
        let mut half = served.exchange("GET /hello HTT");
        eventually("all are seated", || threads() == THREADS + 4);
        let (clients, _taken) = clients_without_descriptors(&served, 3);
        for mut client in clients {
            assert_eq!(client.answer().status, 200, "silent clients do not lock out others");
        }
        silent[0].expect_end();
        half.end_sending();
    });
}

/// A logger that keeps its messages.
struct Kept(Mutex<Vec<String>>);

impl log::Log for Kept {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        self.0.lock().expect("the log").push(line);
    }

    fn flush(&self) {}
}

#[test]
fn the_access_log_omits_queries() {
    alone("the_access_log_omits_queries", || {
        static KEPT: Kept = Kept(Mutex::new(Vec::new()));
        log::set_logger(&KEPT).expect("the only logger");
        log::set_max_level(log::LevelFilter::Info);
        let mut served = Served::start();
        let requests: [(&[u8], &str); 6] = [
            (b"GET /seen?lines=secret HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\n\r\n", "one"),
            (b"GET /no\xd0\xb6pe HTTP/1.1\r\nHost: a\r\nX-Request-Id: two\r\n\r\n", "two"),
            (b"HEAD /stream/large HTTP/1.1\r\nHost: a\r\nX-Request-Id: three\r\n\r\n", "three"),
            (b"GET /panic HTTP/1.1\r\nHost: a\r\nX-Request-Id: four\r\n\r\n", "four"),
            (b"GET /stream/fails-later HTTP/1.1\r\nHost: a\r\nX-Request-Id: five\r\n\r\n", "five"),
            (b"GET / HTTP/9.9\r\nX-Secret: secret\r\n\r\n", ""),
        ];
        for (request, _) in &requests {
            let mut client = served.exchange(request);
            client.end_sending();
            client.rest();
        }
        assert_eq!(served.server.take().expect("the server").finish(PATIENCE), 0);
        let lines = KEPT.0.lock().expect("the log");
        assert!(!lines.iter().any(|line| line.contains("secret")), "{lines:#?}");
        let without_port = |line: &String| {
            let Some((begin, rest)) = line.split_once("127.0.0.1:") else { return line.clone() };
            format!("{begin}127.0.0.1:{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        };
        let lines: Vec<String> = lines.iter().map(without_port).collect();
        let beginnings = [
            "INFO access 127.0.0.1: GET /seen 200 ",
            "INFO access 127.0.0.1: GET /no\\u{436}pe 404 ",
            "INFO access 127.0.0.1: HEAD /stream/large 200 ",
            "INFO access 127.0.0.1: GET /panic 500 ",
            "INFO access 127.0.0.1: GET /stream/fails-later 200 ",
            "INFO access 127.0.0.1: - - 505 ",
        ];
        for (beginning, (_, id)) in beginnings.iter().zip(&requests) {
            let found: Vec<_> = lines.iter().filter(|line| line.starts_with(beginning)).collect();
            assert!(found.len() == 1 && found[0].ends_with(id), "{beginning}: {lines:#?}");
        }
        let panic =
            "ERROR http1::catch_panic request four: its handler panicked: as the test wants it";
        assert_eq!(lines.iter().filter(|line| *line == panic).count(), 1, "{lines:#?}");
        let faults = lines.iter().filter(|line| !line.starts_with("INFO")).count();
        assert_eq!(faults, 2, "the panic, and the stream that broke off: {lines:#?}");
    });
}
