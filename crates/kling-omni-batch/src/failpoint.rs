//! The places at which a crash test stops a run: before and after each durable step, and inside of each transaction.

#[cfg(feature = "test-hooks")]
use std::sync::Arc;

#[cfg(feature = "test-hooks")]
use futures_util::future::BoxFuture;

/// A callback at each failpoint, with its name: `before STEP` or `after STEP`.
#[cfg(feature = "test-hooks")]
pub(crate) type OnFailpoint = Arc<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>;

/// The failpoints of a run. Without the feature `test-hooks` they do nothing.
#[derive(Clone, Default)]
pub(crate) struct Failpoints {
    #[cfg(feature = "test-hooks")]
    pub(crate) callback: Option<OnFailpoint>,
}

impl Failpoints {
    pub(crate) async fn before(&self, step: &str) {
        self.reach("before", step).await;
    }

    pub(crate) async fn after(&self, step: &str) {
        self.reach("after", step).await;
    }

    #[cfg(feature = "test-hooks")]
    async fn reach(&self, when: &str, step: &str) {
        if let Some(callback) = &self.callback {
            callback(format!("{when} {step}")).await;
        }
    }

    #[cfg(not(feature = "test-hooks"))]
    async fn reach(&self, _: &str, _: &str) {}
}

impl std::fmt::Debug for Failpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Failpoints")
    }
}

/// The failpoint inside of each transaction of a ledger. Without the feature `test-hooks` it does nothing.
#[derive(Clone, Default)]
pub(crate) struct CommitHook {
    #[cfg(feature = "test-hooks")]
    pub(crate) callback: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl CommitHook {
    pub(crate) fn call(&self) {
        #[cfg(feature = "test-hooks")]
        if let Some(callback) = &self.callback {
            callback();
        }
    }
}
