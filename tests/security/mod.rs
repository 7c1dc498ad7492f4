//! Access control: contract section 7.

mod browsers;
mod credentials;
mod load;
mod proxy;
mod secrets;
mod sockets;
mod users;
