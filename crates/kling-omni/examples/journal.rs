//! Creates a video that is paid for once, even if the program is killed and restarted.
//!
//! `cargo run --example journal -- --sandbox`. Without the flag, the program uses the service, and the video is paid
//! for: kill it at any point, restart it, and it resumes the same task.

mod connect;

use std::error::Error;

use kling_omni::journal::{Journal, State};
use kling_omni::recovery::Reconciled;
use kling_omni::{Client, CreateOutcome, VideoReference};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, sandbox) = connect::client().await?;
    // The tasks of a sandbox end with the program, so the journal is of no use to the next run.
    let folder = match sandbox {
        Some(_) => std::env::temp_dir().join(format!("kling-omni-{}", std::process::id())),
        None => ".".into(),
    };
    std::fs::create_dir_all(&folder)?;
    let mut journal = Journal::open_or_create(folder.join("puppet.journal")).await?;

    if let State::Unconfirmed(_) = journal.state() {
        println!("an earlier run was interrupted: searching for its task");
        match journal
            .reconcile(&client, |search| search.until_settled())
            .await?
        {
            Reconciled::Found { matched_by, .. } => println!("found: {matched_by}"),
            Reconciled::NotCreated => println!("it made no task"),
            // An operator checks the account and calls `resolve_as` or `resolve_not_created`.
            ambiguous => return Err(format!("the task is ambiguous: {ambiguous:?}").into()),
        }
    }
    if journal.state().may_create() {
        create(&mut journal, &client).await?;
    }
    let saved = match journal.verify_saved().await {
        Some(saved) => saved,
        None => {
            let state = journal.state();
            let task = client.task(state.task_id().ok_or("the journal has no task")?);
            println!("task {}", task.id());
            let waited = task.wait().await;
            if let Some(state) = task.state() {
                journal.record_ended(&state).await;
            }
            journal
                .save(waited?.save(folder.join("puppet.mp4")))
                .await?
        }
    };
    println!("{}  {}", saved.sha256, saved.path.display());
    Ok(())
}

async fn create(journal: &mut Journal, client: &Client) -> Result<(), Box<dyn Error>> {
    let request = VideoReference::builder()
        .prompt("The dancer of @Video1 as a paper puppet")
        .reference_video("https://example.com/dance.mp4")
        .build()?;
    match journal.create(client.create(request)).await? {
        CreateOutcome::Created(_) => Ok(()),
        // The journal has the unconfirmed create, and the next run reconciles it.
        CreateOutcome::Rejected(error) | CreateOutcome::Unknown { error, .. } => Err(error.into()),
    }
}
