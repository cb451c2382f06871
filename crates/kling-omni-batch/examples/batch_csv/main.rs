//! Makes the videos of a CSV file, each paid for at most once.
//!
//! A column is a field of the API: `printf 'id,prompt,duration\ncat,A cat in the rain,3\n' > clips.csv`.
//! `cargo run -p kling-omni-batch --example batch_csv -- clips.csv videos --sandbox` needs no key, and a new folder each time. Without
//! the flag, the program uses the service with the key in `FREEPIK_API_KEY` or `MAGNIFIC_API_KEY`, and each row is paid for: after
//! an interruption, the same command continues.

mod table;

use std::env;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use kling_omni::{ApiKey, Client};
use kling_omni_batch::{ItemState, RunOptions};
use kling_omni_sandbox::Sandbox;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (flags, paths): (Vec<_>, Vec<_>) = env::args().skip(1).partition(|it| it.starts_with("--"));
    let [csv, folder] = &paths[..] else {
        return Err("name a CSV file and a folder for the videos".into());
    };
    let sandbox = match flags.iter().any(|flag| flag == "--sandbox") {
        true => Some(
            Sandbox::builder()
                .task_time(Duration::from_secs(4))
                .start()
                .await?,
        ),
        false => None,
    };
    let client = match &sandbox {
        Some(sandbox) => Client::builder()
            .api_key(ApiKey::new(sandbox.api_key())?)
            .base_url(sandbox.base_url())
            .build()?,
        None => Client::from_env()?,
    };
    let options = RunOptions::default().in_flight(4);
    let status = table::make(&client, Path::new(csv), Path::new(folder), options).await?;
    let saved = status.count(ItemState::Saved);
    println!(
        "{saved} of {} saved, {} tasks paid for",
        status.items,
        status.tasks()
    );
    match saved == status.items {
        true => Ok(()),
        false => Err("the report says why the others are not".into()),
    }
}
