use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header};
use sha2::Sha256;
use tokio::task::JoinSet;
use url::{Host, Url};

use crate::record::{Delivery, DeliveryOutcome, Log};
use crate::service::{Service, unix_seconds};
use crate::task::{Stage, Task};

const BASE64_PREFIX: &str = "whsec_";

/// Delivers the changes of tasks to those who asked for them.
pub(crate) struct Webhooks {
    secret: Secret,
    timeout: Duration,
    remote: bool,
    client: OnceLock<Result<reqwest::Client, String>>,
    jobs: Mutex<JoinSet<()>>,
    pub(crate) deliveries: Log<Delivery>,
}

impl Webhooks {
    pub(crate) fn new(
        secret: Secret,
        timeout: Duration,
        remote: bool,
        record_limit: usize,
    ) -> Self {
        Self {
            secret,
            timeout,
            remote,
            client: OnceLock::new(),
            jobs: Mutex::default(),
            deliveries: Log::new(record_limit),
        }
    }

    /// Drops everything that is still to be delivered.
    pub(crate) fn stop(&self) {
        self.jobs().abort_all();
    }

    /// Made at the first delivery, since it may load certificates where another crate turns TLS on.
    fn client(&self) -> Result<&reqwest::Client, &str> {
        let made = self.client.get_or_init(|| {
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
        made.as_ref().map_err(String::as_str)
    }

    async fn send(&self, url: &str, headers: HeaderMap, body: Bytes) -> DeliveryOutcome {
        let url = match Url::parse(url) {
            Ok(url) => url,
            Err(error) => return DeliveryOutcome::Failed(format!("the URL is not valid: {error}")),
        };
        if !self.remote && !is_loopback(&url) {
            let reason = "the host is not this machine, and `remote_webhooks` is off";
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
            Ok(response) => DeliveryOutcome::Refused(response.status()),
            Err(error) if error.is_timeout() => {
                DeliveryOutcome::Failed("the receiver did not answer in time".to_owned())
            }
            // The URL may hold a token of the receiver.
            Err(error) => DeliveryOutcome::Failed(with_causes(&error.without_url())),
        }
    }

    fn jobs(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Delivers every change of `task` from now on, one after the other, if its request named a receiver.
pub(crate) fn follow(service: &Arc<Service>, task: &Arc<Task>) {
    let Some(url) = task.request["webhook_url"].as_str().map(str::to_owned) else {
        return;
    };
    let (job_service, task) = (Arc::clone(service), Arc::clone(task));
    let mut jobs = service.webhooks.jobs();
    while jobs.try_join_next().is_some() {}
    jobs.spawn(async move {
        for (at, stage) in task.changes() {
            job_service.clock.sleep_until(at).await;
            deliver(&job_service, &task, stage, &url).await;
        }
    });
}

async fn deliver(service: &Service, task: &Task, stage: &Stage, url: &str) {
    let webhooks = &service.webhooks;
    let view = service.view(task, stage);
    let body = serde_json::to_vec(&view).expect("texts and lists can always be written as JSON");
    let body = Bytes::from(body);
    let id = format!("msg_{}", service.random.exchange_id());
    let headers = webhooks.secret.headers(&id, service.clock.now(), &body);
    let outcome = webhooks.send(url, headers.clone(), body.clone()).await;
    let delivery = Delivery {
        id,
        task_id: task.id.clone(),
        status: stage.status.clone(),
        url: url.to_owned(),
        headers,
        body,
        outcome,
    };
    tracing::debug!(?delivery, "delivered");
    webhooks.deliveries.push(delivery);
}

/// The secret that deliveries are signed with.
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// `None` when what follows `whsec_` is not base64.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(BASE64_PREFIX) {
            Some(encoded) => BASE64.decode(encoded).ok().map(Self),
            None => Some(Self(text.as_bytes().to_vec())),
        }
    }

    fn headers(&self, id: &str, now: SystemTime, body: &[u8]) -> HeaderMap {
        let timestamp = unix_seconds(now).to_string();
        let signature = format!("v1,{}", self.sign(id, &timestamp, body));
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", &timestamp),
            ("webhook-signature", &signature),
        ] {
            let value = HeaderValue::from_str(value).expect("ids, numbers and base64 make headers");
            headers.insert(name, value);
        }
        headers
    }

    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length will do");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        BASE64.encode(mac.finalize().into_bytes())
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
    fn only_this_machine_is_loopback() {
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

    #[test]
    fn secrets() {
        let key = |text: &str| Secret::parse(text).map(|secret| secret.0);
        assert_eq!(key("plain"), Some(b"plain".to_vec()));
        assert_eq!(key("whsec_cGxhaW4="), Some(b"plain".to_vec()));
        assert_eq!(key("whsec_*"), None);
    }
}
