//! The routing table, from method and path to handler.

use crate::access_control::{Access, AccessControl};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::request::Request;
use http::Method;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The maximum number of routes suggested for an unknown path.
const NAMED_MAX: usize = 3;

/// Selects the patterns that a client may have meant by an unknown path.
pub type SuggestPaths = for<'p> fn(path: &str, patterns: BTreeSet<&'p str>) -> Vec<&'p str>;

/// The maximum number of characters of an unknown path that a message repeats.
const PATH_SHOWN_CHARS_MAX: usize = 100;

/// A request handler. It runs on the connection's own thread and may block without affecting other
/// connections.
type Handler = Box<dyn Fn(&mut Request<'_>) -> Result<Reply, Problem> + Send + Sync>;

/// The routes of a server.
///
/// A pattern is a path whose segments are either literal or `{name}`, which matches any one
/// segment that is not empty. Segments are compared as they were sent; only the values of `{name}`
/// are percent-decoded, so that `%2F` never splits one. A trailing slash is ignored. A literal
/// segment takes precedence over `{name}` at the leftmost difference, whatever the method.
#[derive(Default)]
pub struct Router {
    routes: Vec<Route>,
    /// The access exceptions, by pattern.
    marks: Vec<(&'static str, Mark)>,
    /// The aliases: a prefix, and the prefix that replaces it.
    aliases: Vec<(&'static str, &'static str)>,
    access_control: Option<Arc<dyn AccessControl>>,
    suggest_paths: Option<SuggestPaths>,
}

/// An access exception.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Open,
    Public,
    Acting,
}

struct Route {
    method: Method,
    pattern: &'static str,
    handler: Handler,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} routes", self.routes.len())
    }
}

