//! Uses a custom `reqwest::Client`, with its proxy, TLS and pool settings.
//!
//! `cargo run --example own_http_client -- --sandbox`

mod connect;

use std::time::Duration;

use futures_util::TryStreamExt;
use kling_omni::VideoReference;
use kling_omni::polling::Update;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let http = reqwest::Client::builder()
        .user_agent("my-app/1.0")
        .connect_timeout(Duration::from_secs(3))
        .pool_max_idle_per_host(2)
        // A client that follows redirects would send the API key to their targets.
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let (builder, _sandbox) = connect::builder().await?;
    let client = builder.http_client(http).build()?;
    let request = VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet")
        .reference_video("https://example.com/dance.mp4")
        .build()?;
    let task = client.create(request).await?;
    let mut updates = task.updates();
    while let Some(update) = updates.try_next().await? {
        if let Update::Status(state) = update {
            println!("{} is {}", state.id(), state.status());
        }
    }
    let video = task.video()?;
    println!(
        "{} bytes",
        video.download().await?.length().unwrap_or_default()
    );
    Ok(())
}
