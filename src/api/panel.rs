//! The web panel: static files embedded in the binary, and their routes.

use super::openapi::parameters;
use super::route::{Mode, Route};
use http::StatusCode;
use http1::{HeaderName, HeaderValue, Problem, Reply, Request, header};

/// Content-Security-Policy of the panel: it may load its own files and send requests to its own
/// server. Nothing inline, nothing from other hosts, no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// A file of the panel.
struct File {
    /// Folder and name.
    path: &'static str,
    content: &'static str,
}

/// Embeds the files of `src/panel` with these paths.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        [$(File { path: $path, content: include_str!(concat!("../panel/", $path)) }),*]
    };
}

/// Every file of the panel.
const FILES: &[File] = &files![
    "astra/actions.js",
    "astra/astra.css",
    "astra/bulk.js",
    "astra/buttons.js",
    "astra/detail.js",
    "astra/facts.js",
    "astra/index.html",
    "astra/main.js",
    "astra/quick.js",
    "astra/row.js",
    "astra/services.js",
    "astra/states.js",
    "astra/summary.js",
    "astra/table.js",
    "common/ansi.js",
    "common/api.js",
    "common/base.css",
    "common/confirm.js",
    "common/connection.js",
    "common/dom.js",
    "common/format.js",
    "common/icon.svg",
    "common/input.js",
    "common/lines.js",
    "common/log.css",
    "common/logevents.js",
    "common/login.js",
    "common/logout.js",
    "common/logpanel.js",
    "common/logview.js",
    "common/matches.js",
    "common/notices.js",
    "common/prefs.js",
    "common/row.js",
    "common/scope.js",
    "common/session.js",
    "common/spark.js",
    "common/sse.js",
    "common/toggle.js",
    "shell/history.js",
    "shell/index.html",
    "shell/main.js",
    "shell/run.js",
    "shell/runs.js",
    "shell/shell.css",
    "shell/start.js",
];

/// Returns the routes of the panel, which need no credentials: the panel asks for them itself.
pub fn routes<O: Mode>() -> &'static [Route<O>] {
    const {
        &[
            Route::get("/", page, |it| {
                let description = "Needs no credentials; it asks for them itself.";
                it.does("panel", "server", "The web panel", description).answers_text(
                    (200, "The page."),
                    "text/html",
                    "<!doctype html>…",
                )
            })
            .open(),
            Route::get("/panel/{folder}/{file}", file, |it| {
                let missing = "The panel has no file \"astra/x.js\": open / instead.";
                let description = "Styles, scripts and pictures.";
                it.does("panelFile", "server", "Files of the web panel", description)
                    .with([parameters::folder(), parameters::file()])
                    .answers_text((200, "A script."), "text/javascript", "// …")
                    .answers_text((200, ""), "text/css", "/* … */")
                    .answers_text((200, ""), "image/svg+xml", "<svg …")
                    .refuses(Problem::not_found(missing))
            })
            .open(),
        ]
    }
}

fn page<O: Mode>(_: &O, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    find(O::PAGE)
}

fn file<O>(_: &O, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    find(&format!("{}/{}", request.param("folder"), request.param("file")))
}

fn find(path: &str) -> Result<Reply, Problem> {
    let Some(file) = FILES.iter().find(|file| file.path == path) else {
        return Err(Problem::not_found(format!("The panel has no file {path:?}: open / instead.")));
    };
    let reply = Reply::bytes(StatusCode::OK, media_type(file.path), file.content.into());
    let header = |reply: Reply, name: HeaderName, value| {
        reply.with_header(name, HeaderValue::from_static(value))
    };
    let reply = header(reply, header::CONTENT_SECURITY_POLICY, POLICY);
    let reply = header(reply, header::REFERRER_POLICY, "no-referrer");
    Ok(header(reply, HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
}

/// Returns the media type for a file's extension.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    }
}
