//! What the parts that know Kling share in a client.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::client::ClientInner;
use crate::preflight::RemoteInspector;
use crate::route::{CreateRoute, Route};

/// What all clones of a client share.
pub(crate) struct Context {
    pub(crate) inner: Arc<ClientInner>,
    pub(crate) route: Route,
    /// The routes that do not exist any more, and whose successors have answered in their place.
    replaced: Mutex<Vec<CreateRoute>>,
    /// Inspects files behind URLs.
    pub(crate) remote: Arc<RemoteInspector>,
}

impl Context {
    pub(crate) fn new(inner: Arc<ClientInner>, route: Route) -> Self {
        Self {
            inner,
            route,
            replaced: Mutex::default(),
            remote: Arc::default(),
        }
    }

    pub(crate) fn replaced(&self) -> Vec<CreateRoute> {
        let replaced = self.replaced.lock();
        replaced.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn remember_replaced(&self, route: CreateRoute) {
        let replaced = self.replaced.lock();
        let mut replaced = replaced.unwrap_or_else(PoisonError::into_inner);
        if !replaced.contains(&route) {
            replaced.push(route);
        }
    }
}
