//! Tests of the `OpenAPI` document against the server.

mod document;
mod fields;
mod page;
mod routes;
