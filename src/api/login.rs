//! POST /login: credentials for a cookie, so that a page in a browser can ask.

use super::body;
use crate::error::Error;
use crate::http::{Guard, Login, Problem, Reply, Request, header};
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What POST /login takes: the token, or the user and the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The token, alone.
    token: Option<String>,
    /// The user, with the password.
    user: Option<String>,
    /// The password, with the user.
    password: Option<String>,
}

/// The handler of POST /login.
pub fn handler(
    guard: Arc<Guard>,
) -> impl Fn(&mut Request<'_>) -> Result<Reply, Problem> + Send + Sync + 'static {
    move |request| log_in(&guard, request)
}

fn log_in(guard: &Guard, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let example = "{\"token\": \"...\"} or {\"user\": \"...\", \"password\": \"...\"}";
    let body: LoginRequest = body::open_json(request, example)?;
    let login = match (&body.token, &body.user, &body.password) {
        (Some(token), None, None) => Login::Token(token),
        (None, Some(user), Some(password)) => Login::Password(user, password),
        _ => {
            return Err(Error::Input(format!("The body is neither of two: send {example}.")).into());
        }
    };
    let is_tls = request.header("origin").is_some_and(|origin| origin.starts_with("https://"));
    let cookie = guard.log_in(login, request.address(), is_tls)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT).with_header(header::SET_COOKIE, cookie))
}
