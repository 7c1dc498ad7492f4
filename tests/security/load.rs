//! Connection floods by unauthenticated clients.

use crate::harness::raw::Client;
use crate::harness::{Server, binary, eventually};

/// More connections than the server accepts.
const CROWD: usize = 600;

fn catch_panic() -> Server {
    let mut command = binary();
    command.env("LLM_SHELL_TOKEN", "s3cret-token-0123");
    Server::start_command(command)
}

/// Opens a flood of connections, each of which sends this and reads nothing.
fn crowd(server: &Server, bytes: &[u8]) -> Vec<Client> {
    let join = |_| {
        let mut client = Client::connect(server.address());
        rustix::net::sockopt::set_socket_recv_buffer_size(&client.socket, 2048).unwrap();
        rustix::io::ioctl_fionbio(&client.socket, true).unwrap();
        // As much as the server accepts before it waits for the reader.
        let _ = std::io::Write::write(&mut client.socket, bytes);
        client
    };
    (0..CROWD).map(join).collect()
}

#[test]
fn connection_floods_refuse_no_other_client() {
    let server = catch_panic();
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for bytes in [
        String::new(),
        "GET /health HTTP/1.1\r\nHo".to_owned(),
        request.repeat(400),
        "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{".to_owned(),
    ] {
        let crowd = crowd(&server, bytes.as_bytes());
        for _ in 0..20 {
            server.get("/health").expect(200);
            let token = ["Authorization: Bearer s3cret-token-0123"];
            server.request("GET /status", &token, b"").expect(404);
        }
        drop(crowd);
    }
    assert!(!server.log().contains("could not serve"), "{}", server.log());
}

#[test]
fn log_of_a_connection_flood_is_limited() {
    let server = catch_panic();
    let mut client = Client::connect(server.address());
    for _ in 0..500 {
        client.send("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.answer().status, 401);
    }
    let counted = eventually("the rest is counted", || {
        server.get("/health").expect(200);
        let log = server.log();
        let lines = log.lines().filter_map(|line| line.split_once(" more requests without"));
        let counts =
            lines.filter_map(|(before, _)| before.rsplit(' ').next()?.parse::<usize>().ok());
        let counted: usize = counts.sum();
        (counted > 0).then_some(counted)
    });
    let log = server.log();
    let written = log.lines().filter(|line| line.contains(" GET /status 401 ")).count();
    assert!(written < 250 && counted > 250, "{written} written, {counted} counted");
}
