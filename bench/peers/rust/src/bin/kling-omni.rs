//! kling-omni, with nothing set but where the service is.

use anyhow::Result;
use kling_omni::{ApiKey, Client, VideoReference};
use kling_omni_peers::Load;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::from_arguments()?;
    let client = Client::builder()
        .base_url(&load.base_url)
        .api_key(ApiKey::new(&load.key)?)
        .build()?;
    load.run(async || {
        let request = VideoReference::builder()
            .prompt("The dancer of @Video1 as a paper puppet")
            .reference_video("https://example.com/dance.mp4")
            .build()?;
        client.create(request).await?.wait().await?;
        Ok(())
    })
    .await
}
