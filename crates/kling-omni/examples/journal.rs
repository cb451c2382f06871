//! Creates a video that is paid for once, even if the program is killed and restarted.
//!
//! `cargo run --example journal -- --sandbox`. Without the flag, the program uses the service, and the video is paid
//! for: kill it at any point, restart it, and it resumes the same task.

mod connect;

use std::error::Error;

use kling_omni::VideoReference;
use kling_omni::journal::{Journal, JournalEvent, JournalOutcome};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, sandbox) = connect::client().await?;
    // The tasks of a sandbox end with the program, so the journal is of no use to the next run.
    let folder = match sandbox {
        Some(_) => std::env::temp_dir().join(format!("kling-omni-{}", std::process::id())),
        None => ".".into(),
    };
    std::fs::create_dir_all(&folder)?;
    let request = VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet")
        .reference_video("https://example.com/dance.mp4")
        .build()?;
    let mut journal = Journal::open_or_create(folder.join("puppet.journal")).await?;
    let outcome = journal
        .run(&client, client.create(request), folder.join("puppet.mp4"))
        .on_event(|event| match event {
            JournalEvent::Searching { .. } => println!("searching for the task of an earlier run"),
            JournalEvent::Waiting { task, .. } => println!("task {}", task.id()),
            _ => {}
        })
        .await?;
    match outcome {
        JournalOutcome::Saved(saved) => println!("{}  {}", saved.sha256, saved.path.display()),
        // An operator checks the account and calls `resolve_as` or `resolve_not_created`.
        undecided => return Err(format!("the task is ambiguous: {undecided:?}").into()),
    }
    Ok(())
}
