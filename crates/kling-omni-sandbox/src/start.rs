//! Starts the hosts of a sandbox.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api;
use crate::clock::ServiceClock;
use crate::config::{Config, StartError};
#[cfg(feature = "console")]
use crate::console;
use crate::fault::FaultRule;
use crate::injection::Faults;
use crate::random::Random;
use crate::rate::RateLimits;
use crate::raw_lines::RawListener;
use crate::record::{Changes, Log};
use crate::results::{self, Results};
use crate::sandbox::Sandbox;
use crate::secret::Secret;
use crate::service::Service;
use crate::spec::Spec;
use crate::task::TaskStore;
use crate::uploads::{self, Uploads};
use crate::webhook::Webhooks;

/// Starts a sandbox for a document.
pub(crate) async fn start(
    spec: Arc<Spec>,
    config: Config,
    secret: Secret,
    clock: ServiceClock,
    seed: u64,
    faults: Vec<FaultRule>,
) -> Result<Sandbox, StartError> {
    let (api_listener, base_url) = bind(config.address, config.port).await?;
    let (result_listener, result_base_url) = bind(config.address, config.result_port).await?;
    let (storage_listener, storage_base_url) = bind(config.address, config.storage_port).await?;

    let (random, key) = Random::new(seed);
    let stop = watch::Sender::new(false);
    let changes = Changes::new();
    let service = Arc::new(Service {
        rates: RateLimits::new(config.rate_limit, config.rate_window),
        tasks: TaskStore::default(),
        results: Results::new(result_base_url, config.result_lifetime, key),
        uploads: Uploads::new(
            storage_base_url,
            config.max_upload_size,
            config.file_lifetime,
            key,
        ),
        webhooks: Webhooks::new(
            secret,
            config.webhook_timeout,
            config.remote_webhooks,
            config.record_limit,
            changes.clone(),
        ),
        requests: Log::new(config.record_limit, changes.clone()),
        faults: Faults::new(faults, clock.clone(), stop.subscribe(), changes.clone()),
        #[cfg(feature = "console")]
        changes,
        clock,
        spec,
        random,
        config,
    });
    #[cfg(feature = "console")]
    let console = console::bind(&service.config).await?;
    #[cfg_attr(not(feature = "console"), expect(unused_mut))]
    let mut servers = vec![
        serve(api_listener, api::router(&service), stop.subscribe()),
        serve(
            result_listener,
            results::host::router(&service),
            stop.subscribe(),
        ),
        serve(
            storage_listener,
            uploads::storage::router(&service),
            stop.subscribe(),
        ),
    ];
    #[cfg(feature = "console")]
    let console_url = console.map(|(listener, url)| {
        let router = console::router(&service, &base_url, stop.subscribe());
        servers.push(serve(listener, router, stop.subscribe()));
        url
    });
    Ok(Sandbox {
        service,
        base_url,
        #[cfg(feature = "console")]
        console_url,
        seed,
        stop,
        servers,
    })
}

pub(crate) async fn bind(address: IpAddr, port: u16) -> Result<(TcpListener, String), StartError> {
    let address = SocketAddr::new(address, port);
    let failed = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    // Clients cannot connect to the unspecified address.
    let host = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let base_url = format!("http://{}", SocketAddr::new(host, bound.port()));
    Ok((listener, base_url))
}

fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
    let stopped = async move {
        // An error means that the sandbox was dropped.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    tokio::spawn(async move {
        let served = axum::serve(RawListener(listener), router).with_graceful_shutdown(stopped);
        if let Err(error) = served.await {
            tracing::error!(%error, "sandbox host failed");
        }
    })
}
