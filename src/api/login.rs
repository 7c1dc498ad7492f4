//! POST /login: credentials for a cookie, so that a page in a browser can ask.

use super::body;
use crate::http::{Guard, Login, Problem, Reply, Request, header};
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// What POST /login takes: the token, or the user and the password.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "expected a token alone, or a user and a password")]
pub enum LoginRequest {
    /// Where a token is set.
    Token(TokenLogin),
    /// Where a password is set.
    Password(PasswordLogin),
}

/// A login with the token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenLogin {
    /// The token.
    token: String,
}

/// A login with the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordLogin {
    /// The user.
    user: String,
    /// The user's password.
    password: String,
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
    let login = match &body {
        LoginRequest::Token(login) => Login::Token(&login.token),
        LoginRequest::Password(login) => Login::Password(&login.user, &login.password),
    };
    let is_tls = request.header("origin").is_some_and(|origin| origin.starts_with("https://"));
    let cookie = guard.log_in(login, request.address(), is_tls)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT).with_header(header::SET_COOKIE, cookie))
}
