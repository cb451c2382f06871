//! The one way out: every request to the service, whichever operation it belongs to, leaves through a [`Call`].

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::Instrument;

use crate::engine::http::attempt;
use crate::engine::http::attempt_result::{self, AttemptResult, Idempotency};
pub(crate) use crate::engine::http::backoff::Backoff;

use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::Http;
use crate::engine::http::Server;
use crate::engine::http::{retry_headers, task_ids};
use crate::engine::task_id::TaskId;
use crate::redact;

/// No call is taken to go on for longer, so that every clock can tell the time after it.
const LONGEST_CALL: Duration = Duration::from_secs(365 * 24 * 3600);

/// What is escaped in an id that is a part of a path: all but the characters that mean nothing in URLs.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How long a call can go on once its first attempt has its turn: all of its attempts, each as long as it may be, and the
/// waits between them.
pub(crate) fn longest_call(http: &Http) -> Duration {
    // On a machine that is always late, a limit is counted down at half the speed.
    let attempt = http.settings.attempt_timeout.saturating_mul(2);
    let wait = http
        .settings
        .max_retry_delay
        .saturating_add(Backoff::LONGEST);
    // Twice: what the service asks for, and then until the request has its turn.
    let again = wait
        .saturating_add(http.settings.max_retry_delay)
        .saturating_add(attempt);
    let all = again.saturating_mul(http.settings.max_retries);
    let whole = http
        .settings
        .operation_timeout
        .map(|whole| whole.saturating_mul(2));
    all.saturating_add(attempt)
        .min(whole.unwrap_or(LONGEST_CALL))
        .min(LONGEST_CALL)
}

/// One call of one operation: at most a few attempts, of which the last one counts.
pub(crate) struct Call {
    http: Arc<Http>,
    options: Options,
    /// What takes the place of the last segment of the path, escaped already.
    last_segment: OnceLock<String>,
    /// When it began, once its first attempt has its slot.
    started: OnceLock<Instant>,
    /// Set when it ends. The generated operation in between can return nothing but what it read of the answer.
    result: OnceLock<CallResult>,
}

/// What sets one call apart from others.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// Attempts after the first; the client's own setting if `None`.
    pub(crate) retries: Option<u32>,
    /// How long one attempt may take; the client's own setting if `None`.
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) hold: RateLimitWait,
    /// Whether it goes to the server that has uploads.
    pub(crate) is_upload: bool,
}

/// What to do when there is no slot for the request yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RateLimitWait {
    /// Waits, within the time for the call.
    #[default]
    Unbounded,
    /// Waits no longer than this, and is sent then, slot or not.
    AtMost(Duration),
    /// Is not sent.
    Never,
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug)]
enum StopReason {
    /// Another would not help, may not be made, or is one too many for this call.
    Settled,
    /// All calls together have tried again too often.
    BudgetSpent,
    /// It would begin after the time for the whole call.
    OutOfTime(Duration),
    /// The rate limit has no slot for it in time.
    RateLimited,
}

/// The last attempt of a call, and why there is no further one.
pub(crate) struct LastAttempt {
    effect: Idempotency,
    operation: &'static str,
    number: u32,
    stop: StopReason,
    pub(crate) result: AttemptResult,
}

/// How a call ended.
struct CallResult {
    effect: Idempotency,
    /// The answer to the last attempt, or what came of it.
    answer: Option<Answer>,
    /// Whether the answer is whole, JSON, and of the service itself.
    is_good: bool,
    /// Whether the answer says that the request was successful.
    is_accepted: bool,
    requested_pause: Option<Duration>,
    /// Why the call failed, until it is told to the caller.
    error: Mutex<Option<Error>>,
}

