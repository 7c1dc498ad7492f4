//! The check that this machine can enforce the limits of a services file.

use super::error::{ServicesFileError, ServicesFileErrors};
use super::overlay::Service;
use crate::process::{Cgroups, NoCgroup};
use std::sync::Arc;

/// Refuses services whose limits cannot be enforced: they must not run without them.
///
/// # Errors
/// Each limit that cannot be enforced, with the reason.
pub fn check_limits(
    services: &[Service],
    cgroups: &Result<Arc<Cgroups>, NoCgroup>,
) -> Result<(), ServicesFileErrors> {
    let errors: Vec<ServicesFileError> =
        services.iter().filter_map(|it| error(it, cgroups)).collect();
    if errors.is_empty() { Ok(()) } else { Err(ServicesFileErrors::new(errors)) }
}

fn error(service: &Service, cgroups: &Result<Arc<Cgroups>, NoCgroup>) -> Option<ServicesFileError> {
    let limits = &service.config.limits;
    let (field, why) = match cgroups {
        _ if limits.is_none() => return None,
        Err(none) => (String::new(), none.to_string()),
        Ok(cgroups) => {
            let (limit, controller) = cgroups.missing_for(limits)?;
            let why = format!("our control group does not have the {controller} controller");
            (format!(".{limit}"), why)
        }
    };
    Some(ServicesFileError {
        position: None,
        field: format!("{}.limits{field}", service.name),
        sentence: format!("cannot be enforced: {why}"),
    })
}
