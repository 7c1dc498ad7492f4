//! Who gets in: contract section 7.

mod browsers;
mod credentials;
mod secrets;
mod sockets;
