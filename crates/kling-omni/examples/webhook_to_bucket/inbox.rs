//! Saves the videos that deliveries announce, and those that were missed.

use futures_util::{StreamExt as _, TryStreamExt as _};
use kling_omni::download::{VideoStore, file_stem};
use kling_omni::polling::TaskStatus;
use kling_omni::webhook::WebhookReceiver;
use kling_omni::{Client, ErrorKind, Mode, Result};
use tokio::sync::mpsc::UnboundedSender;

/// The path of the endpoint.
pub const PATH: &str = "/hooks/kling";

pub struct Inbox {
    pub client: Client,
    pub receiver: WebhookReceiver,
    pub store: VideoStore,
    /// The folder of the videos, as a URL.
    pub folder: String,
}

impl Inbox {
    /// The endpoint, which verifies deliveries.
    pub fn router(&self) -> axum::Router {
        axum::Router::new().route_service(PATH, self.receiver.endpoint())
    }

    /// Saves videos until it is dropped, and sends the URL of each object.
    pub async fn run(self, saved: UnboundedSender<String>) {
        // First: a delivery that arrives while the list is read is kept.
        let mut deliveries = self.receiver.deliveries();
        self.catch_up(&saved).await;
        while let Some(delivery) = deliveries.next().await {
            match delivery {
                Ok(delivery) if *delivery.state().status() == TaskStatus::Completed => {
                    self.save(delivery.state().id(), &saved).await;
                }
                Ok(_) => {}
                // More deliveries came than the receiver keeps.
                Err(_) => self.catch_up(&saved).await,
            }
        }
    }

    /// Saves the completed videos of the account that have no object: the process was not running, or it was killed after it
    /// had accepted a delivery.
    async fn catch_up(&self, saved: &UnboundedSender<String>) {
        for mode in Mode::ALL {
            let mut tasks = self.client.list().mode(*mode).stream();
            loop {
                match tasks.try_next().await {
                    Ok(Some(task)) if task.status == TaskStatus::Completed => {
                        self.save(&task.id, saved).await;
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        eprintln!("the list of mode {mode} cannot be read: {error}");
                        break;
                    }
                }
            }
        }
    }

    async fn save(&self, id: &str, saved: &UnboundedSender<String>) {
        match self.try_save(id).await {
            Ok(Some(url)) => {
                // The channel may be closed.
                let _ = saved.send(url);
            }
            Ok(None) => {}
            Err(error) => eprintln!("task {id}: {error}"),
        }
    }

    /// Saves a video, and returns the URL of its object. `None` if there is one already.
    async fn try_save(&self, id: &str) -> Result<Option<String>> {
        let url = format!("{}/{}.mp4", self.folder, file_stem(id));
        let object = self.store.object(&url)?;
        match object.check().await {
            Err(error) if error.kind() == ErrorKind::File => return Ok(None),
            checked => checked?,
        }
        // The delivery may have been overtaken by a longer read of the list: the wait ends at once.
        let video = self.client.task(id).wait().await?;
        video.save(object).await?;
        Ok(Some(url))
    }
}
