//! A storyboard: the last frame of each clip is the first frame of the next one.
//!
//! `cargo run -p kling-omni --example storyboard -- --sandbox "A cat wakes up" "It climbs the stairs"` needs no key, but ffmpeg. Without the
//! flag, each clip is paid for, once: after an interruption, the same command continues.

mod clips;
#[path = "../connect/mod.rs"]
mod connect;

use std::error::Error;
use std::path::PathBuf;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, sandbox) = connect::client().await?;
    let shots: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--sandbox")
        .collect();
    if shots.is_empty() {
        return Err("give a prompt for each shot".into());
    }
    // The tasks of a sandbox end with the program, so its journals are of no use to the next run.
    let folder: PathBuf = match sandbox {
        Some(_) => std::env::temp_dir().join(format!("storyboard-{}", std::process::id())),
        None => "storyboard".into(),
    };
    let storyboard = clips::Storyboard {
        client,
        folder,
        ffmpeg: "ffmpeg".into(),
    };
    for clip in storyboard.make(&shots).await? {
        println!("{}", clip.display());
    }
    Ok(())
}
