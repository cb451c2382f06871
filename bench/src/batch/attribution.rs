//! The list requests that creates take for a later search of a lost one, in virtual time.

use std::path::Path;

use anyhow::{Result, ensure};
use kling_omni::request::Request;
use kling_omni_api::{Operation, Role};
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{Batches, RunOptions};
use kling_omni_sandbox::{ReceivedRequest, Sandbox};

use super::{BATCH, grouped, ledger_file};
use crate::cost::load::request;
use crate::report::Report;

/// The number of tasks that the account has before.
const OLDER: usize = 2_000;

/// The number of creates. One at a time: no list is read for polling then.
const CREATES: usize = 1_000;

/// Adds the row of the table.
pub fn measure(seed: u64, folder: &Path, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()?;
    fastrand::seed(seed);
    let lists = runtime.block_on(lists(seed, folder))?;
    report.row([
        &format!(
            "list requests per create for attribution, {} creates on an account with {} tasks",
            grouped(CREATES as u64),
            grouped(OLDER as u64)
        ),
        &format!("**{:.3}**", lists as f64 / CREATES as f64),
        "0.05",
    ]);
    Ok(())
}

async fn lists(seed: u64, folder: &Path) -> Result<usize> {
    let sandbox = Sandbox::builder()
        .seed(seed)
        .rate_limit(u32::MAX)
        .poll_hints(false)
        .record_limit(usize::MAX)
        .start()
        .await?;
    let client = ledger_file::client(sandbox.base_url())?;
    for _ in 0..OLDER {
        client.create(request(1.0)?).await?;
    }
    let batches = Batches::open(folder.join("attribution.db")).await?;
    let mut items = Vec::new();
    for number in 0..CREATES {
        let request = Request::from(request(20.0)?);
        let path = folder.join(format!("attribution/{number}.mp4"));
        items.push(NewItem::new(number.to_string(), &request, path));
    }
    batches.import(BATCH, items).await?;
    let before = sandbox.requests().len();
    let options = RunOptions::default().in_flight(1);
    batches.run(BATCH, &client, options).await?.await?;
    ensure!(
        sandbox.charges() == OLDER + CREATES,
        "{} tasks were paid for",
        sandbox.charges()
    );
    let requests = sandbox.requests();
    Ok(requests[before..].iter().filter(is_list).count())
}

fn is_list(request: &&ReceivedRequest) -> bool {
    let operation = request.operation_id().and_then(Operation::by_id);
    operation.is_some_and(|operation| matches!(operation.role, Role::List(_)))
}
