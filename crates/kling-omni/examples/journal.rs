//! A video that is paid for once, however often the program is killed and started again.
//!
//! `cargo run --example journal -- --sandbox`. Run without the flag, it asks the service, and the video is paid for: stop
//! it anywhere, start it again, and it goes on with the same task.

mod connect;

use std::error::Error;

use kling_omni::journal::{Journal, State};
use kling_omni::recovery::Reconciled;
use kling_omni::{Client, CreateOutcome, VideoReference};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, sandbox) = connect::client().await?;
    // A sandbox ends with the program, and what was written of its task is of no use to the next one.
    let folder = match sandbox {
        Some(_) => std::env::temp_dir().join(format!("kling-omni-{}", std::process::id())),
        None => ".".into(),
    };
    std::fs::create_dir_all(&folder)?;
    let mut journal = Journal::open_or_create(folder.join("puppet.journal")).await?;

    if let State::Unconfirmed(_) = journal.state() {
        println!("an earlier run was cut off: looking for its task");
        match journal
            .reconcile(&client, |search| search.until_settled())
            .await?
        {
            Reconciled::Found { matched_by, .. } => println!("found: {matched_by}"),
            Reconciled::NotCreated => println!("it made none"),
            // A person looks at the account and says so with `attach` or `absent`.
            doubt => return Err(format!("it cannot be told: {doubt:?}").into()),
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
        // What is unknown is in the journal, and the next run looks for it.
        CreateOutcome::Rejected(error) | CreateOutcome::Unknown { error, .. } => Err(error.into()),
    }
}
