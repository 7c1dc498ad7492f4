//! Who gets in: names we answer to, pages that may ask, users, and credentials.
//!
//! In this order, before any handler: the `Host` (against DNS rebinding), the `Origin` and what
//! else a browser says of where a request comes from (against other sites), then the credentials,
//! or, where none are set, the user whose program has connected.

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
