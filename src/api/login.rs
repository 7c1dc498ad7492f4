//! POST /login and POST /logout: the session of a page in a browser.

use super::body;
use crate::http::{Guard, Login, Problem, Reply, Request, Router, Session};
use crate::logs::{format_instant, now};
use http::StatusCode;
use serde::{Deserialize, Serialize};
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

/// What POST /login answers.
#[derive(Serialize, ToSchema)]
pub struct LoginResponse {
    /// The session's token, for `Authorization: Bearer`.
    pub token: String,
    /// When the session ends.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// Adds the two routes. Who logs in has nothing to show yet.
pub fn add_routes(router: Router, guard: &Arc<Guard>) -> Router {
    let (entrance, exit) = (Arc::clone(guard), Arc::clone(guard));
    router
        .post("/login", move |request| log_in(&entrance, request))
        .open("/login")
        .post("/logout", move |request| log_out(&exit, request))
}

fn log_in(guard: &Guard, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let example = "{\"token\": \"...\"} or {\"user\": \"...\", \"password\": \"...\"}";
    let body: LoginRequest = body::open_json(request, example)?;
    let login = match &body {
        LoginRequest::Token(login) => Login::Token(&login.token),
        LoginRequest::Password(login) => Login::Password(&login.user, &login.password),
    };
    let Session { token, lifetime } = guard.log_in(login, request.caller())?;
    let expires_at = format_instant(now() + lifetime);
    Ok(Reply::json(StatusCode::OK, &LoginResponse { token, expires_at }))
}

fn log_out(guard: &Guard, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    if guard.log_out(request.header("authorization")) {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    Err(Problem::bad_request(
        "The request shows no session that could be ended: send the token that POST /login gave.",
    ))
}
