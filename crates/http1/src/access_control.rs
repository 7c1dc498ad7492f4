//! The interface of whoever decides which requests reach a handler.

use crate::head::Head;
use crate::peer::Caller;
use crate::problem::Problem;
use crate::reply::Reply;
use std::fmt::Debug;
use std::os::fd::BorrowedFd;

/// An access policy: decides who may use the server, before any handler is called.
///
/// The server calls it on the thread of the connection. A call that blocks holds up that
/// connection and no other.
pub trait AccessControl: Debug + Send + Sync {
    /// Inspects a new connection before anything is read from it, when its client is certainly
    /// still there. Calls [`Caller::trust`] where the connection alone is enough.
    fn connected(&self, caller: Caller<'_>);

    /// Decides about a request by its head, before its body is read.
    ///
    /// # Errors
    /// The answer to a request that is refused.
    fn check(
        &self,
        head: &Head<'_>,
        access: Access,
        caller: Caller<'_>,
    ) -> Result<Decision, Problem>;

    /// Adds headers to the answer to a checked request, be it a handler's or a refusal.
    fn add_headers(&self, head: &Head<'_>, access: Access, reply: Reply) -> Reply;

    /// Finds the user id of the program at the other end of a connection from this machine. Called
    /// once a connection at most, and only where [`Caller::user`] is asked for. `None` where it
    /// cannot be determined.
    fn find_user(&self, socket: BorrowedFd<'_>) -> Option<u32>;
}

/// What a route requires of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether credentials are needed, where any are set.
    pub needs_credentials: bool,
    /// Whether anybody may ask, whoever they are.
    pub is_public: bool,
    /// Whether nothing is done but to answer.
    pub is_read: bool,
}

/// An access policy's decision about a request that it does not refuse.
#[derive(Debug)]
pub enum Decision {
    /// The request goes to its handler.
    Allow(Privilege),
    /// The request is answered without a handler.
    Answer(Reply),
}

/// How much a request may choose; its handler sees it as [`crate::Request::is_restricted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Everything that the route offers.
    Full,
    /// Only what the route offers to a client that is trusted less.
    Restricted,
}
