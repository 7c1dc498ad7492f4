//! `llm-shell ctl`: which server is asked.

use super::credentials::{authorization, authorization_for};
use crate::client::{self, Client, ClientError, Console, CtlCommand};
use crate::settings::{Destination, Settings, token as token_of};
use std::env;

/// The port that Astra has where nothing else is set.
const ASTRA_PORT: u16 = 7031;

/// Carries out an order at the server that is named, or that the settings name: where they name
/// none, the one of an LLM Shell and Astra that runs. Blocks for as long as that takes. Gives the
/// exit code.
///
/// # Errors
/// `ClientError` when the server is away, refuses us, or cannot do it.
pub fn control(
    destination: Destination,
    order: &CtlCommand,
    mut settings: Settings,
) -> Result<u8, ClientError> {
    let Destination { url, token, .. } = destination;
    if let Some(text) = token {
        let wrong = |wanted| ClientError::Wrong(format!("--token must be {wanted}"));
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
        authorization_for(&url, settings).map(|shown| Client::of_url(&url, shown))
    };
    let client = match (&url, &settings.socket) {
        (Some(url), _) => Client::of_url(url, authorization_for(url, settings)?),
        (None, Some(socket)) => Client::of_socket(socket.clone(), authorization(settings)),
        (None, None) if settings.set_by.contains_key("LLM_SHELL_PORT") => at(settings.port)?,
        (None, None) => of_either(at(settings.port)?, at(ASTRA_PORT)?)?,
    };
    client::run(order, &client, &console)
}

/// The one that runs, where nobody said which of the two is meant.
fn of_either(shell: Client, astra: Client) -> Result<Client, ClientError> {
    match (client::is_ours(&shell), client::is_ours(&astra)) {
        (true, true) => Err(ClientError::Wrong(format!(
            "An LLM Shell answers at {} and Astra at {}: say by --port which is meant.",
            shell.url(),
            astra.url()
        ))),
        (false, true) => Ok(astra),
        (_, false) => Ok(shell),
    }
}
