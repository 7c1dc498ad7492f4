//! Tests of the image without a Docker daemon: its Dockerfile, and a run as in a container.

mod boxed;
mod dockerfile;
mod facts;
mod life;
