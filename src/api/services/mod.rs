//! Routes of Astra.

mod input;
mod state;
mod verbs;
mod watching;

use super::metrics;
use super::route::{Mode, Route};
use crate::ops::Services;
use crate::permits::Permits;
use crate::protocol::ServiceState;
use crate::supervisor;
use prometheus_client::registry::Registry;

impl Mode for Services {
    const TITLE: &'static str = "Astra supervisor";
    const TAGS: &'static [(&'static str, &'static str)] = &[
        ("services", "State and control of services."),
        ("logs", "Output of services."),
        ("watching", "Health, metrics and events."),
        ("server", "The supervisor itself."),
    ];
    const ROUTES: &'static [&'static [Route<Self>]] =
        &[state::ROUTES, verbs::ROUTES, watching::ROUTES, input::ROUTES];
    const PAGE: &'static str = "astra/index.html";
    const METRICS_PREFIX: &'static str = "astra";
    const ALIAS: Option<(&'static str, &'static str)> = Some(("/api/supervisor", "/supervisor"));

    fn streams(&self) -> &Permits {
        Self::streams(self)
    }

    fn register_metrics(&self, all: &mut Registry) {
        metrics::register(self, all);
    }
}

fn unknown() -> supervisor::Error {
    supervisor::Error::NoSuchService {
        name: "tss".to_owned(),
        known: vec!["tts".to_owned(), "web".to_owned()],
    }
}

fn in_state(state: ServiceState, advice: &'static str) -> supervisor::Error {
    supervisor::Error::ServiceState { name: "tts".to_owned(), state, advice }
}
