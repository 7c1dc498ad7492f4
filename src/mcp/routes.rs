//! The HTTP routes, asked from within for the client that called a tool.

use super::tool::Failure;
use crate::http::{Asked, Method, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The routes of this server.
#[derive(Debug)]
pub struct Routes<'a, 'c> {
    request: &'a mut Request<'c>,
}

impl<'a, 'c> Routes<'a, 'c> {
    /// Those that the client of this request may ask.
    pub fn new(request: &'a mut Request<'c>) -> Self {
        Self { request }
    }

    /// Whether the client has left, so that nobody waits any more.
    pub fn client_gone(&self) -> bool {
        self.request.client_gone()
    }

    /// What GET answers. Blocks as the route does.
    pub fn get<T: DeserializeOwned>(&mut self, target: &str) -> Result<T, Failure> {
        self.ask(Method::GET, target, Vec::new())
    }

    /// What GET answers, be it a success or not: the status of the answer tells the same.
    pub fn get_in_any_state(&mut self, target: &str) -> Result<Value, Failure> {
        let asked = Asked { method: Method::GET, target: target.to_owned(), body: Vec::new() };
        let reply = self.request.ask(&asked);
        read(target, reply.whole_body().unwrap_or_default())
    }

    /// What POST answers to no body.
    pub fn post<T: DeserializeOwned>(&mut self, target: &str) -> Result<T, Failure> {
        self.ask(Method::POST, target, Vec::new())
    }

    /// What POST answers to this body.
    pub fn post_json<T: DeserializeOwned>(
        &mut self,
        target: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        self.ask(Method::POST, target, body.to_string().into_bytes())
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> Result<T, Failure> {
        let reply = self.request.ask(&Asked { method, target: target.to_owned(), body });
        let status = reply.status();
        let answer = reply.whole_body().unwrap_or_default();
        if status.is_success() {
            return read(target, answer);
        }
        let problem: Value = serde_json::from_slice(answer).unwrap_or_default();
        let detail = problem["detail"].as_str().map(str::to_owned);
        Err(Failure(detail.unwrap_or_else(|| format!("{target} answered {status}: try again."))))
    }
}

fn read<T: DeserializeOwned>(target: &str, answer: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).map_err(|error| {
        Failure(format!("{target} answered what is no answer ({error}): report this."))
    })
}
