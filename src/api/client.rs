//! The client of a request, as the operations see it.

use crate::auth::Principal;
use crate::ops::{Client, Provenance};
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

    fn principal(&self) -> &Principal {
        self.identity().unwrap_or(&Principal::NOBODY)
    }

    fn provenance(&self) -> Provenance {
        let caller = self.caller();
        Provenance {
            peer: caller.address().map_or_else(|| "unix".to_owned(), |it| it.to_string()),
            uid: caller.user(),
            route: format!("{} {}", self.method(), self.path()),
            tool: None,
            request_id: self.id().to_owned(),
        }
    }

    /// A retry with the same Idempotency-Key gets the answer that the wait ends with.
    fn may_retry(&self) -> bool {
        self.has_kept_body()
    }
}
