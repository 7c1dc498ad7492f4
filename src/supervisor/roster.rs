//! Which services there are.

use super::supervised::Supervised;
use crate::error::{Error, Result};
use std::sync::{Arc, PoisonError, RwLock};

/// The services, in the order of their file, those that were added over the API behind them.
#[derive(Debug, Default)]
pub struct Roster(RwLock<Vec<Arc<Supervised>>>);

impl Roster {
    /// All of them. Does not block.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Supervised>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The one of this name.
    ///
    /// # Errors
    /// `NoSuchService`.
    pub fn find(&self, name: &str) -> Result<Arc<Supervised>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.iter().find(|it| it.name() == name) {
            return Ok(Arc::clone(found));
        }
        let known = all.iter().map(|it| it.name().to_owned()).collect();
        Err(Error::NoSuchService { name: name.to_owned(), known })
    }

    pub(super) fn add(&self, service: Arc<Supervised>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(service);
    }

    pub(super) fn remove(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|it| it.name() != name);
    }
}
