//! The crate runway-sdk, with nothing set but where the service is.

use anyhow::Result;
use kling_omni_peers::Load;
use runway_sdk::{Config, RunwayClient, TextToVideoGen45Request, VideoRatio};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::from_arguments()?;
    let client = RunwayClient::with_config(Config::new(&load.key).base_url(&load.base_url))?;
    load.run(async || {
        let request =
            TextToVideoGen45Request::new("A dancer as a paper puppet", VideoRatio::Landscape, 5);
        client
            .text_to_video()
            .create(request)
            .await?
            .wait_for_output()
            .await?;
        Ok(())
    })
    .await
}
