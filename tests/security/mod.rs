//! Who gets in: contract section 7.

mod browsers;
mod credentials;
mod proxy;
mod secrets;
mod sockets;
