//! A batch whose steps are run by a Restate server, which `npm install @restatedev/restate-server` brings.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kling_omni::request::Request;
use kling_omni::{ApiKey, Client, TextToVideo};
use kling_omni_batch::ledger::NewItem;
use kling_omni_batch::{BatchState, Batches, ItemState, RunOptions, WorkerOptions};
use kling_omni_restate_example::{RestateSender, Steps};
use kling_omni_sandbox::Sandbox;
use restate_sdk::prelude::*;
use tempfile::TempDir;

/// A server that is killed on drop.
struct Restate {
    child: Child,
    ingress: String,
    admin: String,
}

impl Drop for Restate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: that of `RESTATE_SERVER`, or that of the npm package in this folder.
fn program() -> Option<PathBuf> {
    let of_npm = || {
        let modules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node_modules/@restatedev");
        Some(modules.join("restate-server-linux-x64/bin/restate-server"))
    };
    let program = std::env::var_os("RESTATE_SERVER")
        .map(PathBuf::from)
        .or_else(of_npm)?;
    program.exists().then_some(program)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Restate {
    fn start(folder: &TempDir) -> Option<Self> {
        let [ingress, admin, node] = [free_port(), free_port(), free_port()];
        let child = Command::new(program()?)
            .env("RESTATE_BASE_DIR", folder.path().join("restate"))
            .env(
                "RESTATE_INGRESS__BIND_ADDRESS",
                format!("127.0.0.1:{ingress}"),
            )
            .env("RESTATE_ADMIN__BIND_ADDRESS", format!("127.0.0.1:{admin}"))
            .env("RESTATE_BIND_ADDRESS", format!("127.0.0.1:{node}"))
            .env("RESTATE_DISABLE_TELEMETRY", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self {
            child,
            ingress: format!("http://127.0.0.1:{ingress}"),
            admin: format!("http://127.0.0.1:{admin}"),
        })
    }

    /// Names an endpoint to the server, as soon as it has started.
    async fn register(&self, endpoint: &str) {
        let http = reqwest::Client::new();
        let body = serde_json::json!({ "uri": endpoint }).to_string();
        for _ in 0..600 {
            let register = http.post(format!("{}/deployments", self.admin));
            let register = register
                .header("content-type", "application/json")
                .body(body.clone());
            if register
                .send()
                .await
                .is_ok_and(|response| response.status().is_success())
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server does not accept {endpoint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_run_by_restate() {
    let folder = TempDir::new().unwrap();
    let Some(restate) = Restate::start(&folder) else {
        eprintln!("skipped: npm install @restatedev/restate-server brings the server");
        return;
    };
    let sandbox = Sandbox::builder()
        .api_key("FPSX-sandbox")
        .task_time(Duration::from_secs(1));
    let sandbox = sandbox.start().await.unwrap();
    let client = Client::builder()
        .base_url(sandbox.base_url())
        .api_key(ApiKey::new("FPSX-sandbox").unwrap());
    let client = client.build().unwrap();

    let batches = Batches::open(folder.path().join("batch.db")).await.unwrap();
    let items: Vec<_> = (0..3)
        .map(|number| {
            let request = TextToVideo::builder()
                .prompt(format!("A cat, take {number}"))
                .build();
            let path = folder.path().join(format!("{number}.mp4"));
            NewItem::new(number.to_string(), &Request::from(request.unwrap()), path)
        })
        .collect();
    batches.import("cats", items).await.unwrap();
    batches
        .submit("cats", &client, RunOptions::default())
        .await
        .unwrap();

    let sender = RestateSender::new(&restate.ingress).unwrap();
    let worker = batches.worker(&client, WorkerOptions::default().job_sender(sender));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let steps = Endpoint::builder()
        .bind(Steps {
            worker: worker.clone(),
        })
        .build();
    tokio::spawn(HttpServer::new(steps).serve(listener));
    restate.register(&endpoint).await;

    let run = worker.start().await.unwrap();
    while batches.status("cats").await.unwrap().state != BatchState::Done {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    run.stop();
    run.await.unwrap();
    assert_eq!(
        batches
            .status("cats")
            .await
            .unwrap()
            .count(ItemState::Saved),
        3
    );
    assert_eq!(sandbox.charges(), 3);
    for row in batches.report("cats", 0).await.unwrap() {
        let file = row.file.unwrap();
        assert_eq!(std::fs::metadata(&file.path).unwrap().len(), file.bytes);
    }
}
