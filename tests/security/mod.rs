//! Access control: contract section 7.

mod audit;
mod browsers;
mod credentials;
mod load;
mod proxy;
mod scopes;
mod secrets;
mod sockets;
mod users;
