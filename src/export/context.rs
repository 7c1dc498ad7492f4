//! What the objects of one service need to know of the others.

use super::names::Namespace;
use super::neighbours::Neighbours;
use crate::supervisor::Service;
use std::collections::BTreeMap;

/// The context of all services in a file.
pub(super) struct FileContext<'a> {
    /// All services.
    pub services: &'a [Service],
    /// Each service by its name, with its name in the cluster.
    pub others: BTreeMap<&'a str, (&'a Service, &'a str)>,
    /// The listening services.
    pub neighbours: Neighbours<'a>,
    /// The image that waits, if it is not the service's own.
    pub wait_image: Option<&'a str>,
    /// The namespace.
    pub namespace: Option<&'a Namespace>,
}
