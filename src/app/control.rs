//! `llm-shell ctl`: the choice of the server.

use super::credentials::{authorization, authorization_for};
use crate::client::{self, Client, ClientError, Console, CtlCommand};
use crate::settings::{Destination, Settings, token as token_of};
use std::env;

/// Astra's default port.
const ASTRA_PORT: u16 = 7031;

/// Runs a command on the server given by `destination` or the settings; if they give none, on the
/// LLM Shell or Astra that is running. Blocks until it is done. Returns the exit code.
///
/// # Errors
/// `ClientError` if the server is unreachable, refuses the request, or cannot fulfil it.
pub fn control(
    destination: Destination,
    command: &CtlCommand,
    mut settings: Settings,
) -> Result<u8, ClientError> {
    let Destination { url, token, .. } = destination;
    if let Some(text) = token {
        let wrong = |expected| ClientError::Wrong(format!("invalid --token: expected {expected}"));
        settings.token = Some(token_of(&text).map_err(wrong)?);
    }
    let settings = &settings;
    let console = Console::of_process(env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()));
    let at = |port: u16| {
        let host = &settings.host;
        let host = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let url = format!("http://{host}:{port}");
        authorization_for(&url, settings).map(|value| Client::of_url(&url, value))
    };
    let client = match (&url, &settings.socket) {
        (Some(url), _) => Client::of_url(url, authorization_for(url, settings)?),
        (None, Some(socket)) => Client::of_socket(socket.clone(), authorization(settings)),
        (None, None) if settings.set_by.contains_key("LLM_SHELL_PORT") => at(settings.port)?,
        (None, None) => running_server(at(settings.port)?, at(ASTRA_PORT)?)?,
    };
    client::run(command, &client, &console)
}

/// Returns the server that is running, if the command line names neither.
fn running_server(shell: Client, astra: Client) -> Result<Client, ClientError> {
    match (client::is_ours(&shell), client::is_ours(&astra)) {
        (true, true) => Err(ClientError::Wrong(format!(
            "both an LLM Shell ({}) and Astra ({}) are running: choose one with --port",
            shell.url(),
            astra.url()
        ))),
        (false, true) => Ok(astra),
        (_, false) => Ok(shell),
    }
}