/// The values of a pattern's `{names}`, decoded.
pub(crate) type Params = Vec<(&'static str, String)>;

impl Router {
    /// Creates a table without routes: everything is 404.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a GET route, which also answers HEAD.
    #[must_use]
    pub fn get<H>(self, pattern: &'static str, handler: H) -> Self
    where
        H: Fn(&mut Request<'_>) -> Result<Reply, Problem> + Send + Sync + 'static,
    {
        self.route(Method::GET, pattern, handler)
    }

    /// Adds a POST route.
    #[must_use]
    pub fn post<H>(self, pattern: &'static str, handler: H) -> Self
    where
        H: Fn(&mut Request<'_>) -> Result<Reply, Problem> + Send + Sync + 'static,
    {
        self.route(Method::POST, pattern, handler)
    }

    /// Adds a route of any method. The first of two routes for the same method and pattern
    /// applies.
    #[must_use]
    pub fn route<H>(mut self, method: Method, pattern: &'static str, handler: H) -> Self
    where
        H: Fn(&mut Request<'_>) -> Result<Reply, Problem> + Send + Sync + 'static,
    {
        debug_assert!(pattern.starts_with('/'), "{pattern} is not a path");
        self.routes.push(Route { method, pattern, handler: Box::new(handler) });
        self
    }

    /// Lets `pattern` be requested without credentials, even if some are set.
    #[must_use]
    pub fn open(self, pattern: &'static str) -> Self {
        self.mark(pattern, Mark::Open)
    }

    /// Lets anyone request `pattern`, whatever access control there is.
    #[must_use]
    pub fn public(self, pattern: &'static str) -> Self {
        self.mark(pattern, Mark::Public)
    }

    /// Marks a GET of `pattern` as having side effects: a link on another site must not trigger
    /// it.
    #[must_use]
    pub fn acting(self, pattern: &'static str) -> Self {
        self.mark(pattern, Mark::Acting)
    }

    /// Answers a path that begins with the segments of `prefix` as if it began with `meaning`.
    #[must_use]
    pub fn alias(mut self, prefix: &'static str, meaning: &'static str) -> Self {
        self.aliases.push((prefix, meaning));
        self
    }

    /// Returns a path without its trailing slash, and with an alias's prefix replaced.
    fn resolve<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let path = without_trailing_slash(path);
        let rest = self.aliases.iter().find_map(|(prefix, meaning)| {
            let rest = path.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{meaning}{rest}"))
        });
        rest.map_or(Cow::Borrowed(path), Cow::Owned)
    }

    fn mark(mut self, pattern: &'static str, mark: Mark) -> Self {
        self.marks.push((pattern, mark));
        self
    }

    /// Checks every request with `access_control` first. Without one, every request passes.
    #[must_use]
    pub fn guarded_by(mut self, access_control: Arc<dyn AccessControl>) -> Self {
        self.access_control = Some(access_control);
        self
    }

    /// Adds the patterns that `suggest_paths` selects to the response to an unknown path.
    #[must_use]
    pub fn suggesting(mut self, suggest_paths: SuggestPaths) -> Self {
        self.suggest_paths = Some(suggest_paths);
        self
    }

    /// Returns the access policy.
    pub(crate) fn access_control(&self) -> Option<&dyn AccessControl> {
        self.access_control.as_deref()
    }

    /// Returns what access to the raw `path` requires. An unknown path requires credentials like
    /// any other, so that it does not reveal which paths exist.
    pub(crate) fn access(&self, method: &Method, path: &str) -> Access {
        let path = &*self.resolve(path);
        let mut marks = self.marks.iter().filter(|(pattern, _)| matches(pattern, path));
        let mark = marks.next().map(|(_, mark)| *mark);
        Access {
            needs_credentials: !matches!(mark, Some(Mark::Open | Mark::Public)),
            is_public: mark == Some(Mark::Public),
            is_read: matches!(*method, Method::GET | Method::HEAD) && mark != Some(Mark::Acting),
        }
    }

    /// Returns every route, in the order they were added.
    pub fn routes(&self) -> impl Iterator<Item = (&Method, &str)> {
        self.routes.iter().map(|route| (&route.method, route.pattern))
    }

    /// Finds the handler for `method` at the raw `path`, with the values of the pattern's names.
    ///
    /// # Errors
    /// 404 for an unknown path, 405 with `Allow` for a known one, 400 for a segment that is not
    /// UTF-8 when decoded.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<(&Handler, Params), Problem> {
        let path = &*self.resolve(path);
        let route = self
            .best(method, path)
            .or_else(|| if method == Method::HEAD { self.best(&Method::GET, path) } else { None });
        match route {
            Some(route) => Ok((&route.handler, params(route.pattern, path)?)),
            None => Err(self.no_route(method, path)),
        }
    }

    fn best(&self, method: &Method, path: &str) -> Option<&Route> {
        self.routes_at(path).find(|route| route.method == *method)
    }

    /// Returns the routes of the most specific pattern that matches a path.
    fn routes_at(&self, path: &str) -> impl Iterator<Item = &Route> {
        let matching = || self.routes.iter().filter(move |route| matches(route.pattern, path));
        let best = matching()
            .map(|route| route.pattern)
            .reduce(|best, other| if is_more_specific(other, best) { other } else { best });
        let is_best = move |pattern| best.is_some_and(|best| !is_more_specific(best, pattern));
        matching().filter(move |route| is_best(route.pattern))
    }

    /// Builds the 404 with a few likely routes; the documentation has the whole list.
    fn not_found(&self, path: &str) -> Problem {
        let shown: String = path.chars().take(PATH_SHOWN_CHARS_MAX).collect();
        let Some(suggest_paths) = self.suggest_paths else {
            return Problem::not_found(format!("There is no path {shown:?}."));
        };
        let patterns: BTreeSet<&str> = self.routes().map(|(_, pattern)| pattern).collect();
        let nearest = suggest_paths(path, patterns);
        let named = |(method, pattern): (&Method, &str)| {
            nearest.contains(&pattern).then(|| format!("{method} {pattern}"))
        };
        let routes: Vec<_> = self.routes().filter_map(named).take(NAMED_MAX).collect();
        let routes = routes.join(", ");
        Problem::not_found(format!("There is no path {shown:?}: the nearest are {routes}."))
    }

    fn no_route(&self, method: &Method, path: &str) -> Problem {
        let mut allowed: Vec<&str> = Vec::new();
        for route in self.routes_at(path) {
            let names: &[&str] = match route.method.as_str() {
                "GET" => &["GET", "HEAD"],
                other => &[other],
            };
            for name in names {
                if !allowed.contains(name) {
                    allowed.push(name);
                }
            }
        }
        if allowed.is_empty() {
            return self.not_found(path);
        }
        let allowed = allowed.join(", ");
        let detail = format!("This path does not support the method {method}: use {allowed}.");
        Problem::method_not_allowed(&allowed, detail)
    }
}

fn without_trailing_slash(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() && !shorter.ends_with('/') => shorter,
        _ => path,
    }
}

fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for expected in without_trailing_slash(pattern).split('/') {
        match segments.next() {
            Some(segment) if segment == expected => {}
            Some(segment) if name_of(expected).is_some() && !segment.is_empty() => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

/// Returns whether `pattern` has a literal at the first segment where the two differ in kind.
fn is_more_specific(pattern: &str, other: &str) -> bool {
    let pairs = pattern.split('/').zip(other.split('/'));
    for (here, there) in pairs {
        match (name_of(here), name_of(there)) {
            (None, Some(_)) => return true,
            (Some(_), None) => return false,
            _ => {}
        }
    }
    false
}

fn params(pattern: &'static str, path: &str) -> Result<Params, Problem> {
    let mut params = Params::new();
    if !pattern.contains('{') {
        return Ok(params);
    }
    for (expected, segment) in pattern.split('/').zip(path.split('/')) {
        if let Some(name) = name_of(expected) {
            let value = percent_decode_str(segment).decode_utf8().map_err(|_| {
                Problem::bad_request(format!(
                    "The path's {name} is not UTF-8 when percent-decoded: encode it as UTF-8."
                ))
            })?;
            params.push((name, value.into_owned()));
        }
    }
    Ok(params)
}

/// Returns `run_id` for `{run_id}`; `None` for a literal segment.
fn name_of(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Router {
        let mut router = Router::new();
        for pattern in ["/", "/status", "/runs", "/runs/{run_id}", "/runs/{run_id}/logs"] {
            router = router.get(pattern, |_| Ok(Reply::empty(http::StatusCode::OK)));
        }
        router
            .post("/status", |_| Ok(Reply::empty(http::StatusCode::OK)))
            .get("/runs/latest", |_| Ok(Reply::empty(http::StatusCode::OK)))
            .post("/runs/{run_id}", |_| Ok(Reply::empty(http::StatusCode::OK)))
            .alias("/v1/runs", "/runs")
    }

    /// Returns the pattern that answers, with its values; or the status of the error.
    fn found(method: &Method, path: &str) -> Result<(String, Vec<String>), u16> {
        let table = table();
        let (handler, params) =
            table.find(method, path).map_err(|problem| problem.status().as_u16())?;
        let route =
            table.routes.iter().find(|route| std::ptr::eq(&raw const route.handler, handler));
        let values = params.into_iter().map(|(_, value)| value).collect();
        Ok((route.expect("a route of the table").pattern.to_owned(), values))
    }

    fn values(values: &[&str]) -> Vec<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    #[test]
    fn paths_find_their_routes() {
        let table: &[(&str, &str, &[&str])] = &[
            ("/", "/", &[]),
            ("/status", "/status", &[]),
            ("/status/", "/status", &[]),
            ("/runs", "/runs", &[]),
            ("/runs/", "/runs", &[]),
            ("/runs/7", "/runs/{run_id}", &["7"]),
            ("/runs/7/", "/runs/{run_id}", &["7"]),
            ("/runs/7/logs", "/runs/{run_id}/logs", &["7"]),
            ("/runs/latest", "/runs/latest", &[]),
            ("/runs/latest/logs", "/runs/{run_id}/logs", &["latest"]),
            ("/runs/a%2Fb", "/runs/{run_id}", &["a/b"]),
            ("/runs/100%25", "/runs/{run_id}", &["100%"]),
            ("/runs/%D0%B6", "/runs/{run_id}", &["ж"]),
            ("/runs/..", "/runs/{run_id}", &[".."]),
            ("/runs/%zz+", "/runs/{run_id}", &["%zz+"]),
            ("/v1/runs", "/runs", &[]),
            ("/v1/runs/", "/runs", &[]),
            ("/v1/runs/7/logs", "/runs/{run_id}/logs", &["7"]),
        ];
        for (path, pattern, expected) in table {
            let expected = Ok(((*pattern).to_owned(), values(expected)));
            assert_eq!(found(&Method::GET, path), expected, "{path}");
        }
    }

    #[test]
    fn unknown_paths_are_404() {
        for path in [
            "/v1",
            "/v1/status",
            "/v1/runs2",
            "/nope",
            "//",
            "//status",
            "/status//",
            "/runs//logs",
            "/%73tatus",
            "*",
            "",
        ] {
            assert_eq!(found(&Method::GET, path), Err(404), "{path}");
        }
    }

    #[test]
    fn a_segment_that_is_not_utf_8_is_400() {
        assert_eq!(found(&Method::GET, "/runs/%ff"), Err(400));
    }

    #[test]
    fn unknown_path_names_suggested_routes() {
        let router = table().suggesting(|path, patterns| {
            assert_eq!(path, "/rns");
            patterns.into_iter().filter(|pattern| *pattern == "/runs").collect()
        });
        let problem = router.find(&Method::GET, "/rns").err().expect("an unknown path");
        assert_eq!(problem.detail(), "There is no path \"/rns\": the nearest are GET /runs.");
    }

    #[test]
    fn head_is_answered_by_get() {
        assert_eq!(found(&Method::HEAD, "/runs/7"), found(&Method::GET, "/runs/7"));
    }

    #[test]
    fn a_405_lists_the_allowed_methods() {
        let table = table();
        for (path, allowed) in
            [("/status", "GET, HEAD, POST"), ("/", "GET, HEAD"), ("/runs/latest", "GET, HEAD")]
        {
            let Err(problem) = table.find(&Method::DELETE, path) else { panic!("{path} is known") };
            assert_eq!(problem.status().as_u16(), 405, "{path}");
            let named = problem.detail().trim_end_matches('.').rsplit(": use ").next();
            let mut named: Vec<_> = named.expect("methods").split(", ").collect();
            let mut expected: Vec<_> = allowed.split(", ").collect();
            named.sort_unstable();
            expected.sort_unstable();
            assert_eq!(named, expected, "{path}");
        }
    }

    #[test]
    fn a_literal_route_hides_the_methods_of_a_pattern() {
        assert_eq!(found(&Method::POST, "/runs/latest"), Err(405));
        let expected = Ok(("/runs/{run_id}".to_owned(), values(&["last"])));
        assert_eq!(found(&Method::POST, "/runs/last"), expected);
    }

    #[test]
    fn routes_are_listed() {
        let table = table();
        let listed: Vec<_> = table.routes().map(|(m, p)| format!("{m} {p}")).collect();
        assert_eq!(listed.len(), 8);
        assert!(listed.contains(&"POST /runs/{run_id}".to_owned()));
    }
}
