//! Shutdown.

use super::served::Served;
use crate::support::PATIENCE;
use crate::support::raw::eventually;
use http1::Limits;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

#[test]
fn stop_accepting_lets_running_requests_finish() {
    let mut served = Served::start();
    let listening = listening_at(served.address).expect("it listens");
    let mut idle = served.client();
    assert_eq!(idle.get("/hello").status, 200);
    let mut half = served.exchange("GET /hello HTT");
    let mut busy = served.exchange("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(served.event(), "entered");
    let server = served.server.take().expect("the server");

    server.stop_accepting();
    idle.expect_end();
    half.expect_end();
    assert_ne!(listening_at(served.address), Some(listening), "the listener is closed");
    served.gate.open();
    let answer = busy.answer();
    assert_eq!((answer.text(), answer.says_close()), ("waited\n", true));
    busy.expect_end();
    assert_eq!(server.finish(PATIENCE), 0);
}

#[test]
fn no_request_is_served_after_the_last_response() {
    let mut served = Served::start();
    let twice = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET /panic HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut client = served.exchange(twice);
    assert_eq!(served.event(), "entered");
    let server = served.server.take().expect("the server");
    server.stop_accepting();
    served.gate.open();
    assert_eq!(client.answer().text(), "waited\n");
    client.expect_end();
}

#[test]
fn finish_waits_for_running_requests_only() {
    let mut served = Served::start();
    let mut client = served.exchange("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(served.event(), "entered");
    let server = served.server.take().expect("the server");
    let gate = served.gate.clone();
    let opener = std::thread::spawn(move || gate.open());
    assert_eq!(server.finish(PATIENCE), 0);
    assert_eq!(client.answer().text(), "waited\n");
    opener.join().expect("the opener");
}

#[test]
fn finish_aborts_and_counts_the_rest() {
    let mut served = Served::start();
    let mut clients: Vec<_> =
        (0..3).map(|_| served.exchange("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    for _ in &clients {
        assert_eq!(served.event(), "entered");
    }
    let server = served.server.take().expect("the server");
    let began = Instant::now();
    assert_eq!(server.finish(Duration::from_millis(50)), 3);
    assert!(began.elapsed() < PATIENCE / 2, "it took {:?}", began.elapsed());
    for client in &mut clients {
        assert!(client.try_answer().is_err());
    }
}

#[test]
fn dropping_a_server_closes_its_listener() {
    let mut served = Served::start();
    let mut idle = served.client();
    assert_eq!(idle.get("/hello").status, 200);
    let listening = listening_at(served.address).expect("it listens");
    drop(served.server.take());
    idle.expect_end();
    // Another socket may have been given its port since.
    assert_ne!(listening_at(served.address), Some(listening));
}

/// Returns the kernel's inode number of the socket that listens on a local port.
fn listening_at(address: SocketAddr) -> Option<String> {
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let port = format!(":{:04X}", address.port());
    sockets.lines().find_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let listens = columns[1].ends_with(&port) && columns[3] == "0A";
        listens.then(|| columns[9].to_owned())
    })
}

#[test]
fn shutdown_loses_no_accepted_request() {
    let mut served = Served::with(Limits::default());
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let mut client = served.client();
            std::thread::spawn(move || {
                loop {
                    client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                    match client.try_answer() {
                        Ok(answer) if answer.says_close() => return,
                        Ok(_) => {}
                        // Aborted while idle: no part of a response may have arrived.
                        Err(_) if client.is_clean() => return,
                        Err(why) => panic!("half an answer: {why}"),
                    }
                }
            })
        })
        .collect();
    let mut probe = served.client();
    eventually("the server is busy", || probe.get("/hello").status == 200);
    assert_eq!(served.server.take().expect("the server").finish(PATIENCE), 0);
    for client in clients {
        client.join().expect("a client without half an answer");
    }
}
