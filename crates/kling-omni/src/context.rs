//! The state of a client that is specific to Kling.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::client::ClientInner;
use crate::preflight::RemoteInspector;
use crate::route::{CreateRoute, Route};
use crate::spend::SpendGuard;

/// The state of a client that is specific to Kling, shared by its clones.
pub(crate) struct Context {
    pub(crate) inner: Arc<ClientInner>,
    pub(crate) route: Route,
    /// Routes that no longer exist and whose successors were used instead.
    replaced: Mutex<Vec<CreateRoute>>,
    /// Inspects files behind URLs.
    pub(crate) remote: Arc<RemoteInspector>,
    /// Limits what the creates may cost.
    pub(crate) spend: Option<SpendGuard>,
}

impl Context {
    pub(crate) fn new(inner: Arc<ClientInner>, route: Route, spend: Option<SpendGuard>) -> Self {
        Self {
            inner,
            route,
            replaced: Mutex::default(),
            remote: Arc::default(),
            spend,
        }
    }

    /// Returns the state of a client with another spend guard. All else is shared.
    pub(crate) fn with_spend(&self, spend: SpendGuard) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            route: self.route,
            replaced: Mutex::new(self.replaced()),
            remote: Arc::clone(&self.remote),
            spend: Some(spend),
        }
    }

    pub(crate) fn replaced(&self) -> Vec<CreateRoute> {
        let replaced = self.replaced.lock();
        replaced.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add_replaced(&self, route: CreateRoute) {
        let replaced = self.replaced.lock();
        let mut replaced = replaced.unwrap_or_else(PoisonError::into_inner);
        if !replaced.contains(&route) {
            replaced.push(route);
        }
    }
}
