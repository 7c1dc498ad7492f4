//! The services file, as the real binary checks it.

mod check;
