//! A call of an operation with its attempts. Every request to the service goes through a [`Call`].

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::Instrument;

use crate::engine::http::attempt;
use crate::engine::http::attempt_result::{self, AttemptResult, Idempotency};
pub(crate) use crate::engine::http::backoff::Backoff;

use crate::clock::BootTime;
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::Http;
use crate::engine::http::Server;
use crate::engine::http::{retry_headers, task_ids};
use crate::engine::task_id::TaskId;
use crate::redact;

/// An upper bound, so a deadline fits into every clock.
const MAX_CALL_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// The characters of an id that are escaped in a path: all but the unreserved ones.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One call of one operation. Makes one or more attempts, of which the last one counts.
pub(crate) struct Call {
    http: Arc<Http>,
    options: Options,
    /// The escaped id that replaces the last segment of the path.
    last_segment: OnceLock<String>,
    /// When the call began. Set once its first attempt has its slot.
    started: OnceLock<Instant>,
    /// Set when the call completes. The generated operation returns only what it reads of the response.
    result: OnceLock<CallResult>,
}

/// The options of one call.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// Attempts after the first. Default: the setting of the client.
    pub(crate) retries: Option<u32>,
    /// How long one attempt may take. Default: the setting of the client.
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) rate_limit_wait: RateLimitWait,
    /// No attempt begins after this time, and the call is not retried.
    pub(crate) not_after: Option<BootTime>,
    /// Whether the call goes to the server that has the upload operations.
    pub(crate) is_upload: bool,
}

/// How long a request may wait for its slot of the rate limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RateLimitWait {
    /// Waits, within the time limit of the call.
    #[default]
    Unbounded,
    /// Waits at most this long, and is then sent even without a slot.
    AtMost(Duration),
    /// Does not wait: without a free slot, the request is not sent.
    Never,
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug)]
enum StopReason {
    /// A retry would not help, is not allowed, or exceeds the maximum number of retries.
    Final,
    /// The retry budget of the client is exhausted.
    BudgetExhausted,
    /// The retry would begin after the time limit of the call.
    OutOfTime(Duration),
    /// The rate limit has no slot for it in time.
    RateLimited,
}

/// The last attempt of a call, and why there is no further one.
pub(crate) struct LastAttempt {
    idempotency: Idempotency,
    number: u32,
    stop: StopReason,
    pub(crate) result: AttemptResult,
}

/// The result of a call.
struct CallResult {
    idempotency: Idempotency,
    /// The response to the last attempt, which may be incomplete.
    response: Option<ResponseParts>,
    /// Whether the response is complete, JSON, and from the service itself.
    is_good: bool,
    /// Whether the service responded with success.
    is_accepted: bool,
    requested_pause: Option<Duration>,
    /// Why the call failed. Taken when it is returned to the caller.
    error: Mutex<Option<Error>>,
}

impl CallResult {
    /// The result of a request that was not sent.
    fn not_sent(error: Error) -> Self {
        Self {
            idempotency: Idempotency::Read,
            response: None,
            is_good: false,
            is_accepted: false,
            requested_pause: None,
            error: Mutex::new(Some(error)),
        }
    }

    fn take_error(&self) -> Option<Error> {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.take()
    }

    fn request_id(&self) -> Option<String> {
        retry_headers::request_id(&self.response.as_ref()?.headers)
    }

    /// The tasks that the response to a create names.
    fn named_tasks(&self) -> Vec<String> {
        match (&self.response, self.idempotency) {
            (Some(response), Idempotency::Create) => task_ids::named_tasks(&response.body),
            _ => Vec::new(),
        }
    }

    /// The tasks that the response to a create names, or else those that the headers of a successful one name. The latter are
    /// not enough to identify the new task.
    fn candidates(&self) -> Vec<String> {
        let named = self.named_tasks();
        match (&self.response, self.idempotency) {
            (Some(response), Idempotency::Create) if named.is_empty() && self.is_accepted => {
                task_ids::hinted_tasks(&response.headers)
            }
            _ => named,
        }
    }
}

/// The head of a response, and its body, reduced to the JSON in it.
#[derive(Clone, Debug)]
pub(crate) struct ResponseParts {
    pub(crate) status: http::StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn new(http: Arc<Http>, options: Options) -> Arc<Self> {
        Arc::new(Self {
            http,
            options,
            last_segment: OnceLock::new(),
            started: OnceLock::new(),
            result: OnceLock::new(),
        })
    }

