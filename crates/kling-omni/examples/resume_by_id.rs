//! Going on with a task that an earlier run created.
//!
//! `cargo run --example resume_by_id -- TASK_ID`, or with `--sandbox` in place of the id: then a task is created first,
//! and forgotten but for its id.

mod connect;

use kling_omni::{Client, VideoReference};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, sandbox) = connect::client().await?;
    let id = match sandbox {
        Some(_) => create_and_forget(&client).await?,
        None => std::env::args().nth(1).ok_or("which task? give its id")?,
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

async fn create_and_forget(client: &Client) -> Result<String, Box<dyn std::error::Error>> {
    let request = VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet")
        .reference_video("https://example.com/dance.mp4")
        .build()?;
    Ok(client.create(request).await?.id().to_owned())
}
