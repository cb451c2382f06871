//! HTTP calls to the service: attempts, idempotency, retries, and what a response means.

pub(crate) mod attempt;
pub(crate) mod attempt_result;
pub(crate) mod backoff;
pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod content;
pub(crate) mod key;
pub(crate) mod plan_limit;
pub(crate) mod proxy;
pub(crate) mod request_counts;
pub(crate) mod retry_headers;
pub(crate) mod task_ids;
pub(crate) mod timeout;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::clock::Clock;
use crate::engine::http::key::ApiKey;
use crate::engine::http::request_counts::RequestCounts;
use crate::engine::limits::rate_limiter::RateLimiter;
use crate::engine::limits::retry_budget::RetryThrottle;

/// The state that all calls of a client share.
pub(crate) struct Http {
    pub(crate) server: Server,
    /// The server that has the upload operations.
    pub(crate) upload_server: Server,
    pub(crate) key: ApiKey,
    pub(crate) key_value: HeaderValue,
    pub(crate) client: reqwest::Client,
    /// Whether this crate built `client`. Such a client follows no redirects and retries nothing, so a connect error
    /// means that nothing was sent.
    pub(crate) is_own_client: bool,
    pub(crate) settings: HttpSettings,
    pub(crate) throttle: RetryThrottle,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) requests: RequestCounts,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Limits on calls.
#[derive(Clone, Debug)]
pub(crate) struct HttpSettings {
    pub(crate) max_retries: u32,
    pub(crate) attempt_timeout: Duration,
    /// Limits a call with all of its attempts and the waits between them.
    pub(crate) operation_timeout: Option<Duration>,
    pub(crate) read_timeout: Duration,
    pub(crate) max_retry_delay: Duration,
    pub(crate) max_response_size: usize,
}

/// A server, and the name of the header that carries the key to it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) base_url: String,
    pub(crate) key_header: HeaderName,
}
