//! The client of a request, as operations see it.

use crate::ops::Client;
use http1::Request;
use std::sync::Arc;
use std::time::Duration;

/// How long an event stream is silent at most, so that proxies keep it open.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);

/// What is sent then; clients of event streams ignore it.
pub const HEARTBEAT: &[u8] = b": still here\n\n";

impl Client for Request<'_> {
    fn has_left(&self) -> bool {
        self.client_gone()
    }

    fn departure(&self) -> Arc<dyn Fn() -> bool + Send + Sync> {
        Arc::new(self.client_watch())
    }

    fn is_restricted(&self) -> bool {
        Request::is_restricted(self)
    }

    /// Whoever sends the same Idempotency-Key again gets the answer that the wait ends with.
    fn may_come_again(&self) -> bool {
        self.has_kept_body()
    }
}
