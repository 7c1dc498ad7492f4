//! The client of a request, as the operations see it.

use crate::ops::Client;
use http1::Request;
use std::sync::Arc;
use std::time::Duration;

/// The longest silence of an event stream: proxies close one that is idle for longer.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);

/// A comment that ends the silence; clients of event streams ignore it.
pub const HEARTBEAT: &[u8] = b": keep-alive\n\n";

impl Client for Request<'_> {
    fn has_left(&self) -> bool {
        self.client_gone()
    }

    fn has_left_fn(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        Arc::new(self.client_watch())
    }

    fn is_restricted(&self) -> bool {
        Request::is_restricted(self)
    }

    /// A retry with the same Idempotency-Key gets the answer that the wait ends with.
    fn may_retry(&self) -> bool {
        self.has_kept_body()
    }
}
