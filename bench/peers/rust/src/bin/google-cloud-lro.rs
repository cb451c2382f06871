//! The poller of google-cloud-lro, with the policies that Google's generated clients give it unless told otherwise.
//!
//! Those clients make pollers for Google's services alone. This one asks the service that kling-omni is for, through
//! reqwest, so that what differs is when to ask.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use google_cloud_gax::error::Error;
use google_cloud_gax::exponential_backoff::ExponentialBackoff;
use google_cloud_gax::polling_error_policy::Aip194Strict;
use google_cloud_longrunning::model::Operation;
use google_cloud_lro::{Poller as _, internal};
use google_cloud_wkt::{Any, Empty};
use kling_omni_peers::Load;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

#[derive(Deserialize)]
struct Answer {
    data: Task,
}

#[derive(Deserialize)]
struct Task {
    task_id: String,
    status: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::from_arguments()?;
    let client = Client::new();
    load.run(|| wait(client.clone(), load.base_url.clone(), load.key.clone()))
        .await
}

async fn wait(client: Client, base_url: String, key: String) -> Result<()> {
    let create = client
        .post(format!(
            "{base_url}/v1/ai/video/kling-v3-omni-pro/video-reference"
        ))
        .bearer_auth(&key)
        .body("{}");
    let status = move |name: String| {
        let url = format!("{base_url}/v1/ai/reference-to-video/kling-v3-omni/{name}");
        operation(client.get(url).bearer_auth(&key))
    };
    internal::new_unit_poller(
        Arc::new(Aip194Strict),
        Arc::new(ExponentialBackoff::default()),
        move || operation(create),
        status,
    )
    .until_done()
    .await
    .context("the poller ended with an error")
}

/// Sends a request and makes of its answer what the poller understands.
async fn operation(
    request: RequestBuilder,
) -> google_cloud_gax::Result<internal::Operation<Empty, Empty>> {
    let answer = request.send().await.map_err(Error::io)?;
    let answer = answer.error_for_status().map_err(Error::io)?;
    let task = answer.json::<Answer>().await.map_err(Error::deser)?.data;
    let operation = Operation::default().set_name(task.task_id);
    Ok(internal::Operation::new(match task.status.as_str() {
        "COMPLETED" => {
            let response = Any::from_msg(&Empty::default()).map_err(Error::deser)?;
            operation.set_done(true).set_response(response)
        }
        _ => operation,
    }))
}
