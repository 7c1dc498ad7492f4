//! Who gets in: names we answer to, pages that may ask, and credentials.
//!
//! In this order, before any handler: the `Host` (against DNS rebinding), the `Origin` and what
//! else a browser says of where a request comes from (against other sites), the credentials.

mod credentials;
mod failures;
mod gate;
mod host;
mod origin;
mod sessions;

pub use credentials::Credentials;
pub(super) use gate::Passage;
pub use gate::{Access, Guard, Login};
pub use origin::Origin;
pub use sessions::COOKIE as SESSION_COOKIE;
