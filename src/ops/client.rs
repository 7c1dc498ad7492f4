//! The client of an operation.

use super::error::{Error, Result};
use crate::auth::Principal;
use crate::protocol::Scope;
use std::sync::Arc;

/// A client, which may disconnect while it waits.
pub trait Client {
    /// Returns whether it has left. Does not block.
    fn has_left(&self) -> bool;

    /// Returns a function with the result of [`Self::has_left`], for another thread.
    fn has_left_fn(&self) -> Arc<dyn Fn() -> bool + Send + Sync>;

    /// Returns who it is and what it may do.
    fn principal(&self) -> &Principal;

    /// Returns where its request came from. May block for a question to the kernel.
    fn provenance(&self) -> Provenance;

    /// Returns whether a wait continues without it, because it may request the outcome again.
    fn may_retry(&self) -> bool;
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The address, as `127.0.0.1:40312`, or `unix` or `stdio`.
    pub peer: String,
    /// The user of the program at the other end, if it is on this machine and known.
    pub uid: Option<u32>,
    /// Method and path, as `POST /start`; empty on stdio.
    pub route: String,
    /// The tool that was called, if the request is of the Model Context Protocol.
    pub tool: Option<&'static str>,
    /// The id of the request in the access log; empty on stdio.
    pub request_id: String,
}

/// Refuses a client without a scope. `subject` is what needs it, at the beginning of a sentence.
///
/// # Errors
/// `MissingScope`; `Restricted` for a page that has no credentials.
pub fn require(client: &dyn Client, needed: Scope, subject: &'static str) -> Result<()> {
    let &Principal { scope: granted, is_restricted, .. } = client.principal();
    if granted >= needed {
        return Ok(());
    }
    if is_restricted {
        return Err(Error::Restricted { what: "do this" });
    }
    Err(Error::MissingScope { subject, needed, granted })
}
