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
use crate::engine::webhook::inbox::Shared;

/// The latest state, and when it came; without a time, that was before anyone listened.
type News = Option<WebhookUpdate>;

/// Those who follow single tasks, by the ids of these.
#[derive(Default)]
pub(crate) struct Listeners(HashMap<String, watch::Sender<News>>);

impl Listeners {
    pub(crate) fn tell(&self, state: &TaskState, now: Instant) {
        if let Some(listeners) = self.0.get(state.id()) {
            listeners.send_replace(Some((state.clone(), Some(now))));
        }
    }
}

/// What is told of one task. Only the latest is kept, so that it never holds anyone up.
pub(crate) struct Listening {
    shared: Arc<Shared>,
    task_id: String,
    news: Pin<Box<dyn Future<Output = watch::Receiver<News>> + Send>>,
}

impl Listening {
    pub(crate) fn new(shared: &Arc<Shared>, task_id: &str) -> Self {
        let mut memory = shared.memory();
        let known = memory.tasks.state(task_id).cloned();
        let known = known.map(|state| (state, None));
        let listeners = memory.listeners.0.entry(task_id.to_owned());
        let listeners = listeners.or_insert_with(|| watch::Sender::new(known));
        let mut news = listeners.subscribe();
        drop(memory);
        // What came before is told first.
        news.mark_changed();
        Self {
            shared: Arc::clone(shared),
            task_id: task_id.to_owned(),
            news: Box::pin(changed(news)),
        }
    }
}

impl WebhookUpdates for Listening {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<WebhookUpdate> {
        loop {
            let mut news = ready!(self.news.as_mut().poll(context));
            let update = news.borrow_and_update().clone();
            self.news = Box::pin(changed(news));
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
async fn changed(mut news: watch::Receiver<News>) -> watch::Receiver<News> {
    if news.changed().await.is_err() {
        // The sender is in the inbox for as long as anyone listens.
        return std::future::pending().await;
    }
    news
}

impl Drop for Listening {
    fn drop(&mut self) {
        let listeners = &mut self.shared.memory().listeners.0;
        let is_last = |listeners: &watch::Sender<News>| listeners.receiver_count() <= 1;
        if listeners.get(&self.task_id).is_some_and(is_last) {
            listeners.remove(&self.task_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::webhook::{Inbox, Secret};

    #[test]
    fn nothing_is_kept_for_those_who_are_gone() {
        let inbox = Inbox::new(Secret::new("s3cret").unwrap());
        let followed = || inbox.0.memory().listeners.0.len();
        let (one, other) = (inbox.listen("a"), inbox.listen("a"));
        let third = inbox.listen("b");
        assert_eq!(followed(), 2);
        drop((one, third));
        assert_eq!(followed(), 1);
        drop(other);
        assert_eq!(followed(), 0);
    }
}
