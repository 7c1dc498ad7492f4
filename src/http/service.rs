//! What all connections of a server share.

use super::access::AccessLog;
use super::limits::Limits;
use super::registry::Registry;
use super::request_id::RequestIds;
use super::router::Router;

/// The shared part of a server; its threads hold it together.
pub(super) struct Service {
    /// What answers.
    pub(super) router: Router,
    /// Every number.
    pub(super) limits: Limits,
    /// Who is connected.
    pub(super) registry: Registry,
    /// What requests are called.
    pub(super) ids: RequestIds,
    /// What was asked.
    pub(super) access_log: AccessLog,
}

impl Service {
    /// A service that nobody is connected to yet.
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        let registry = Registry::new(limits.connections_max(), limits.client_connections_max());
        let (ids, access_log) = (RequestIds::new(), AccessLog::default());
        Self { router, limits, registry, ids, access_log }
    }
}
