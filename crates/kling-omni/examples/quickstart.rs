//! From a prompt to a file.
//!
//! `cargo run --example quickstart -- --sandbox` needs no key and no network. Without the flag, the program uses the
//! service, with the key in `FREEPIK_API_KEY` or `MAGNIFIC_API_KEY`, and the video is paid for.

mod connect;

use std::time::Duration;

use kling_omni::VideoReference;
use kling_omni::request::AspectRatio;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, _sandbox) = connect::client().await?;
    let request = VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet on a moonlit stage")
        .reference_video("https://example.com/dance.mp4")
        .start_frame("https://example.com/stage.png")
        .duration(8)
        .aspect_ratio(AspectRatio::Widescreen)
        .build()?;
    let task = client.create(request).await?;
    println!("task {}", task.id());
    let video = task
        .wait()
        .timeout(Duration::from_secs(900))
        .on_status(|state| println!("{}", state.status()))
        .await?;
    let saved = video.save("puppet.mp4").overwrite(true).await?;
    println!("{} bytes in {}", saved.bytes, saved.path.display());
    Ok(())
}