impl CallResult {
    /// Of a request that was not sent.
    fn unsent(error: Error) -> Self {
        Self {
            effect: Idempotency::Read,
            answer: None,
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
        retry_headers::request_id(&self.answer.as_ref()?.headers)
    }

    /// The tasks that the answer to a create names.
    fn named_tasks(&self) -> Vec<String> {
        match (&self.answer, self.effect) {
            (Some(answer), Idempotency::Create) => task_ids::named_tasks(&answer.body),
            _ => Vec::new(),
        }
    }

    /// Those that the answer to a create names, or else those that the head of a successful one may name: they are not
    /// enough to take one for the new task.
    fn candidates(&self) -> Vec<String> {
        let named = self.named_tasks();
        match (&self.answer, self.effect) {
            (Some(answer), Idempotency::Create) if named.is_empty() && self.is_accepted => {
                task_ids::hinted_tasks(&answer.headers)
            }
            _ => named,
        }
    }
}

/// An answer as it came, but for its body, which is the JSON in it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
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

    /// What the generated code takes for an id at the end of the path. It does not escape backslashes, which URLs take for
    /// slashes: of an id that has to be escaped, it gets a placeholder, whose place the id takes later.
    pub(crate) fn path_segment<'a>(&self, id: &'a str) -> &'a str {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if id.bytes().all(is_plain) {
            return id;
        }
        let escaped = utf8_percent_encode(id, RESERVED).to_string();
        let _ = self.last_segment.set(escaped);
        "-"
    }

    /// The service's id of the last attempt.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.result.get()?.request_id()
    }

    /// The answer as it came, if it was good.
    pub(crate) fn answer(&self) -> Option<&Answer> {
        let result = self.result.get()?;
        result.answer.as_ref().filter(|_| result.is_good)
    }

    /// How long the service asks not to be asked again, where it answered otherwise than with an error.
    pub(crate) fn requested_pause(&self) -> Option<Duration> {
        self.result.get()?.requested_pause
    }

    /// The answer that the caller read, or why there is none. `read` says why the answer could not be read, if it says
    /// anything.
    pub(crate) fn finish<T>(&self, read: std::result::Result<T, Option<String>>) -> Result<T> {
        let result = self.result.get();
        // Asked first: an answer that was refused, such as one from another host, may well be readable.
        let error = match (result.and_then(CallResult::take_error), read) {
            (Some(error), _) => error,
            (None, Ok(value)) => return Ok(value),
            (None, Err(reason)) => self.unread(result, reason),
        };
        let candidates = result.map(CallResult::candidates).unwrap_or_default();
        Err(error.with_candidates(candidates, self.http.key.expose()))
    }

    /// The one task that a successful answer to a create names, whatever else is in the answer or missing from it.
    pub(crate) fn created_task(&self) -> Option<TaskId> {
        let result = self.result.get().filter(|result| result.is_accepted)?;
        let [id] = <[String; 1]>::try_from(result.named_tasks()).ok()?;
        TaskId::parse(id).ok()
    }

    /// The error of an answer whose shape the caller does not know.
    fn unread(&self, result: Option<&CallResult>, reason: Option<String>) -> Error {
        let what = match reason {
            Some(reason) => {
                let reason = redact::sanitize(&reason, self.http.key.expose());
                format!("the service answered JSON of another shape than documented: {reason}")
            }
            None => "the service's answer could not be read".to_owned(),
        };
        let charged = match result.map(|result| result.effect) {
            Some(Idempotency::Create) => Charged::Unknown,
            Some(Idempotency::Read) | None => Charged::No,
        };
        let error = Error::new(ErrorKind::UnexpectedResponse, charged, what);
        let Some(result) = result else { return error };
        error
            .with_status(result.answer.as_ref().map(|answer| answer.status))
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

    /// Waits until the request may be sent, or says why it is not.
    pub(crate) async fn admit(&self) -> std::result::Result<(), String> {
        // Some have their slot ahead.
        if self.started.get().is_some() {
            return Ok(());
        }
        self.take_first_slot().await.map_err(|error| {
            let reason = error.to_string();
            let _ = self.result.set(CallResult::unsent(error));
            reason
        })
    }

    /// Sends the request, keeps how the call ended, and returns what can be read of the answer: its status and body.
    pub(crate) async fn send(
        &self,
        request: reqwest::Request,
        effect: Idempotency,
        operation: &'static str,
    ) -> reqwest::Result<reqwest::Response> {
        self.conclude(self.run(request, effect, operation).await)
    }

    /// Makes as many attempts as it takes. The first one has its slot already.
    pub(crate) async fn run(
        &self,
        mut request: reqwest::Request,
        effect: Idempotency,
        operation: &'static str,
    ) -> LastAttempt {
        let line = tracing::enabled!(tracing::Level::INFO)
            .then(|| format!("{} {}", request.method(), request.url().path()));
        self.prepare(&mut request);
        let http = &self.http;
        let started = *self.started.get_or_init(|| http.clock.now());
        let mut backoff = Backoff::default();
        let mut attempt = 1;
        loop {
            // A body in memory can always be copied; a request that cannot is sent just once.
            let spare = (attempt <= self.retries()).then(|| request.try_clone());
            let spare = spare.flatten();
            let span = tracing::debug_span!("attempt", operation, attempt);
            let spent = http.clock.now().duration_since(started);
            let sending = attempt::send(http, request, self.attempt_timeout(spent));
            let outcome = sending.instrument(span).await;
            self.note(&outcome);
            let spent = http.clock.now().duration_since(started);
            let next = self.next(effect, attempt, &outcome, &mut backoff, spent);
            let stop = match (next, spare) {
                (Ok(wait), Some(again)) => {
                    tracing::info!(operation, attempt, ?wait, %outcome, "trying again after a wait");
                    http.clock.sleep(wait).await;
                    attempt += 1;
                    if self.take_slot(started, attempt).await.is_ok() {
                        request = again;
                        continue;
                    }
                    attempt -= 1;
                    StopReason::RateLimited
                }
                (Ok(_), None) => StopReason::Settled,
                (Err(stop), _) => stop,
            };
            tracing::info!(
                attempts = attempt,
                %outcome,
                request_id = outcome.request_id().unwrap_or_default(),
                "{}",
                line.unwrap_or_default()
            );
            return LastAttempt {
                effect,
                operation,
                number: attempt,
                stop,
                result: outcome,
            };
        }
    }

    /// Takes the slot of the first attempt, so that it is sent as soon as it is asked for. The time of the call begins
    /// with the wait for it.
    pub(crate) async fn take_first_slot(&self) -> Result<()> {
        let started = self.http.clock.now();
        self.take_slot(started, 1).await.map_err(unsent)?;
        let _ = self.started.set(started);
        Ok(())
    }

    /// Waits until the request may be sent, or says how long it would have to.
    async fn take_slot(&self, started: Instant, attempt: u32) -> std::result::Result<(), Duration> {
        let http = &self.http;
        let now = match attempt {
            1 => started,
            _ => http.clock.now(),
        };
        let left = http
            .settings
            .operation_timeout
            .map_or(Duration::MAX, |whole| {
                whole.saturating_sub(now.duration_since(started))
            });
        let most = match self.options.hold {
            RateLimitWait::Unbounded if attempt == 1 => left,
            RateLimitWait::Unbounded => left.min(http.settings.max_retry_delay),
            RateLimitWait::AtMost(most) => most.min(left),
            RateLimitWait::Never => Duration::ZERO,
        };
        let wait = match (http.rate_limiter.acquire(now, most), self.options.hold) {
            (Ok(wait), _) => wait,
            (Err(_), RateLimitWait::AtMost(_)) => most,
            (Err(wait), _) => return Err(wait),
        };
        if !wait.is_zero() {
            tracing::debug!(?wait, "waiting for the request's slot");
            http.clock.sleep(wait).await;
        }
        Ok(())
    }

    /// How many attempts there may be after the first.
    fn retries(&self) -> u32 {
        self.options
            .retries
            .unwrap_or(self.http.settings.max_retries)
    }

    /// How long an attempt may take that begins after so much of the call's time.
    fn attempt_timeout(&self, spent: Duration) -> Duration {
        let http = &self.http;
        let one = self.options.attempt_timeout;
        let one = one.unwrap_or(http.settings.attempt_timeout);
        match http.settings.operation_timeout {
            Some(whole) => one.min(whole.saturating_sub(spent)),
            None => one,
        }
    }

    /// The wait before the next attempt, or why there is none.
    fn next(
        &self,
        effect: Idempotency,
        attempt: u32,
        outcome: &AttemptResult,
        backoff: &mut Backoff,
        spent: Duration,
    ) -> std::result::Result<Duration, StopReason> {
        let http = &self.http;
        if attempt > self.retries() {
            return Err(StopReason::Settled);
        }
        let wait = outcome.wait_before_retry(effect, backoff, http);
        let wait = wait.ok_or(StopReason::Settled)?;
        match http.settings.operation_timeout {
            Some(whole) if spent.saturating_add(wait) >= whole => Err(StopReason::OutOfTime(whole)),
            _ if !http.throttle.acquire() => Err(StopReason::BudgetSpent),
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

    /// Tells the limits of all calls what came of an attempt.
    fn note(&self, outcome: &AttemptResult) {
        let now = self.http.clock.system_time();
        self.http.throttle.record(!outcome.is_transient(), now);
        if let Some(hold) = outcome.hold(&self.http) {
            self.http.rate_limiter.pause(self.http.clock.now(), hold);
        }
    }

    /// Keeps how the call ended, and makes of it what the generated code can read: of an answer, only status and body.
    fn conclude(&self, last: LastAttempt) -> reqwest::Result<reqwest::Response> {
        let error = self.error_of(&last);
        let (effect, result) = (last.effect, last.result);
        let is_accepted = result.is_accepted();
        let requested_pause = result.requested_pause(&self.http);
        let (answer, response) = match result {
            AttemptResult::Reply(reply) => {
                let body = reply.body.clone();
                let response = attempt_result::response(reply.status, reply.url, body);
                let answer = Answer {
                    status: reply.status,
                    headers: reply.headers,
                    body: reply.body,
                };
                (Some(answer), Ok(response))
            }
            AttemptResult::BrokenReply {
                status,
                headers,
                body,
                error,
                ..
            } => {
                let answer = Answer {
                    status,
                    headers,
                    body,
                };
                (Some(answer), Err(error.without_url()))
            }
            AttemptResult::NoReply(error) => (None, Err(error.without_url())),
        };
        let _ = self.result.set(CallResult {
            effect,
            answer,
            is_good: error.is_none(),
            is_accepted,
            requested_pause,
            error: Mutex::new(error),
        });
        response
    }

    /// Why a call failed, if it did.
    fn error_of(&self, last: &LastAttempt) -> Option<Error> {
        let attempts = last.number;
        let error = last
            .result
            .to_error(last.effect, attempts, &self.http, self.server())?;
        let error =
            match last.stop {
                StopReason::Settled => error,
                StopReason::BudgetSpent => error
                    .with_note("not tried again, since too many calls of this client have failed"),
                StopReason::OutOfTime(whole) => error.with_note(&format!(
                    "not tried again, since the call may take no longer than {}",
                    humantime::format_duration(whole)
                )),
                StopReason::RateLimited => error
                    .with_note("not tried again, since the rate limit leaves no slot for it now"),
            };
        tracing::debug!(operation = last.operation, attempts, %error, "gave up");
        Some(error)
    }
}

/// The error of a request that had to wait so long for its slot that it was not sent.
fn unsent(wait: Duration) -> Error {
    Error::uncharged(
        ErrorKind::RateLimited,
        "not sent: the rate limit leaves no slot for it now",
    )
    .with_retry_after(Some(wait))
    .with_retryable(true)
    .with_help(format!("try again in {} s", wait.as_secs_f64().ceil()))
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("retries", &self.options.retries)
            .finish_non_exhaustive()
    }
}
