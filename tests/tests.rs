//! All tests of behaviour, in one binary: a folder for each room.

mod http;
