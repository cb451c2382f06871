//! Sends webhook deliveries.

pub(crate) mod sequence;

use std::error::Error;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::task::JoinSet;
use url::{Host, Url};

use crate::record::{Changes, Delivery, DeliveryOutcome, Log};
use crate::secret::Secret;

/// Sends webhook deliveries, and records them.
pub(crate) struct Webhooks {
    secret: Secret,
    timeout: Duration,
    allows_remote: bool,
    client: OnceLock<Result<reqwest::Client, String>>,
    jobs: Mutex<JoinSet<()>>,
    pub(crate) deliveries: Log<Delivery>,
}

impl Webhooks {
    pub(crate) fn new(
        secret: Secret,
        timeout: Duration,
        allows_remote: bool,
        record_limit: usize,
        changes: Changes,
    ) -> Self {
        Self {
            secret,
            timeout,
            allows_remote,
            client: OnceLock::new(),
            jobs: Mutex::default(),
            deliveries: Log::new(record_limit, changes),
        }
    }

    /// Runs a job until it ends or [`stop`](Self::stop) is called.
    fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        let mut jobs = self.jobs();
        while jobs.try_join_next().is_some() {}
        jobs.spawn(job);
    }

    /// Drops all pending deliveries.
    pub(crate) fn stop(&self) {
        self.jobs().abort_all();
    }

    /// Builds the client at the first delivery, because it may load certificates if another crate enables TLS.
    fn client(&self) -> Result<&reqwest::Client, &str> {
        let client = self.client.get_or_init(|| {
            reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(self.timeout)
                .user_agent(concat!(
                    env!("CARGO_PKG_NAME"),
                    "/",
                    env!("CARGO_PKG_VERSION")
                ))
                .build()
                .map_err(|error| error.to_string())
        });
        client.as_ref().map_err(String::as_str)
    }

    async fn send(&self, url: &str, headers: HeaderMap, body: Bytes) -> DeliveryOutcome {
        let url = match Url::parse(url) {
            Ok(url) => url,
            Err(error) => return DeliveryOutcome::Failed(format!("invalid URL: {error}")),
        };
        if !self.allows_remote && !is_loopback(&url) {
            let reason = "the host is another machine, and `remote_webhooks` is off";
            return DeliveryOutcome::Skipped(reason.to_owned());
        }
        let client = match self.client() {
            Ok(client) => client,
            Err(error) => return DeliveryOutcome::Failed(error.to_owned()),
        };
        match client.post(url).headers(headers).body(body).send().await {
            Ok(response) if response.status().is_success() => {
                DeliveryOutcome::Accepted(response.status())
            }
            Ok(response) => DeliveryOutcome::Rejected(response.status()),
            Err(error) if error.is_timeout() => {
                DeliveryOutcome::Failed("no response within the time limit".to_owned())
            }
            // The URL may contain a token.
            Err(error) => DeliveryOutcome::Failed(with_causes(&error.without_url())),
        }
    }

    fn jobs(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognized() {
        let cases = [
            ("http://127.0.0.1:80/x", true),
            ("http://127.9.9.9/", true),
            ("http://2130706433/", true),
            ("http://LOCALHOST/", true),
            ("http://[::1]:9/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://127.0.0.1@example.com/", false),
            ("http://localhost.example.com/", false),
            ("http://0.0.0.0/", false),
            ("http://10.0.0.1/", false),
            ("http://[2001:db8::1]/", false),
            ("mailto:localhost", false),
        ];
        for (url, expected) in cases {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
