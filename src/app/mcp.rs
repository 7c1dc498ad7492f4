//! The Model Context Protocol on stdin and stdout, for tools in this process or a remote server.

use super::StartError;
use super::credentials::{authorization, authorization_for};
use crate::client::{Client, ClientError};
use crate::error::SystemError;
use crate::mcp::{self, Endpoint, Local, Remote, Toolbox};
use crate::ops::Result;
use crate::ops::Shell;
use crate::settings::Settings;
use crate::shutdown::SignalReceiver;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::thread;

/// Forwards messages between stdin and stdout and the server at `url`, with the credentials of the
/// settings, until stdin ends. Blocks until then.
///
/// # Errors
/// `Machine` if stdin cannot be read.
pub fn bridge(url: &str, settings: &Settings) -> std::result::Result<(), StartError> {
    // The URL may also be that of the endpoint.
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix("/mcp").unwrap_or(url);
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let why = format!("invalid --url {url:?}: expected http:// or https://");
        return Err(ClientError::Wrong(why).into());
    }
    Ok(serve(Remote::new(Client::of_url(url, authorization_for(url, settings)?)))?)
}

/// Forwards messages between stdin and stdout and the server at a Unix socket, with the credentials
/// of the settings, until stdin ends. Blocks until then.
///
/// # Errors
/// `Machine` if stdin cannot be read.
pub fn bridge_to_socket(
    socket: PathBuf,
    settings: &Settings,
) -> std::result::Result<(), StartError> {
    Ok(serve(Remote::new(Client::of_socket(socket, authorization(settings))))?)
}

/// Serves the client at stdin and stdout on a new thread. Requests a shutdown when stdin ends.
pub(super) fn serve_tools(toolbox: Toolbox<Shell>, requests: &SignalReceiver) -> Result<()> {
    let trigger = requests.trigger()?;
    let work = move || {
        if let Err(error) = serve(Local(toolbox)) {
            log::error!("{error}");
        }
        trigger.fire();
    };
    // The thread reads stdin until that ends or the process exits.
    let thread = thread::Builder::new().name("mcp-stdio".to_owned()).spawn(work);
    thread.map_err(|error| SystemError::new("start a thread for stdin", error))?;
    log::info!("MCP server running on stdin and stdout");
    Ok(())
}

pub(super) fn serve(endpoint: impl Endpoint + 'static) -> Result<()> {
    let (input, output) = (BufReader::new(io::stdin()), io::stdout());
    let served = mcp::serve_stdio(endpoint, input, output, is_reader_gone);
    served.map_err(|error| SystemError::new("forward the messages on stdin", error).into())
}

/// Returns whether stdout is a pipe or a socket that nobody reads any more. Does not block.
fn is_reader_gone() -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let result = poll(&mut polled, Some(&Timespec::default()));
    result.is_ok() && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}
