//! The detail of a service: its configuration and how its last runs ended.

use crate::logs::{RunRecord, format_instant};
use crate::protocol::{EndedBy, seconds};
use crate::supervisor::services_file::ShownConfig;
use crate::supervisor::{ServiceHandle, ServiceOrigin};
use schemars::JsonSchema;
use serde::Serialize;

/// The most exits listed.
const EXITS_MAX: usize = 10;

/// Answer to GET /services/{service}.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceDetail {
    /// Name of the service.
    pub service: String,
    /// Where it is defined: `file`, or `api` if a client added it.
    pub source: &'static str,
    /// Its configuration, in the fields of the services file, with secrets masked.
    pub config: ShownConfig,
    /// Its last exits, newest first.
    pub exits: Vec<Exit>,
}

/// How a run ended; `uptime` in seconds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Exit {
    /// Id of the run.
    pub run_id: String,
    /// End of the run.
    pub stopped_at: String,
    /// Exit status, or minus the number of the signal.
    #[serde(rename = "exit_code")]
    pub code: Option<i32>,
    /// Name of the signal.
    pub signal: Option<String>,
    /// What ended it.
    pub ended_by: EndedBy,
    /// Duration of the run.
    pub uptime: f64,
}

impl ServiceDetail {
    /// Returns the current detail of a service.
    #[must_use]
    pub fn of(service: &ServiceHandle) -> Self {
        let facts = service.snapshot();
        let exits = service.manager().run_records().into_iter().filter_map(exit);
        Self {
            service: service.name().to_owned(),
            source: if facts.origin == ServiceOrigin::Added { "api" } else { "file" },
            config: ShownConfig::of(&facts.config),
            exits: exits.take(EXITS_MAX).collect(),
        }
    }
}

/// Returns how a run ended; `None` if it has not.
fn exit(run: RunRecord) -> Option<Exit> {
    let lasted = run.lasted()?;
    let end = run.end?;
    Some(Exit {
        run_id: run.run_id,
        stopped_at: format_instant(end.at),
        code: end.exit_code,
        signal: end.signal,
        ended_by: end.ended_by,
        uptime: seconds(lasted),
    })
}
