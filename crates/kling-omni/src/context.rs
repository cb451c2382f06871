//! What the parts that know Kling share in a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::client::ClientInner;
use crate::preflight::RemoteInspector;
use crate::route::Route;

/// What all clones of a client share.
pub(crate) struct Context {
    pub(crate) inner: Arc<ClientInner>,
    pub(crate) route: Route,
    /// Set once the successor route has answered in place of the older one.
    successor_only: AtomicBool,
    /// Inspects files behind URLs.
    pub(crate) remote: Arc<RemoteInspector>,
}

impl Context {
    pub(crate) fn new(inner: Arc<ClientInner>, route: Route) -> Self {
        Self {
            inner,
            route,
            successor_only: AtomicBool::new(false),
            remote: Arc::default(),
        }
    }

    pub(crate) fn is_successor_only(&self) -> bool {
        self.successor_only.load(Ordering::Relaxed)
    }

    pub(crate) fn remember_successor_only(&self) {
        self.successor_only.store(true, Ordering::Relaxed);
    }
}
