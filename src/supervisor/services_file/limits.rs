//! Whether what a services file limits can be limited on this machine.

use super::fault::{Fault, Faults};
use super::overlay::Service;
use crate::process::{Cgroups, NoCgroup};
use std::sync::Arc;

/// Refuses services whose limits could not be held: to run them without would be a lie.
///
/// # Errors
/// Each limit that cannot be held, with the reason.
pub fn check_limits(
    services: &[Service],
    cgroups: &Result<Arc<Cgroups>, NoCgroup>,
) -> Result<(), Faults> {
    let faults: Vec<Fault> = services.iter().filter_map(|it| fault(it, cgroups)).collect();
    if faults.is_empty() { Ok(()) } else { Err(Faults::new(faults)) }
}

fn fault(service: &Service, cgroups: &Result<Arc<Cgroups>, NoCgroup>) -> Option<Fault> {
    let limits = &service.config.limits;
    let (field, why) = match cgroups {
        _ if limits.is_none() => return None,
        Err(none) => (String::new(), none.to_string()),
        Ok(cgroups) => {
            let (limit, controller) = cgroups.missing_for(limits)?;
            let why = format!("our control group was given no {controller} controller");
            (format!(".{limit}"), why)
        }
    };
    Some(Fault {
        position: None,
        field: format!("{}.limits{field}", service.name),
        sentence: format!("cannot be held here: {why}"),
    })
}
