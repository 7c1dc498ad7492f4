//! The Model Context Protocol on stdin and stdout, for a server inside or elsewhere.

use super::StartFault;
use super::credentials::authorization_for;
use crate::client::{Client, Trouble};
use crate::error::{Error, Result};
use crate::http::{self, Limits, Router, Server};
use crate::mcp;
use crate::settings::Settings;
use crate::shutdown::Requests;
use std::io::{self, BufReader};
use std::sync::Arc;
use std::thread;

/// Carries messages between stdin and stdout and the server at `url`, with the credentials of the
/// settings, until stdin ends. Blocks for as long.
///
/// # Errors
/// `Machine` where stdin cannot be read.
pub fn bridge(url: &str, settings: &Settings) -> std::result::Result<(), StartFault> {
    // Whoever gives the endpoint means its server.
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix("/mcp").unwrap_or(url);
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let why = format!("--url is {url:?}: give one that begins with http:// or https://.");
        return Err(Trouble::Wrong(why).into());
    }
    Ok(carry(Client::of_url(url, authorization_for(url, settings)?))?)
}

/// Opens a server for these routes whose one client is at stdin and stdout. Its end is asked for
/// when stdin ends.
pub(super) fn serve_inside(router: Router, requests: &Requests) -> Result<Arc<Server>> {
    let server = Server::start_inside(router, Limits::default());
    let server = Arc::new(server.map_err(|e| Error::kernel("start the server", e))?);
    let (door, asker) = (Arc::downgrade(&server), requests.asker()?);
    let client = Client::through(move || match door.upgrade() {
        Some(server) => server.connect(),
        None => Err(io::ErrorKind::ConnectionRefused.into()),
    });
    let work = move || {
        if let Err(error) = carry(client) {
            log::error!("{error}");
        }
        asker.ask();
    };
    // It reads stdin until that ends or the process does.
    let thread = thread::Builder::new().name("mcp-stdio".to_owned()).spawn(work);
    thread.map_err(|error| Error::kernel("start a thread for stdin", error))?;
    log::info!("speaking the Model Context Protocol on stdin and stdout");
    Ok(server)
}

fn carry(client: Client) -> Result<()> {
    let carried =
        mcp::bridge(client, BufReader::new(io::stdin()), io::stdout(), http::is_reader_gone);
    carried.map_err(|error| Error::kernel("carry the messages of stdin", error))
}
