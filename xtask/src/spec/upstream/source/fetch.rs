//! Fetches a document from a URL.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use url::Url;

use openapi_diff::document::MOST_BYTES;

const USER_AGENT: &str = concat!("kling-omni-xtask/", env!("CARGO_PKG_VERSION"));

/// How long the whole exchange may take. The document has megabytes, and a runner in the cloud is not in a hurry.
const DEADLINE: Duration = Duration::from_secs(60);

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

const MOST_REDIRECTS: usize = 5;

pub(super) fn fetch(url: Url) -> Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(body(url))
}

async fn body(url: Url) -> Result<Vec<u8>> {
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .timeout(DEADLINE)
        .connect_timeout(CONNECT_DEADLINE)
        .redirect(Policy::limited(MOST_REDIRECTS))
        // A redirect must not lead from https to http.
        .https_only(url.scheme() == "https")
        .build()?;
    let request = client
        .get(url)
        .header(ACCEPT, "application/yaml, application/json, text/plain");
    // The error would name the URL with its query once more.
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    check(&response)?;
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(reqwest::Error::without_url)?
    {
        body.extend_from_slice(&chunk);
        ensure!(
            body.len() <= MOST_BYTES,
            "it is larger than {} MiB",
            MOST_BYTES >> 20
        );
    }
    let start = body.trim_ascii_start();
    ensure!(!start.starts_with(b"<"), "an HTML page came");
    Ok(body)
}

fn check(response: &Response) -> Result<()> {
    let status = response.status();
    ensure!(status == StatusCode::OK, "the answer is {status}");
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        bail!("an HTML page came");
    }
    Ok(())
}
