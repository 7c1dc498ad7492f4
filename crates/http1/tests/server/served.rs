//! A server for tests, with the routes they need.

use crate::support::PATIENCE;
use crate::support::raw::Client;
use http1::{Limits, Listener, Problem, Reply, Request, Router, Server, StatusCode, StreamBody};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};

/// A gate that handlers wait at, so that tests decide when they continue.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn open(&self) {
        *self.open.lock().expect("the gate") = true;
        self.opened.notify_all();
    }

    pub fn wait(&self) {
        let open = self.open.lock().expect("the gate");
        let waited = self.opened.wait_timeout_while(open, PATIENCE, |open| !*open);
        assert!(*waited.expect("the gate").0, "nobody opened the gate");
    }
}

/// A running server with test routes.
pub struct Served {
    pub server: Option<Server>,
    pub address: SocketAddr,
    pub gate: Arc<Gate>,
    /// The reports of handlers.
    pub events: Receiver<String>,
}

impl Served {
    pub fn start() -> Self {
        Self::with(Limits::default())
    }

    pub fn with(limits: Limits) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port"), limits)
    }

    pub fn on(listener: impl Into<Listener>, limits: Limits) -> Self {
        let gate = Arc::new(Gate::default());
        let (report, events) = channel();
        let router = routes(&gate, &report);
        let server = Server::start(listener, router, limits).expect("a server");
        let address = server.address();
        Self { server: Some(server), address, gate, events }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends `bytes` on a new connection and returns everything that comes back.
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> Client {
        let mut client = self.client();
        client.send(bytes);
        client
    }

    pub fn event(&self) -> String {
        self.events.recv_timeout(PATIENCE).expect("a report from a handler")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.gate.open();
    }
}

fn routes(gate: &Arc<Gate>, report: &Sender<String>) -> Router {
    let (waiting, streaming) = (Arc::clone(gate), Arc::clone(gate));
    let (entered, streamed) = (report.clone(), report.clone());
    Router::new()
        .get("/hello", |_| Ok(Reply::bytes(StatusCode::OK, "text/plain", b"hello\n".to_vec())))
        .get("/empty", |_| Ok(Reply::empty(StatusCode::NO_CONTENT)))
        .get("/large/{bytes}", |request| Ok(large(request)))
        .get("/seen", seen)
        .post("/seen", seen)
        .post("/echo", |request| echo(request, 1024 * 1024))
        .post("/small", |request| echo(request, 10))
        .post("/ignore", |_| Ok(Reply::empty(StatusCode::OK)))
        .get("/wait", move |_| {
            let _ = entered.send("entered".to_owned());
            waiting.wait();
            Ok(Reply::bytes(StatusCode::OK, "text/plain", b"waited\n".to_vec()))
        })
        .get("/panic", |_| panic!("as the test wants it"))
        .get("/items/{name}", |request| {
            Ok(Reply::bytes(StatusCode::OK, "text/plain", request.param("name").into()))
        })
        .get("/stream/{how}", move |request| {
            let how = request.param("how").to_owned();
            let (gate, report) = (Arc::clone(&streaming), streamed.clone());
            Ok(Reply::stream(StatusCode::OK, "text/plain", move |body| {
                stream(&how, body, &gate, &report)
            }))
        })
}

fn large(request: &Request<'_>) -> Reply {
    let bytes = request.param("bytes").parse().unwrap_or(0);
    Reply::bytes(StatusCode::OK, "application/octet-stream", vec![b'x'; bytes])
}

/// Describes the request that the handler received, one item per line.
fn seen(request: &mut Request<'_>) -> Result<Reply, Problem> {
    let mut query = request.query()?;
    let lines = query.take("lines");
    query.finish()?;
    let text = format!(
        "{} {} lines={lines:?} test={:?} id={}\n",
        request.method(),
        request.path(),
        request.header("x-test"),
        request.id(),
    );
    Ok(Reply::bytes(StatusCode::OK, "text/plain", text.into_bytes()))
}

fn echo(request: &mut Request<'_>, bytes_max: usize) -> Result<Reply, Problem> {
    let body = request.body(bytes_max)?;
    Ok(Reply::bytes(StatusCode::OK, "application/octet-stream", body))
}

fn stream(
    how: &str,
    body: &mut StreamBody<'_>,
    gate: &Gate,
    report: &Sender<String>,
) -> io::Result<()> {
    match how {
        "nothing" => Ok(()),
        "small" => body.write_all(b"small\n"),
        "full" => body.write_all(&vec![b'x'; 64 * 1024]),
        "large" => (0..10_000).try_for_each(|line| writeln!(body, "line {line:06}: {:80}", "")),
        "flushed" => {
            writeln!(body, "first")?;
            body.flush()?;
            gate.wait();
            writeln!(body, "second")?;
            body.flush()?;
            writeln!(body, "last")
        }
        "head-first" => {
            body.flush()?;
            gate.wait();
            body.write_all(b"late\n")
        }
        "fails-at-once" => Err(io::Error::other("no such log")),
        "fails-later" => {
            body.write_all(b"first\n")?;
            body.flush()?;
            Err(io::Error::other("the log broke off"))
        }
        "panics-later" => {
            body.write_all(b"first\n")?;
            body.flush()?;
            panic!("as the test wants it")
        }
        "until-gone" => {
            body.write_all(b"first\n")?;
            body.flush()?;
            let gone = body.wait_gone(PATIENCE);
            let _ = report.send(format!("gone {gone} {}", body.client_gone()));
            Ok(())
        }
        "endless" => {
            let result = loop {
                if let Err(error) = body.write_all(&[b'x'; 8192]) {
                    break error;
                }
            };
            let _ = report.send(format!("{:?}", result.kind()));
            Err(result)
        }
        other => panic!("no such stream: {other}"),
    }
}
