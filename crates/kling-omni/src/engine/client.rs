//! The state that all clones of a client and all of its tasks share.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::clock::Clock;
use crate::engine::attribution::{self, Attribution};
use crate::engine::download::Downloads;
use crate::engine::http::Http;
use crate::engine::limits::in_flight::InFlightLimit;
use crate::engine::limits::retry_budget::Health;
use crate::engine::polling::Poller;
use crate::engine::service::Service;
use crate::engine::upload::Uploads;

/// The state that all clones of a client and all of its tasks share.
pub(crate) struct ClientInner {
    pub(crate) http: Arc<Http>,
    pub(crate) service: &'static dyn Service,
    pub(crate) poller: Arc<Poller>,
    pub(crate) in_flight: InFlightLimit,
    pub(crate) attribution: Arc<Mutex<Attribution>>,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) uploads: Arc<Uploads>,
    /// The maximum number of pages of a list that are read to find the tasks of creates.
    pub(crate) max_list_pages: u32,
}

impl ClientInner {
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.http.clock
    }

    pub(crate) fn health(&self) -> Health {
        self.http.throttle.health(self.in_flight.in_use())
    }

    pub(crate) fn attribution(&self) -> MutexGuard<'_, Attribution> {
        attribution::lock(&self.attribution)
    }
}
