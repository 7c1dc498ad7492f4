//! The state shared by all connections of a server.

use crate::access::AccessLog;
use crate::limits::Limits;
use crate::registry::Registry;
use crate::request_id::RequestIds;
use crate::router::Router;

/// The shared state of a server, kept alive by its threads.
pub(crate) struct Service {
    /// The routes.
    pub(crate) router: Router,
    /// The limits.
    pub(crate) limits: Limits,
    /// The open connections.
    pub(crate) registry: Registry,
    /// The generator of request ids.
    pub(crate) ids: RequestIds,
    /// The access log.
    pub(crate) access_log: AccessLog,
}

impl Service {
    /// Creates a service without connections.
    pub(crate) fn new(router: Router, limits: Limits) -> Self {
        let registry = Registry::new(limits.connections_max(), limits.client_connections_max());
        let (ids, access_log) = (RequestIds::new(), AccessLog::default());
        Self { router, limits, registry, ids, access_log }
    }
}
