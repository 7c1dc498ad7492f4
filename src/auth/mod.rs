//! Access control: host names, origins, users, credentials and their scopes; the audit file.
//!
//! Checked in this order, before any handler: the `Host` (against DNS rebinding), the `Origin` and
//! the other headers by which a browser reports where a request comes from (against other sites),
//! then the credentials or, if none are set, the user whose program has connected.

mod audit_file;
mod credentials;
mod failures;
mod guard;
mod host;
mod origin;
mod peer_user;
mod principal;
mod request_counts;
mod sessions;
mod socket_diag;
mod tokens;

pub use audit_file::{AuditFile, AuditFileError};
pub use credentials::Credentials;
pub use guard::{Guard, Login, PeerRule};
pub use origin::Origin;
pub use principal::Principal;
pub use request_counts::{Outcome, RequestCounts, SCOPES};
pub use sessions::Session;
pub use tokens::{NewToken, Tokens, TokensError, is_for_others};
