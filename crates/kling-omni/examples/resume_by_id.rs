//! Resumes a task that an earlier run created.
//!
//! `cargo run --example resume_by_id -- TASK_ID`, or with `--sandbox` instead of the id: the example then creates a
//! task first, and keeps only its id.

mod connect;

use kling_omni::{Client, VideoReference};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, sandbox) = connect::client().await?;
    let id = match sandbox {
        Some(_) => create_and_return_id(&client).await?,
        None => std::env::args()
            .nth(1)
            .ok_or("missing argument: the id of the task")?,
    };
    let task = client.task(&id);
    println!("{id} is {}", task.refresh().await?.status());
    let saved = task
        .wait()
        .await?
        .save(format!("{id}.mp4"))
        .overwrite(true)
        .await?;
    println!("{} bytes in {}", saved.bytes, saved.path.display());
    Ok(())
}

async fn create_and_return_id(client: &Client) -> Result<String, Box<dyn std::error::Error>> {
    let request = VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet")
        .reference_video("https://example.com/dance.mp4")
        .build()?;
    Ok(client.create(request).await?.id().to_owned())
}
