//! Access control: host names, origins, users and credentials.
//!
//! Checked in this order, before any handler: the `Host` (against DNS rebinding), the `Origin` and
//! the other headers by which a browser reports where a request comes from (against other sites),
//! then the credentials or, if none are set, the user whose program has connected.

mod credentials;
mod failures;
mod guard;
mod host;
mod origin;
mod peer_user;
mod sessions;
mod socket_diag;

pub use credentials::Credentials;
pub use guard::{Guard, Login, PeerRule};
pub use origin::Origin;
pub use sessions::Session;
