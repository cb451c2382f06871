//! A worker whose steps are run by Restate.
//!
//! ```sh
//! npx @restatedev/restate-server &
//! FREEPIK_API_KEY=… cargo run -- postgres://kling@db.example/batches &
//! npx @restatedev/restate deployments register http://127.0.0.1:9080
//! kling-omni batch run clips.jsonl --out /shared/clips --db postgres://kling@db.example/batches --detach
//! ```

use anyhow::Context as _;
use kling_omni::Client;
use kling_omni_batch::{Batches, WorkerOptions};
use kling_omni_restate_example::{RestateSender, Steps};
use restate_sdk::prelude::*;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let ledger = std::env::args().nth(1).context("name the ledger")?;
    let ingress = std::env::var("RESTATE_INGRESS").unwrap_or("http://127.0.0.1:8080".to_owned());
    let sender = RestateSender::new(ingress)?;
    let batches = Batches::open(ledger).await?;
    let options = WorkerOptions::default().job_sender(sender);
    let worker = batches.worker(&Client::from_env()?, options);
    let mut run = worker.start().await?;
    let endpoint = Endpoint::builder().bind(Steps { worker }).build();
    let serve = HttpServer::new(endpoint).listen_and_serve("127.0.0.1:9080".parse()?);
    tokio::pin!(serve);
    loop {
        tokio::select! {
            event = run.next_event() => match event {
                Some(event) => println!("{event:?}"),
                None => break,
            },
            // It handles Ctrl-C.
            () = &mut serve => break,
        }
    }
    run.stop();
    run.await?;
    Ok(())
}
