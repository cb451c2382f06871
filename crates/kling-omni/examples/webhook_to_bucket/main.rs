//! Receives webhooks, and saves each completed video in an S3 bucket, without a disk.
//!
//! `cargo run -p kling-omni --features webhook,object-store --example webhook_to_bucket -- --sandbox` needs no key and no bucket: it makes a video, and
//! keeps it in memory. Without the flag, `WEBHOOK_SECRET` is the secret from the account's settings, the argument is the
//! folder of the videos, such as `s3://my-bucket/clips`, and the `AWS_…` variables are the settings of the bucket. Port 8080
//! has to be reachable for the service.

#[path = "../connect/mod.rs"]
mod connect;
mod inbox;

use std::env;
use std::error::Error;

use kling_omni::TextToVideo;
use kling_omni::download::VideoStore;
use kling_omni::upload::object_store::memory::InMemory;
use kling_omni::webhook::{Secret, WebhookReceiver};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, sandbox) = connect::client().await?;
    let (secret, address, store, folder) = match &sandbox {
        Some(sandbox) => (
            sandbox.webhook_secret().to_owned(),
            "127.0.0.1:0",
            VideoStore::new("memory://videos", InMemory::new()),
            "memory://videos".to_owned(),
        ),
        None => (
            env::var("WEBHOOK_SECRET")?,
            "0.0.0.0:8080",
            VideoStore::from_env(),
            env::args()
                .nth(1)
                .ok_or("name a folder, such as s3://my-bucket/clips")?,
        ),
    };
    let inbox = inbox::Inbox {
        client: client.clone(),
        receiver: WebhookReceiver::new(Secret::new(secret)?),
        store,
        folder,
    };
    let listener = TcpListener::bind(address).await?;
    let hook = format!("http://{}{}", listener.local_addr()?, inbox::PATH);
    let router = inbox.router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let (saved, mut names) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(inbox.run(saved));
    if sandbox.is_some() {
        let request = TextToVideo::builder().prompt("It rains").webhook_url(hook);
        client.create(request.build()?).await?;
    }
    while let Some(name) = names.recv().await {
        println!("{name}");
        if sandbox.is_some() {
            break;
        }
    }
    Ok(())
}
