//! The document of the API says what the server does.

mod document;
mod fields;
mod page;
mod routes;
