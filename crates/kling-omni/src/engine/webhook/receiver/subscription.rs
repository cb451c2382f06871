//! Subscriptions to the delivered states of one task.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::sync::watch;

use crate::engine::polling::{WebhookUpdate, WebhookUpdates};
use crate::engine::state::TaskState;
use crate::engine::webhook::receiver::ReceiverInner;

/// The latest state and the time of its delivery. Without a time, it was delivered before the first subscription.
type LatestUpdate = Option<WebhookUpdate>;

/// The subscribers of single tasks, by task id.
#[derive(Default)]
pub(crate) struct Subscribers(HashMap<String, watch::Sender<LatestUpdate>>);

impl Subscribers {
    pub(crate) fn publish(&self, state: &TaskState, now: Instant) {
        if let Some(subscribers) = self.0.get(state.id()) {
            subscribers.send_replace(Some((state.clone(), Some(now))));
        }
    }
}

/// A subscription to one task. It keeps only the latest state and never blocks the publisher.
pub(crate) struct Subscription {
    shared: Arc<ReceiverInner>,
    task_id: String,
    updates: Pin<Box<dyn Future<Output = watch::Receiver<LatestUpdate>> + Send>>,
}

impl Subscription {
    pub(crate) fn new(shared: &Arc<ReceiverInner>, task_id: &str) -> Self {
        let mut state = shared.state();
        let known = state.tasks.state(task_id).cloned();
        let known = known.map(|state| (state, None));
        let subscribers = state.subscribers.0.entry(task_id.to_owned());
        let subscribers = subscribers.or_insert_with(|| watch::Sender::new(known));
        let mut updates = subscribers.subscribe();
        drop(state);
        // The known state is the first update.
        updates.mark_changed();
        Self {
            shared: Arc::clone(shared),
            task_id: task_id.to_owned(),
            updates: Box::pin(changed(updates)),
        }
    }
}

impl WebhookUpdates for Subscription {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<WebhookUpdate> {
        loop {
            let mut updates = ready!(self.updates.as_mut().poll(context));
            let update = updates.borrow_and_update().clone();
            self.updates = Box::pin(changed(updates));
            if let Some(update) = update {
                return Poll::Ready(update);
            }
        }
    }

    fn is_trusted(&self) -> bool {
        self.shared.is_trusted.load(Ordering::Relaxed)
    }

    fn distrust(&self) {
        self.shared.is_trusted.store(false, Ordering::Relaxed);
    }
}

/// Completes with the next change.
async fn changed(mut updates: watch::Receiver<LatestUpdate>) -> watch::Receiver<LatestUpdate> {
    if updates.changed().await.is_err() {
        // Unreachable: the receiver keeps the sender while there are subscribers.
        return std::future::pending().await;
    }
    updates
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let subscribers = &mut self.shared.state().subscribers.0;
        let is_last = |subscribers: &watch::Sender<LatestUpdate>| subscribers.receiver_count() <= 1;
        if subscribers.get(&self.task_id).is_some_and(is_last) {
            subscribers.remove(&self.task_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::webhook::{Secret, WebhookReceiver};

    #[test]
    fn dropped_subscriptions_are_removed() {
        let receiver = WebhookReceiver::new(Secret::new("s3cret").unwrap());
        let subscribed = || receiver.0.state().subscribers.0.len();
        let (one, other) = (receiver.subscribe("a"), receiver.subscribe("a"));
        let third = receiver.subscribe("b");
        assert_eq!(subscribed(), 2);
        drop((one, third));
        assert_eq!(subscribed(), 1);
        drop(other);
        assert_eq!(subscribed(), 0);
    }
}
