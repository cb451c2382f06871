//! Connects the examples to the service, or with `--sandbox` to a local stand-in.

use std::error::Error;
use std::time::Duration;

use kling_omni::{ApiKey, Client, ClientBuilder};
use kling_omni_sandbox::Sandbox;

/// Settings for the service with the key in the environment, or for a sandbox that runs until it is dropped.
pub async fn builder() -> Result<(ClientBuilder, Option<Sandbox>), Box<dyn Error>> {
    if !std::env::args().any(|argument| argument == "--sandbox") {
        return Ok((ClientBuilder::from_env()?, None));
    }
    let sandbox = Sandbox::builder()
        .task_time(Duration::from_secs(4))
        .start()
        .await?;
    let builder = Client::builder()
        .api_key(ApiKey::new(sandbox.api_key())?)
        .base_url(sandbox.base_url());
    Ok((builder, Some(sandbox)))
}

/// A client with these settings.
#[allow(dead_code, reason = "each example uses one of the two")]
pub async fn client() -> Result<(Client, Option<Sandbox>), Box<dyn Error>> {
    let (builder, sandbox) = builder().await?;
    Ok((builder.build()?, sandbox))
}
