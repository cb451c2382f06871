//! Receives webhooks in axum, and waits for a task with them.
//!
//! `cargo run --features webhook --example webhook_axum -- --sandbox` needs no key and no network. Without the flag,
//! the program uses the service, and the video is paid for: `WEBHOOK_SECRET` is the secret from the account's settings,
//! and `WEBHOOK_URL` the public address that leads to port 8080 of this machine.

mod connect;

use std::env;
use std::error::Error;

use axum::Router;
use kling_omni::VideoReference;
use kling_omni::webhook::correlation::{self, Token};
use kling_omni::webhook::{Secret, WebhookReceiver};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, sandbox) = connect::client().await?;
    let (secret, address) = match &sandbox {
        Some(sandbox) => (sandbox.webhook_secret().to_owned(), "127.0.0.1:0"),
        None => (env::var("WEBHOOK_SECRET")?, "0.0.0.0:8080"),
    };

    let receiver = WebhookReceiver::new(Secret::new(secret)?);
    let app = Router::new().route_service("/hooks/kling", receiver.endpoint());
    let listener = TcpListener::bind(address).await?;
    let public_url = match sandbox {
        Some(_) => format!("http://{}/hooks/kling", listener.local_addr()?),
        None => env::var("WEBHOOK_URL")?,
    };
    tokio::spawn(async move { axum::serve(listener, app).await });

    // If the response to the create is lost, a delivery identifies its task.
    let token = Token::random()?;
    let request = VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet")
        .reference_video("https://example.com/dance.mp4")
        .webhook_url(correlation::attach(&public_url, &token)?)
        .build()?;
    let task = client.create(request).await?;
    let video = task
        .wait()
        .webhook(&receiver)
        .on_status(|state| println!("{} is {}", state.id(), state.status()))
        .await?;
    let length = video.download().await?.length();
    println!("{} bytes", length.unwrap_or_default());
    Ok(())
}
