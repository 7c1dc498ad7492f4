//! GET /docs: a page to try the API, Swagger UI embedded in the binary.

use super::openapi::parameters;
use super::route::{Mode, Route};
use http::StatusCode;
use http1::{HeaderValue, Problem, Reply, Request, header};

/// Content-Security-Policy: the page may load files of this server only. Swagger UI sets styles on
/// elements and shows icons from `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Caching of files that change only with the server's version.
const CACHE: &str = "private, max-age=3600";

/// A file of the page.
struct File {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    /// Whether `bytes` is gzip, which every browser that can show the page accepts.
    is_packed: bool,
}

/// The files of the page.
const FILES: [File; 3] = [
    File {
        name: "page.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("page.js"),
        is_packed: false,
    },
    File {
        name: "swagger-ui-bundle.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")),
        is_packed: true,
    },
    File {
        name: "swagger-ui.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz")),
        is_packed: true,
    },
];

/// Returns the routes of the page. Its files contain nothing about the server, so they need no
/// credentials; the document that they load does.
pub fn routes<O: Mode>() -> &'static [Route<O>] {
    const {
        &[
            Route::get("/docs", page, |it| {
                let description = "A page to read and try the API. Needs no network.";
                it.does("docs", "server", "Swagger UI", description).answers_text(
                    (200, "The page."),
                    "text/html",
                    "<!doctype html>…",
                )
            })
            .open(),
            Route::get("/docs/{file}", file, |it| {
                let missing = "There is no file \"page.css\" below /docs: open /docs itself.";
                it.does("docsFile", "server", "Files of Swagger UI", "Styles and scripts.")
                    .with([parameters::file()])
                    .answers_text((200, "A script."), "text/javascript", "window.onload = …")
                    .answers_text((200, ""), "text/css", "body {…}")
                    .refuses(Problem::not_found(missing))
            })
            .open(),
        ]
    }
}

/// Answers with the page.
fn page<O>(_: &O, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let page = include_bytes!("index.html").to_vec();
    let policy = HeaderValue::from_static(POLICY);
    Ok(Reply::bytes(StatusCode::OK, "text/html; charset=utf-8", page)
        .with_header(header::CONTENT_SECURITY_POLICY, policy))
}

/// Answers with a file of the page.
fn file<O>(_: &O, request: &mut Request<'_>) -> Result<Reply, Problem> {
    request.query()?.finish()?;
    let name = request.param("file");
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        let detail = format!("There is no file {name:?} below /docs: open /docs itself.");
        return Err(Problem::not_found(detail));
    };
    let reply = Reply::bytes(StatusCode::OK, file.media_type, file.bytes.to_vec())
        .with_header(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    Ok(if file.is_packed {
        reply.with_header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))
    } else {
        reply
    })
}
