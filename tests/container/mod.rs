//! The image, held to its parts without a daemon: what the Dockerfile says, and the same run.

mod boxed;
mod dockerfile;
mod facts;
mod life;
