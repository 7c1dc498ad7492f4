//! Requests and the audit, as metrics for Prometheus.

use crate::auth::{Outcome, RequestCounts, SCOPES};
use crate::ops::Audit;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct By {
    scope: &'static str,
    outcome: &'static str,
}

/// Registers the numbers of requests by the scope of their client, `none` if it is unknown, and by
/// outcome; and the number of lines that the audit lost.
pub fn register(all: &mut Registry, counts: &RequestCounts, audit: &Audit) {
    let requests = Family::<By, Counter>::default();
    for scope in SCOPES {
        for outcome in Outcome::ALL {
            let scope_name = scope.map_or("none", |scope| scope.as_str());
            let by = By { scope: scope_name, outcome: outcome.as_str() };
            requests.get_or_create(&by).inc_by(counts.get(scope, outcome));
        }
    }
    all.register("requests", "Requests, by scope of the client and by outcome", requests);
    let lost: Counter = Counter::default();
    lost.inc_by(audit.lost_lines());
    all.register("audit_lost_lines", "Lines that the audit file misses", lost);
}
