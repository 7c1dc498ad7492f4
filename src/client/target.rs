//! Paths and queries of requests.

use form_urlencoded::Serializer;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The parameters of a query.
pub struct Parameters(Serializer<'static, String>);

impl Default for Parameters {
    fn default() -> Self {
        Self(Serializer::new(String::new()))
    }
}

impl Parameters {
    /// Creates an empty query.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter if it has a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.0.append_pair(name, &value.to_string());
        }
        self
    }

    /// Returns `path` with this query.
    #[must_use]
    pub fn of(mut self, path: &str) -> String {
        match self.0.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

/// Encodes a name as a path segment.
#[must_use]
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}
