//! Settings, addresses and ports, and the shutdown.

use std::error::Error as _;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use kling_omni_sandbox::{Sandbox, SandboxBuilder, StartError};
use tokio::net::TcpListener;

use crate::harness::{
    Bench, LIST, PRO, TestResponse, request_body, request_body_with, short_request_body,
};

fn port(url: &str) -> u16 {
    url.rsplit_once(':').unwrap().1.parse().unwrap()
}

fn ports(sandbox: &Sandbox) -> [u16; 3] {
    let urls = [
        sandbox.base_url(),
        sandbox.result_base_url(),
        sandbox.storage_base_url(),
    ];
    urls.map(port)
}

async fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).await.is_ok()
}

/// Waits until all ports are free. Another process may use one for a moment.
async fn wait_until_free(ports: [u16; 3]) {
    let freed = async {
        for port in ports {
            while !is_free(port).await {
                tokio::task::yield_now().await;
            }
        }
    };
    let patience = Duration::from_secs(10);
    tokio::time::timeout(patience, freed).await.unwrap();
}

#[tokio::test]
async fn settings_out_of_range_are_rejected() {
    let year = Duration::from_secs(366 * 24 * 3600);
    type Set = Box<dyn Fn(SandboxBuilder) -> SandboxBuilder>;
    let cases: [(Set, &str); 10] = [
        (Box::new(|b| b.api_keys(Vec::<String>::new())), "`api_keys`"),
        (Box::new(|b| b.api_key("")), "`api_keys`"),
        (Box::new(|b| b.jitter(1.01)), "`jitter`"),
        (Box::new(|b| b.jitter(-0.01)), "`jitter`"),
        (Box::new(|b| b.jitter(f64::NAN)), "`jitter`"),
        (Box::new(move |b| b.task_time(year)), "`task_time`"),
        (Box::new(|b| b.rate_window(Duration::ZERO)), "`rate_window`"),
        (
            Box::new(|b| b.result_lifetime(Duration::MAX)),
            "`result_lifetime`",
        ),
        (
            Box::new(|b| b.file_lifetime(Duration::MAX)),
            "`file_lifetime`",
        ),
        (
            Box::new(|b| b.webhook_secret("whsec_!")),
            "`webhook_secret`",
        ),
    ];
    for (set, named) in cases {
        let error = set(Sandbox::builder()).start().await.unwrap_err();
        assert!(matches!(error, StartError::Setting { .. }));
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test]
async fn port_in_use_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let builders = [
        Sandbox::builder().port(address.port()),
        Sandbox::builder().result_port(address.port()),
        Sandbox::builder().storage_port(address.port()),
    ];
    for builder in builders {
        let error = builder.start().await.unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert!(error.source().is_some());
    }
}

#[tokio::test]
async fn base_url_has_the_address() {
    let any = Bench::with(|builder| builder.address("0.0.0.0".parse().unwrap())).await;
    assert!(any.sandbox.base_url().starts_with("http://127.0.0.1:"));
    assert_eq!(any.get(LIST).await.status, 404);

    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if TcpListener::bind((six, 0)).await.is_ok() {
        let bench = Bench::with(|builder| builder.address(six)).await;
        assert!(bench.sandbox.base_url().starts_with("http://[::1]:"));
        let (_, url) = bench.completed(&short_request_body()).await;
        assert_eq!(TestResponse::to(bench.http.get(url)).await.status, 200);
    }
}

#[tokio::test]
async fn shutdown_releases_all_ports() {
    let bench = Bench::start().await;
    bench
        .create(
            PRO,
            &request_body_with("webhook_url", "http://127.0.0.1:1/"),
        )
        .await;
    let ports = ports(&bench.sandbox);
    for port in ports {
        assert!(!is_free(port).await);
    }
    bench.sandbox.shutdown().await;
    wait_until_free(ports).await;
}

#[tokio::test]
async fn drop_releases_all_ports() {
    let Bench { sandbox, .. } = Bench::start().await;
    let ports = ports(&sandbox);
    drop(sandbox);
    wait_until_free(ports).await;
}

#[tokio::test]
async fn default_clock_is_the_system_clock() {
    let sandbox = Sandbox::builder()
        .task_time(Duration::from_millis(20))
        .start()
        .await
        .unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = http
        .post(format!("{}{PRO}", sandbox.base_url()))
        .header("x-freepik-api-key", sandbox.api_key());
    TestResponse::to(post.json(&request_body())).await;
    let completed = async {
        while sandbox.tasks()[0].status().as_str() != "COMPLETED" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), completed)
        .await
        .unwrap();
    let task = &sandbox.tasks()[0];
    let time = task.ends_at().duration_since(task.created_at()).unwrap();
    assert!((15..=25).contains(&time.as_millis()), "{time:?}");
}
