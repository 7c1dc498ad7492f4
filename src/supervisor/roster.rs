//! The list of supervised services.

use super::service_handle::ServiceHandle;
use crate::supervisor::error::{Error, Result};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// The services in the order of their file, followed by those that were added over the API.
#[derive(Debug, Default)]
pub struct Roster(RwLock<Services>);

#[derive(Debug, Default)]
struct Services {
    in_order: Vec<Arc<ServiceHandle>>,
    by_name: HashMap<String, Arc<ServiceHandle>>,
}

impl Roster {
    /// Returns all services. Does not block.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<ServiceHandle>> {
        self.0.read().in_order.clone()
    }

    /// Returns the service with this name.
    ///
    /// # Errors
    /// `NoSuchService`.
    pub fn find(&self, name: &str) -> Result<Arc<ServiceHandle>> {
        let services = self.0.read();
        services.by_name.get(name).cloned().ok_or_else(|| {
            let known = services.in_order.iter().map(|it| it.name().to_owned()).collect();
            Error::NoSuchService { name: name.to_owned(), known }
        })
    }

    pub(super) fn add(&self, service: Arc<ServiceHandle>) {
        let mut services = self.0.write();
        services.by_name.insert(service.name().to_owned(), Arc::clone(&service));
        services.in_order.push(service);
    }

    pub(super) fn remove(&self, name: &str) {
        let mut services = self.0.write();
        services.by_name.remove(name);
        services.in_order.retain(|it| it.name() != name);
    }
}
