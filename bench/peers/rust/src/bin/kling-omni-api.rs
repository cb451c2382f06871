//! The generated client alone, with the transport of its README and a loop that reads the status every five seconds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kling_omni_api::enums::TaskStatus;
use kling_omni_api::types::VideoReferenceRequest;
use kling_omni_api::{Client, Exchange, Inner, Transport, service};
use kling_omni_peers::Load;
use reqwest::header::HeaderValue;

#[derive(Debug)]
struct Direct {
    http: reqwest::Client,
    key: HeaderValue,
}

impl Transport for Direct {
    fn exchange<'a>(
        &'a self,
        mut request: reqwest::Request,
        _operation: &'static str,
    ) -> Exchange<'a> {
        let headers = request.headers_mut();
        headers.insert(service::FREEPIK_API_KEY_HEADER, self.key.clone());
        Box::pin(self.http.execute(request))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::from_arguments()?;
    let http = reqwest::Client::new();
    let transport = Direct {
        http: http.clone(),
        key: HeaderValue::try_from(&load.key)?,
    };
    let inner = Inner::new(Arc::new(transport));
    let client = Client::new_with_client(&load.base_url, http, inner);
    load.run(async || {
        let request = VideoReferenceRequest::builder()
            .prompt("The dancer of @Video1 as a paper puppet".to_owned())
            .video_url("https://example.com/dance.mp4".to_owned());
        let created = client.create_video_reference().body(request).send().await;
        let id = created
            .context("the create failed")?
            .into_inner()
            .data
            .task_id;
        loop {
            let read = client
                .get_reference_to_video_task()
                .task_id(&id)
                .send()
                .await;
            match read.context("the read failed")?.into_inner().data.status {
                TaskStatus::Completed => return Ok(()),
                TaskStatus::Failed => bail!("the task failed"),
                _ => tokio::time::sleep(Duration::from_secs(5)).await,
            }
        }
    })
    .await
}
