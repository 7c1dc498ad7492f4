//! Many clients at once, patient and impatient ones.

use super::served::Served;
use crate::support::raw::{Client, eventually};
use http1::Limits;
use std::time::Duration;

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
const HALF: &str = "GET /hello HTTP/1.1\r\nHo";

fn with_connections(count: usize) -> Served {
    // No deadline of a silent client may end it before the cap does.
    let (head, idle) = (Duration::from_mins(5), Duration::from_mins(5));
    let connections = Some(count);
    let client_connections = connections;
    Served::with(Limits { connections, client_connections, head, idle, ..Limits::default() })
}

/// Returns the number of the client's bytes in the server's receive queue, from `/proc`.
fn unread(client: &Client) -> u64 {
    let (server, client) = (client.socket.peer_addr(), client.socket.local_addr());
    let (server, client) = (server.expect("a peer").port(), client.expect("an address").port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let (local, remote) = (format!(":{server:04X}"), format!(":{client:04X}"));
    let queues = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_this = fields[1].ends_with(&local) && fields[2].ends_with(&remote);
        is_this.then(|| fields[4].to_owned())
    });
    // Until it is accepted it may not be in the table.
    let received = queues.and_then(|queues| queues.split(':').nth(1).map(str::to_owned));
    received.map_or(u64::MAX, |hex| u64::from_str_radix(&hex, 16).expect("a queue's length"))
}

#[test]
fn bursts_of_connections_are_all_answered() {
    let served = Served::with(Limits { client_connections: Some(200), ..Limits::default() });
    for size in [6, 16, 64, 200] {
        let mut clients: Vec<Client> = (0..size).map(|_| served.client()).collect();
        for round in 0..5 {
            for client in &mut clients {
                client.send(HELLO);
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let answer = client.answer();
                assert_eq!(answer.status, 200, "client {number} of {size} in round {round}");
            }
        }
    }
}

#[test]
fn a_thousand_idle_connections_delay_no_request() {
    let served = Served::start();
    for half in ["", HALF] {
        let crowd: Vec<Client> = (0..1000).map(|_| served.exchange(half)).collect();
        let mut kept = served.client();
        for _ in 0..50 {
            assert_eq!(kept.get("/hello").status, 200);
            assert_eq!(served.client().get("/hello").status, 200);
        }
        drop(crowd);
    }
}

#[test]
fn slow_clients_do_not_delay_others() {
    let served = Served::start();
    let mut dawdlers: Vec<Client> = Vec::new();
    for _ in 0..20 {
        dawdlers.push(served.client());
        dawdlers.push(served.exchange(HALF));
        dawdlers.push(served.exchange(WAIT));
        dawdlers.push(
            served.exchange("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"),
        );
    }
    let mut client = served.client();
    for _ in 0..50 {
        assert_eq!(client.get("/hello").status, 200);
        assert_eq!(served.client().get("/hello").status, 200);
    }
}

#[test]
fn at_the_cap_the_longest_idle_is_evicted() {
    let served = with_connections(3);
    let mut silent = served.client();
    let mut half = served.exchange(HALF);
    // Unread bytes may be a whole request, so such a connection is preferably kept.
    eventually("half of a head is read", || unread(&half) == 0);
    let mut used = served.client();
    assert_eq!(used.get("/hello").status, 200);
    let mut first = served.client();
    assert_eq!(first.get("/hello").status, 200);
    silent.expect_end();
    let mut second = served.client();
    assert_eq!(second.get("/hello").status, 200);
    half.expect_end();
    for client in [&mut used, &mut first, &mut second] {
        assert_eq!(client.get("/hello").status, 200, "it is still there");
    }
}

#[test]
fn slow_heads_cannot_lock_out_a_request() {
    let served = with_connections(4);
    let mut slow: Vec<Client> = Vec::new();
    for _ in 0..50 {
        slow.extend((0..6).map(|_| served.exchange(HALF)));
        assert_eq!(served.client().get("/hello").status, 200);
    }
}

#[test]
fn an_evicted_body_does_not_reach_its_handler() {
    let served = with_connections(1);
    let mut slow = served.exchange(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    // 100 Continue is sent when its handler reads the body; from then on it may be evicted.
    assert!(slow.some().starts_with(b"HTTP/1.1 100 Continue\r\n"));
    slow.send("half");
    assert_eq!(served.client().get("/hello").status, 200);
    assert!(slow.try_answer().is_err());
}

#[test]
fn a_full_server_answers_503_with_retry_after() {
    let served = with_connections(2);
    let mut busy: Vec<Client> = (0..2).map(|_| served.exchange(WAIT)).collect();
    for _ in &busy {
        assert_eq!(served.event(), "entered");
    }
    for _ in 0..100 {
        let mut refused = served.exchange(HELLO);
        let answer = refused.answer();
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        assert_eq!(answer.json("code"), "unavailable");
        assert!(answer.says_close() && answer.header("x-request-id").is_some());
        refused.expect_end();
    }
    served.gate.open();
    for client in &mut busy {
        assert_eq!(client.answer().text(), "waited\n");
    }
    eventually("a connection is free again", || {
        served.exchange(HELLO).try_answer().is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn a_connection_without_a_thread_gets_a_503() {
    // No machine can provide a stack of this size.
    let served = Served::with(Limits { stack_bytes: 1 << 46, ..Limits::default() });
    for _ in 0..3 {
        let answer = served.exchange(HELLO).answer();
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    }
}

#[test]
fn clients_that_reset_at_once_do_no_harm() {
    let served = Served::start();
    for _ in 0..500 {
        let client = served.exchange(HELLO);
        rustix::net::sockopt::set_socket_linger(&client.socket, Some(std::time::Duration::ZERO))
            .expect("a reset at the close");
    }
    assert_eq!(served.client().get("/hello").status, 200);
}
