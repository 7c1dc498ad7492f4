//! What all connections of a server share.

use crate::access::AccessLog;
use crate::limits::Limits;
use crate::registry::Registry;
use crate::request_id::RequestIds;
use crate::router::Router;

/// The shared part of a server; its threads hold it together.
pub(crate) struct Service {
    /// What answers.
    pub(crate) router: Router,
    /// Every number.
    pub(crate) limits: Limits,
    /// Who is connected.
    pub(crate) registry: Registry,
    /// What requests are called.
    pub(crate) ids: RequestIds,
    /// What was asked.
    pub(crate) access_log: AccessLog,
}

impl Service {
    /// A service that nobody is connected to yet.
    pub(crate) fn new(router: Router, limits: Limits) -> Self {
        let registry = Registry::new(limits.connections_max(), limits.client_connections_max());
        let (ids, access_log) = (RequestIds::new(), AccessLog::default());
        Self { router, limits, registry, ids, access_log }
    }
}
