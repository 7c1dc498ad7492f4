//! Many clients at once, patient and impatient ones.

use super::served::Served;
use crate::support::raw::{Client, eventually};
use http1::Limits;
use std::time::Duration;

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
const HALF: &str = "GET /hello HTTP/1.1\r\nHo";

fn seats(count: usize) -> Served {
    // No deadline of a client that says nothing may end it before the cap does.
    let (head, idle) = (Duration::from_mins(5), Duration::from_mins(5));
    let connections = Some(count);
    let client_connections = connections;
    Served::with(Limits { connections, client_connections, head, idle, ..Limits::default() })
}

/// How many bytes of a client's the server has in its receive queue, as the kernel says.
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
fn thousand_idle_or_slow_connections_block_nobody() {
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
fn clients_that_dawdle_hold_up_nobody_else() {
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
fn at_the_cap_the_longest_without_a_request_makes_room() {
    let served = seats(3);
    let mut silent = served.client();
    let mut half = served.exchange(HALF);
    // What was not read yet may be a whole request, and is rather kept.
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
fn no_number_of_slow_heads_shuts_a_whole_request_out() {
    let served = seats(4);
    let mut slow: Vec<Client> = Vec::new();
    for _ in 0..50 {
        slow.extend((0..6).map(|_| served.exchange(HALF)));
        assert_eq!(served.client().get("/hello").status, 200);
    }
}

#[test]
fn a_slow_body_makes_room_and_its_handler_does_nothing() {
    let served = seats(1);
    let mut slow = served.exchange(
        "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    );
    // It is asked on when its handler reads the body, and makes room from then on.
    assert!(slow.some().starts_with(b"HTTP/1.1 100 Continue\r\n"));
    slow.send("half");
    assert_eq!(served.client().get("/hello").status, 200);
    assert!(slow.try_answer().is_err());
}

#[test]
fn when_all_are_being_answered_the_next_is_told_to_come_again() {
    let served = seats(2);
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
    eventually("there is room again", || {
        served.exchange(HELLO).try_answer().is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn a_connection_without_a_thread_is_told_to_come_again() {
    // No machine has a stack of this size to give.
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
