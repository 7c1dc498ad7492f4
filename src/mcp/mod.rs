//! The Model Context Protocol: tools for models, over the same operations as the HTTP routes.
//!
//! One endpoint supports both eras: the stateless revision, in which each request carries its
//! version and is checked against its headers, and the older ones, which begin with `initialize`.
//! In both, no state is kept between requests.

mod arguments;
mod endpoint;
mod era;
mod error;
mod known_clients;
mod message;
mod methods;
mod progress;
mod remote;
mod runs;
mod service_arguments;
mod service_text;
mod service_tools;
mod session;
mod shell_arguments;
mod shell_tools;
mod stdio;
mod stream;
mod tool;
mod toolbox;

pub use endpoint::handler;
pub use remote::{EnsureRunning, Remote, StartPlace};
pub use stdio::{Endpoint, Local, serve_stdio};
pub use toolbox::Toolbox;