    /// How long the call can take once its first attempt has its slot: all of its attempts, each of the maximum duration, and
    /// the waits between them.
    pub(crate) fn max_duration(&self) -> Duration {
        let settings = &self.http.settings;
        // On a machine whose timers are always late, a timeout counts down at half the speed.
        let attempt = settings.attempt_timeout.saturating_mul(2);
        let operation_timeout = settings
            .operation_timeout
            .map_or(MAX_CALL_DURATION, |timeout| timeout.saturating_mul(2));
        if let Some(limit) = &self.options.not_after {
            let wait = limit.since(&self.http.clock.boot_time());
            return wait
                .unwrap_or_default()
                .saturating_add(attempt.min(operation_timeout));
        }
        let wait = settings.max_retry_delay.saturating_add(Backoff::MAX_DELAY);
        // Twice: the delay that the service requests, and then the wait for the slot.
        let retry = wait
            .saturating_add(settings.max_retry_delay)
            .saturating_add(attempt);
        retry
            .saturating_mul(self.retries())
            .saturating_add(attempt)
            .min(operation_timeout)
            .min(MAX_CALL_DURATION)
    }

    /// Returns the id for the generated code to put at the end of the path. The generated code does not escape backslashes,
    /// which URLs treat as slashes, so it gets a placeholder for an id that needs escaping, and `prepare` puts the id there.
    pub(crate) fn path_segment<'a>(&self, id: &'a str) -> &'a str {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if id.bytes().all(is_plain) {
            return id;
        }
        let escaped = utf8_percent_encode(id, RESERVED).to_string();
        let _ = self.last_segment.set(escaped);
        "-"
    }

    /// The request id in the response to the last attempt.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.result.get()?.request_id()
    }

    /// The response, if it is good.
    pub(crate) fn response(&self) -> Option<&ResponseParts> {
        let result = self.result.get()?;
        result.response.as_ref().filter(|_| result.is_good)
    }

    /// The wait that the service requests in a response that is not an error.
    pub(crate) fn requested_pause(&self) -> Option<Duration> {
        self.result.get()?.requested_pause
    }

    /// Returns the value that the caller read, or the error of the call. `read` is why the response could not be read, if
    /// known.
    pub(crate) fn finish<T>(&self, read: std::result::Result<T, Option<String>>) -> Result<T> {
        let result = self.result.get();
        // The error of the call comes first: a rejected response, such as one from another host, may well be readable.
        let error = match (result.and_then(CallResult::take_error), read) {
            (Some(error), _) => error,
            (None, Ok(value)) => return Ok(value),
            (None, Err(reason)) => self.unreadable_response(result, reason),
        };
        let candidates = result.map(CallResult::candidates).unwrap_or_default();
        Err(error.with_candidates(candidates, self.http.key.expose()))
    }

    /// The one task that a successful response to a create names, whatever its shape.
    pub(crate) fn created_task(&self) -> Option<TaskId> {
        let result = self.result.get().filter(|result| result.is_accepted)?;
        let [id] = <[String; 1]>::try_from(result.named_tasks()).ok()?;
        TaskId::parse(id).ok()
    }

    /// The error of a response whose shape the caller does not know.
    fn unreadable_response(&self, result: Option<&CallResult>, reason: Option<String>) -> Error {
        let what = match reason {
            Some(reason) => {
                let reason = redact::sanitize(&reason, self.http.key.expose());
                format!("the response of the service does not have the documented shape: {reason}")
            }
            None => "the response of the service could not be read".to_owned(),
        };
        let charged = match result.map(|result| result.idempotency) {
            Some(Idempotency::Create) => Charged::Unknown,
            Some(Idempotency::Read) | None => Charged::No,
        };
        let error = Error::new(ErrorKind::UnexpectedResponse, charged, what);
        let Some(result) = result else { return error };
        error
            .with_status(result.response.as_ref().map(|response| response.status))
            .with_request_id(result.request_id())
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.http.client
    }

    pub(crate) fn server(&self) -> &Server {
        if self.options.is_upload {
            &self.http.upload_server
        } else {
            &self.http.server
        }
    }

    /// Waits until the request may be sent, or returns why it is not.
    pub(crate) async fn admit(&self) -> std::result::Result<(), String> {
        // The slot may have been acquired before.
        if self.started.get().is_some() {
            return Ok(());
        }
        self.acquire_first_slot().await.map_err(|error| {
            let reason = error.to_string();
            let _ = self.result.set(CallResult::not_sent(error));
            reason
        })
    }

    /// Sends the request, stores the result of the call, and returns what the generated code reads: the status and the body.
    pub(crate) async fn send(
        &self,
        request: reqwest::Request,
        idempotency: Idempotency,
        operation: &'static str,
    ) -> reqwest::Result<reqwest::Response> {
        // Nothing is awaited between this check and the HTTP client.
        if self.is_too_late() {
            let _ = self.result.set(CallResult::not_sent(too_late()));
            return Err(attempt::timed_out().await);
        }
        self.conclude(self.run(request, idempotency, operation).await)
    }

    /// Makes attempts until one is final. The first one has its slot already.
    pub(crate) async fn run(
        &self,
        mut request: reqwest::Request,
        idempotency: Idempotency,
        operation: &'static str,
    ) -> LastAttempt {
        let (method, url) = (request.method().clone(), request.url().clone());
        self.prepare(&mut request);
        let http = &self.http;
        let started = *self.started.get_or_init(|| http.clock.now());
        let mut backoff = Backoff::default();
        let mut attempt = 1;
        loop {
            // A body in memory can always be cloned. A request that cannot be cloned is sent once.
            let copy = (attempt <= self.retries()).then(|| request.try_clone());
            let copy = copy.flatten();
            let span = tracing::debug_span!("attempt", operation, attempt);
            let spent = http.clock.now().duration_since(started);
            let sending = attempt::send(http, request, self.attempt_timeout(spent));
            let result = sending.instrument(span).await;
            self.record(operation, &result);
            let spent = http.clock.now().duration_since(started);
            let next = self.retry_delay(idempotency, attempt, &result, &mut backoff, spent);
            let stop = match (next, copy) {
                (Ok(wait), Some(copy)) => {
                    tracing::info!(
                        operation,
                        attempt,
                        delay = ?wait,
                        http.response.status_code = status_code(&result),
                        error.type = result.error_type().as_deref(),
                        "retrying request"
                    );
                    http.clock.sleep(wait).await;
                    attempt += 1;
                    if self.acquire_slot(started, attempt).await.is_ok() {
                        request = copy;
                        continue;
                    }
                    attempt -= 1;
                    StopReason::RateLimited
                }
                (Ok(_), None) => StopReason::Final,
                (Err(stop), _) => stop,
            };
            tracing::info!(
                operation,
                http.request.method = %method,
                url.path = url.path(),
                http.response.status_code = status_code(&result),
                error.type = result.error_type().as_deref(),
                attempt,
                request_id = result.request_id(),
                "request completed"
            );
            return LastAttempt {
                idempotency,
                number: attempt,
                stop,
                result,
            };
        }
    }

    /// Acquires the slot of the first attempt. The time of the call begins with this wait.
    pub(crate) async fn acquire_first_slot(&self) -> Result<()> {
        let started = self.http.clock.now();
        self.acquire_slot(started, 1).await.map_err(not_sent)?;
        let _ = self.started.set(started);
        Ok(())
    }

    /// Waits until the request may be sent, or returns how long the wait would be.
    async fn acquire_slot(
        &self,
        started: Instant,
        attempt: u32,
    ) -> std::result::Result<(), Duration> {
        let http = &self.http;
        let now = match attempt {
            1 => started,
            _ => http.clock.now(),
        };
        let left = http
            .settings
            .operation_timeout
            .map_or(Duration::MAX, |timeout| {
                timeout.saturating_sub(now.duration_since(started))
            });
        let most = match self.options.rate_limit_wait {
            RateLimitWait::Unbounded if attempt == 1 => left,
            RateLimitWait::Unbounded => left.min(http.settings.max_retry_delay),
            RateLimitWait::AtMost(most) => most.min(left),
            RateLimitWait::Never => Duration::ZERO,
        };
        let wait = match (
            http.rate_limiter.acquire(now, most),
            self.options.rate_limit_wait,
        ) {
            (Ok(wait), _) => wait,
            (Err(_), RateLimitWait::AtMost(_)) => most,
            (Err(wait), _) => return Err(wait),
        };
        if !wait.is_zero() {
            tracing::debug!(delay = ?wait, "request delayed by the rate limiter");
            http.clock.sleep(wait).await;
        }
        Ok(())
    }

    /// The maximum number of attempts after the first.
    fn retries(&self) -> u32 {
        match self.options.not_after {
            Some(_) => 0,
            None => self
                .options
                .retries
                .unwrap_or(self.http.settings.max_retries),
        }
    }

    /// Whether no attempt may begin any more. A time of another boot has passed.
    fn is_too_late(&self) -> bool {
        let Some(limit) = &self.options.not_after else {
            return false;
        };
        let passed = self.http.clock.boot_time().since(limit);
        passed.is_none_or(|passed| !passed.is_zero())
    }

    /// How long an attempt may take that begins after this much of the time of the call.
    fn attempt_timeout(&self, spent: Duration) -> Duration {
        let http = &self.http;
        let one = self.options.attempt_timeout;
        let one = one.unwrap_or(http.settings.attempt_timeout);
        match http.settings.operation_timeout {
            Some(timeout) => one.min(timeout.saturating_sub(spent)),
            None => one,
        }
    }

    /// Returns the delay before the next attempt, or why the call stops.
    fn retry_delay(
        &self,
        idempotency: Idempotency,
        attempt: u32,
        result: &AttemptResult,
        backoff: &mut Backoff,
        spent: Duration,
    ) -> std::result::Result<Duration, StopReason> {
        let http = &self.http;
        if attempt > self.retries() {
            return Err(StopReason::Final);
        }
        let wait = result.retry_delay(idempotency, backoff, http);
        let wait = wait.ok_or(StopReason::Final)?;
        match http.settings.operation_timeout {
            Some(timeout) if spent.saturating_add(wait) >= timeout => {
                Err(StopReason::OutOfTime(timeout))
            }
            _ if !http.throttle.acquire() => Err(StopReason::BudgetExhausted),
            _ => Ok(wait),
        }
    }

    fn prepare(&self, request: &mut reqwest::Request) {
        if let Some(segment) = self.last_segment.get()
            && let Some((parents, _)) = request.url().path().rsplit_once('/')
        {
            let path = format!("{parents}/{segment}");
            request.url_mut().set_path(&path);
        }
        request.headers_mut().insert(
            self.server().key_header.clone(),
            self.http.key_value.clone(),
        );
    }

    /// Reports the result of an attempt to the counts, the retry budget and the rate limiter, which all calls share.
    fn record(&self, operation: &'static str, result: &AttemptResult) {
        let failed = result.error_type().is_some();
        self.http.requests.record(operation, failed);
        let now = self.http.clock.system_time();
        self.http.throttle.record(!result.is_transient(), now);
        if let Some(pause) = result.throttled_for(&self.http) {
            self.http.rate_limiter.pause(self.http.clock.now(), pause);
        }
    }

    /// Stores the result of the call, and converts it to what the generated code reads: the status and the body.
    fn conclude(&self, last: LastAttempt) -> reqwest::Result<reqwest::Response> {
        let error = self.to_error(&last);
        let (idempotency, result) = (last.idempotency, last.result);
        let is_accepted = result.is_accepted();
        let requested_pause = result.requested_pause(&self.http);
        let (parts, response) = match result {
            AttemptResult::Response(full) => {
                let body = full.body.clone();
                let response = attempt_result::build_response(full.status, full.url, body);
                let parts = ResponseParts {
                    status: full.status,
                    headers: full.headers,
                    body: full.body,
                };
                (Some(parts), Ok(response))
            }
            AttemptResult::IncompleteResponse {
                status,
                headers,
                body,
                error,
                ..
            } => {
                let parts = ResponseParts {
                    status,
                    headers,
                    body,
                };
                (Some(parts), Err(error.without_url()))
            }
            AttemptResult::NoResponse(error) => (None, Err(error.without_url())),
        };
        let _ = self.result.set(CallResult {
            idempotency,
            response: parts,
            is_good: error.is_none(),
            is_accepted,
            requested_pause,
            error: Mutex::new(error),
        });
        response
    }

    /// Returns the error of a failed call.
    fn to_error(&self, last: &LastAttempt) -> Option<Error> {
        let attempts = last.number;
        let error = last
            .result
            .to_error(last.idempotency, attempts, &self.http, self.server())?;
        let error = match last.stop {
            StopReason::Final => error,
            StopReason::BudgetExhausted => {
                error.with_note("not retried because the retry budget of the client is exhausted")
            }
            StopReason::OutOfTime(timeout) => error.with_note(&format!(
                "not retried because the time limit of the call is {}",
                humantime::format_duration(timeout)
            )),
            StopReason::RateLimited => {
                error.with_note("not retried because the rate limit has no free slot")
            }
        };
        Some(error)
    }
}

/// The status of a response, as it is logged.
fn status_code(result: &AttemptResult) -> Option<u16> {
    result.status().map(|status| status.as_u16())
}

/// The error of a request that was not sent because its time has passed.
fn too_late() -> Error {
    Error::uncharged(
        ErrorKind::Timeout,
        "not sent: the time after which the create must not begin has passed",
    )
    .with_retryable(true)
    .with_help("create again with a later `not_after`")
}

/// The error of a request that was not sent because its slot is too late.
fn not_sent(wait: Duration) -> Error {
    Error::uncharged(
        ErrorKind::RateLimited,
        "not sent: rate limited by this client",
    )
    .with_retry_after(Some(wait))
    .with_retryable(true)
    .with_help(format!("retry in {} s", wait.as_secs_f64().ceil()))
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("retries", &self.options.retries)
            .finish_non_exhaustive()
    }
}
