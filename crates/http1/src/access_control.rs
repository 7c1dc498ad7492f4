//! The interface of an access policy, which decides what reaches a handler.

use crate::head::Head;
use crate::peer::Caller;
use crate::problem::Problem;
use crate::reply::Reply;
use http::StatusCode;
use std::any::Any;
use std::fmt::Debug;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// An access policy, consulted before any handler is called.
///
/// The server calls it on the connection's thread; a call that blocks delays only that connection.
pub trait AccessControl: Debug + Send + Sync {
    /// Inspects a new connection before anything is read from it, while its client certainly still
    /// exists. Calls [`Caller::trust`] if the connection alone is sufficient.
    fn connected(&self, caller: Caller<'_>);

    /// Decides on a request by its head, before its body is read.
    ///
    /// # Errors
    /// The response to a request that is refused.
    fn check(
        &self,
        head: &Head<'_>,
        access: Access,
        caller: Caller<'_>,
    ) -> Result<Decision, Problem>;

    /// Adds headers to the response to a checked request, whether a handler's or a refusal.
    fn add_headers(&self, head: &Head<'_>, access: Access, reply: Reply) -> Reply;

    /// Takes note of a response that was sent. `identity` is that of [`Decision::Allow`], `None`
    /// if the request was refused or answered without a handler.
    fn answered(&self, identity: Option<&dyn Identity>, status: StatusCode);

    /// Determines the user id of the program at the other end of a connection from this machine.
    /// Called at most once per connection, and only if [`Caller::user`] is used. Returns `None` if
    /// it cannot be determined.
    fn find_user(&self, socket: BorrowedFd<'_>) -> Option<u32>;
}

/// The access requirements of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether credentials are needed, if any are set.
    pub needs_credentials: bool,
    /// Whether anyone may request it.
    pub is_public: bool,
    /// Whether it has no side effects.
    pub is_read: bool,
}

/// The decision on a request that is not refused.
#[derive(Debug)]
pub enum Decision {
    /// Pass the request to its handler, as one of this client.
    Allow(Arc<dyn Identity>),
    /// Answer the request without a handler.
    Answer(Reply),
}

/// What the access policy knows about a client. Handlers get it by its type, from
/// [`crate::Request::identity`].
pub trait Identity: Any + Debug + Send + Sync {
    /// Returns the client's name for the access log, in visible ASCII without blanks; `None` if it
    /// has none.
    fn name(&self) -> Option<&str>;
}
