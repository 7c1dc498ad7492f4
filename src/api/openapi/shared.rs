//! What the document tells of the routes that both servers have.

use super::parameters as take;
use super::route::Route;
use super::shapes::Message;
use crate::api::login::{LoginRequest, LoginResponse};
use crate::http::Problem;
use serde_json::json;

/// The media type of what Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text";

/// What such a text looks like.
const METRICS: &str = "# HELP llm_shell_runs Commands that were started.\n# TYPE llm_shell_runs \
                       counter\nllm_shell_runs_total 1\n# EOF\n";

/// What is said of the protocol.
const MCP: &str = "Streamable HTTP, in the stateless revision 2026-07-28 and in those that begin \
                   with `initialize`. `tools/list` tells of the tools and of what they take.";

/// Every route that both servers have likewise.
pub fn routes() -> Vec<Route> {
    let no_panel_file = "The panel has no file \"astra/x.js\": begin at /.";
    let nothing = "The page /docs has no file \"page.css\": ask for /docs itself.";
    let mut routes = vec![
        Route::get("/metrics", "prometheus")
            .does("server", "Metrics for Prometheus", "In the text of `OpenMetrics`.")
            .answers_text((200, "All that is measured."), OPEN_METRICS, METRICS),
        log_in(),
        log_out(),
        Route::post("/mcp", "mcp")
            .does("server", "The Model Context Protocol", MCP)
            .reads::<Message>(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
            .answers_any((200, "What was asked for, or in the older revisions a fault."))
            .answers_nothing((202, "A notification was taken."))
            .answers_any((400, "What was sent is at fault."))
            .answers_any((404, "There is no such method.")),
        Route::get("/", "panel")
            .does("server", "The web panel", "A page; it asks for credentials itself.")
            .answers_text((200, "The page."), "text/html", "<!doctype html>…")
            .open(),
        Route::get("/panel/{folder}/{file}", "panelFile")
            .does("server", "What the panel is made of", "Styles, scripts and pictures.")
            .with([take::folder(), take::file()])
            .answers_text((200, "A script."), "text/javascript", "// …")
            .answers_text((200, ""), "text/css", "/* … */")
            .answers_text((200, ""), "image/svg+xml", "<svg …")
            .refuses(Problem::not_found(no_panel_file))
            .open(),
        Route::get("/openapi.json", "openapi")
            .does("server", "This document", "OpenAPI 3.1.")
            .answers_any((200, "This document.")),
    ];
    if cfg!(feature = "docs") {
        routes.extend([
            Route::get("/docs", "docs")
                .does("server", "A page to try the API", "Swagger UI, from the server itself.")
                .answers_text((200, "The page."), "text/html", "<!doctype html>…"),
            Route::get("/docs/{file}", "docsFile")
                .does("server", "What the page is made of", "Styles and scripts.")
                .with([take::file()])
                .answers_text((200, "A script."), "text/javascript", "window.onload = …")
                .answers_text((200, ""), "text/css", "body {…}")
                .refuses(Problem::not_found(nothing)),
        ]);
    }
    routes
}

fn log_in() -> Route {
    let wrong = "This server does not know these credentials: send them in Authorization, as its \
                 WWW-Authenticate says.";
    let no_need = "This server has no token and no password: just use it, without logging in.";
    Route::post("/login", "logIn")
        .does("server", "Begin a session of a page", "Where a token or a password is set.")
        .reads::<LoginRequest>(&json!({"token": "7f3a9c0e51d2b846"}))
        .answers::<LoginResponse>(
            (200, "The token of the session, to be sent as `Authorization: Bearer`."),
            &json!({"token": "9f0c…", "expires_at": "2026-11-23T22:20:22.778260Z"}),
        )
        .refuses(Problem::bad_request(no_need))
        .refuses(Problem::unauthorized(wrong))
        .may(&["TooManyRequests"])
        .open()
}

fn log_out() -> Route {
    let none = "The request shows no session that could be ended: send the token that POST /login \
                gave.";
    Route::post("/logout", "logOut")
        .does("server", "End a session of a page", "The one whose token the request shows.")
        .answers_nothing((204, "It is ended: its token opens nothing any more."))
        .refuses(Problem::bad_request(none))
}
