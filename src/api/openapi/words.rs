//! The schemas of words: each is an enum of what the code can say.

use crate::manager::{EndedBy, RunStatus};
use crate::probe::HealthStatus;
use crate::supervisor::ServiceState;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// What a verb begins.
const BEGINNINGS: [&str; 5] = ["starting", "stopping", "restarting", "reloading", "reloaded"];

/// What a verb answers with: what it began, or the state that the service has come to.
pub struct VerbStatus;

/// The same of one of several services, which may be refused.
pub struct OperationStatus;

/// How a supervisor is.
pub struct SupervisorWord;

fn one_of(description: &str, words: impl IntoIterator<Item = &'static str>) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::String);
    object.description(Some(description)).enum_values(Some(words)).into()
}

/// Every word that a verb can answer with, each once.
fn verb_words() -> impl Iterator<Item = &'static str> {
    let states = ServiceState::ALL.map(ServiceState::word).into_iter();
    BEGINNINGS.into_iter().chain(states.filter(|state| !BEGINNINGS.contains(state)))
}

impl PartialSchema for RunStatus {
    fn schema() -> RefOr<Schema> {
        one_of("Whether a command runs, ended by itself, or was ended.", Self::ALL.map(Self::word))
    }
}

impl PartialSchema for EndedBy {
    fn schema() -> RefOr<Schema> {
        one_of("What ended a command.", Self::ALL.map(Self::word))
    }
}

impl PartialSchema for ServiceState {
    fn schema() -> RefOr<Schema> {
        one_of("The state of a service.", Self::ALL.map(Self::word))
    }
}

impl PartialSchema for HealthStatus {
    fn schema() -> RefOr<Schema> {
        one_of("What the health checks of a service say.", Self::ALL.map(Self::word))
    }
}

impl PartialSchema for VerbStatus {
    fn schema() -> RefOr<Schema> {
        one_of("What was begun, or the state that a service has come to.", verb_words())
    }
}

impl PartialSchema for OperationStatus {
    fn schema() -> RefOr<Schema> {
        one_of("The same, or that it could not be begun.", verb_words().chain(["error"]))
    }
}

impl PartialSchema for SupervisorWord {
    fn schema() -> RefOr<Schema> {
        one_of("How the supervisor is.", ["healthy", "degraded"])
    }
}

impl ToSchema for RunStatus {}
impl ToSchema for EndedBy {}
impl ToSchema for ServiceState {}
impl ToSchema for HealthStatus {}
impl ToSchema for VerbStatus {}
impl ToSchema for OperationStatus {}
impl ToSchema for SupervisorWord {}
