//! The identity of a client, as the access policy establishes it.

use crate::protocol::Scope;
use http1::Identity;

/// A client whose request is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name of its token, or its user for a password; `None` without credentials.
    pub name: Option<String>,
    /// What it may do.
    pub scope: Scope,
    /// Whether it is a page of another origin without credentials: it may not act on services that
    /// the services file does not define, and may not send signals.
    pub is_restricted: bool,
}

impl Principal {
    /// A client that the access policy has not established.
    pub const NOBODY: Self = Self { name: None, scope: Scope::Read, is_restricted: true };

    /// The program that started this one, and talks to it through pipes.
    pub const PARENT: Self = Self { name: None, scope: Scope::Run, is_restricted: false };

    /// Creates a client with credentials.
    pub(super) fn named(name: &str, scope: Scope) -> Self {
        Self { name: Some(name.to_owned()), scope, is_restricted: false }
    }

    /// Creates a client without credentials.
    pub(super) fn nameless(scope: Scope) -> Self {
        Self { name: None, scope, is_restricted: false }
    }
}

impl Identity for Principal {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}
