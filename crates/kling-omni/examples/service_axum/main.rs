//! A service that makes videos, keeps its jobs in a database, and survives `kill -9` at any point.
//!
//! `cargo run --example service_axum -- --sandbox` needs no key. Without the flag, each job is paid for, once.
//! `curl --json '{"prompt": "A cat", "duration": "5"}' 127.0.0.1:8080/videos; curl 127.0.0.1:8080/videos/1`

#[path = "../connect/mod.rs"]
mod connect;
mod jobs;
mod service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, _sandbox) = connect::client().await?;
    let service = service::Service {
        client,
        jobs: jobs::Jobs::open("videos.db")?,
        folder: ".".into(),
        configure: |run| run,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, service.start().await?).await?;
    Ok(())
}
