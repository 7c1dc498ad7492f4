//! POST /login and POST /logout: sessions of the web panel.

use super::body;
use super::route::{Api, Mode, Route, Verb};
use crate::auth::{Login, Principal, Session};
use crate::logs::{format_instant, now};
use crate::ops::{Change, Client};
use crate::protocol::Scope;
use http::StatusCode;
use http1::{Problem, Reply, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Body of POST /login: the token, or the user and the password.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected either a token, or a user and a password")]
pub enum LoginRequest {
    /// If a token is set.
    Token(TokenLogin),
    /// If a password is set.
    Password(PasswordLogin),
}

/// A login with a token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenLogin {
    /// The token.
    token: String,
}

/// A login with a user and a password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordLogin {
    /// The user.
    user: String,
    /// The user's password.
    password: String,
}

/// Answer to POST /login.
#[derive(Serialize, JsonSchema)]
pub struct LoginResponse {
    /// Token of the session, for `Authorization: Bearer`.
    pub token: String,
    /// Time at which the session ends.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

/// Answer to GET /whoami.
#[derive(Serialize, JsonSchema)]
pub struct WhoamiResponse {
    /// Name of the token, or user of the password; null without credentials.
    pub name: Option<String>,
    /// What the client may do.
    pub scope: Scope,
}

/// Returns the routes. A client that logs in has no credentials yet.
pub fn routes<O: Mode>() -> &'static [Route<O>] {
    const {
        &[
            Route::of_api(Verb::Post, Scope::Read, "/login", log_in, |it| {
                let token = json!({"token": "7f3a9c0e51d2b846"});
                let session =
                    json!({"token": "9f0c…", "expires_at": "2026-11-23T22:20:22.778260Z"});
                it.does("logIn", "server", "Log in", LOGIN)
                    .reads::<LoginRequest>(&token)
                    .answers::<LoginResponse>((200, SESSION), &session)
                    .refuses(Problem::bad_request(NOTHING_SET))
                    .refuses(Problem::unauthorized(WRONG))
                    .may(&["TooManyRequests"])
            })
            .open(),
            Route::of_api(Verb::Post, Scope::Read, "/logout", log_out, |it| {
                let description = "Ends the session whose token the request carries.";
                it.does("logOut", "server", "Log out", description)
                    .answers_nothing((204, "The session is over."))
                    .refuses(Problem::bad_request(NO_SESSION))
            }),
            Route::get("/whoami", whoami, |it| {
                let answer = json!({"name": "dashboard", "scope": "read"});
                it.does("whoami", "server", "Show who the client is", WHOAMI)
                    .answers::<WhoamiResponse>((200, "Name and scope of the client."), &answer)
            }),
        ]
    }
}

const LOGIN: &str = "For the web panel, if a token or a password is set. 429 after ten wrong \
                     attempts within a minute.";
const SESSION: &str = "Token of the session, for `Authorization: Bearer`.";
const NOTHING_SET: &str = "This server requires no credentials: use it without logging in.";
const WRONG: &str = "These credentials are wrong: send the right ones in Authorization, as \
                     WWW-Authenticate describes.";
const NO_SESSION: &str =
    "The request has no session to end: send the token that POST /login returned.";

const WHOAMI: &str = "`scope` is `read`, `operate` (also acts on what there is) or `run` (also \
                      chooses what is run).";

fn whoami<O>(_: &O, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let Principal { name, scope, .. } = request.principal().clone();
    Ok(Reply::json(StatusCode::OK, &WhoamiResponse { name, scope }))
}

fn log_in<O: Mode>(api: &Api<O>, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let example = "{\"token\": \"...\"} or {\"user\": \"...\", \"password\": \"...\"}";
    let body: LoginRequest = body::open_json(request, example)?;
    let login = match &body {
        LoginRequest::Token(login) => Login::Token(&login.token),
        LoginRequest::Password(login) => Login::Password(&login.user, &login.password),
    };
    let Session { token, lifetime, principal } = api.guard.log_in(login, request.caller())?;
    let name = principal.name.as_deref();
    api.ops.audit().record_of(request, name, &Change::new("log_in"), &Ok(()));
    let expires_at = format_instant(now() + lifetime);
    Ok(Reply::json(StatusCode::OK, &LoginResponse { token, expires_at }))
}

fn log_out<O: Mode>(api: &Api<O>, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    if api.guard.log_out(request.header("authorization")) {
        api.ops.audit().record(request, &Change::new("log_out"), &Ok(()));
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    Err(Problem::bad_request(NO_SESSION))
}
