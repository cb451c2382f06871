//! Runs a sandbox until Enter is pressed: `cargo run -p kling-omni-sandbox --example serve -- 8080`.

use std::io;

use kling_omni_sandbox::Sandbox;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let sandbox = Sandbox::builder().port(port).start().await?;
    println!("API      {}", sandbox.base_url());
    println!("results  {}", sandbox.result_base_url());
    println!("uploads  {}", sandbox.storage_base_url());
    println!("key      {}", sandbox.api_key());
    println!("seed     {}", sandbox.seed());

    tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
    println!("{} tasks were created", sandbox.charges());
    sandbox.shutdown().await;
    Ok(())
}
