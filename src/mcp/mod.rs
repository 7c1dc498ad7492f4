//! The Model Context Protocol: tools for models, over the same operations as the HTTP routes.
//!
//! Both eras are spoken on one endpoint: the stateless revision, where each request carries its
//! version and is checked against its headers, and the older ones, which begin with `initialize`.
//! Nothing is kept between two requests in either.

mod arguments;
mod endpoint;
mod era;
mod message;
mod methods;
mod runs;
mod service_text;
mod service_tools;
mod shell_tools;
mod stdio;
mod tool;

pub use endpoint::{Toolbox, handler};
pub use stdio::{Endpoint, Local, Remote, serve_stdio};
