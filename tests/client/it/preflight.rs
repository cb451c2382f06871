//! Preflight: findings about the files of a request.

mod inspect;
mod remote;
mod rules;

use kling_omni::Client;
use kling_omni::preflight::PreflightReport;
use kling_omni::request::VideoReferenceBuilder;
use kling_omni::validation::Finding;
use kling_omni_test_support::setup::client;
use kling_omni_test_support::virtual_clock::VirtualClock;

/// A client without a server.
fn offline() -> Client {
    client("http://127.0.0.1:9", &VirtualClock::new())
        .build()
        .unwrap()
}

async fn inspect_request(request: VideoReferenceBuilder) -> PreflightReport {
    offline().preflight(request.build().unwrap()).await
}

fn codes(findings: &[Finding]) -> Vec<String> {
    let code = |finding: &Finding| format!("{} {}", finding.field(), finding.code());
    findings.iter().map(code).collect()
}
