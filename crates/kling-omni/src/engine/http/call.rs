//! The one way out: every request to the service, whichever operation it belongs to, leaves through an [`Call`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http::header::CONTENT_TYPE;
use kling_omni_api::{Client as Api, Exchange as ApiExchange, Inner, Transport, service};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::Instrument;

use crate::engine::http::attempt;
use crate::engine::http::attempt_result::AttemptResult;
pub(crate) use crate::engine::http::backoff::Backoff;

use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::Http;
use crate::engine::http::Server;
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

/// What a repetition of a request would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// Nothing that lasts or costs: it may be repeated at will.
    Read,
    /// Pay for a second task, unless the first attempt certainly made none.
    Create,
}

impl Idempotency {
    fn of(method: &Method, operation: &str) -> Self {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => Self::Read,
            // A place that nobody uses costs nothing and lapses by itself.
            _ if operation == service::REQUEST_UPLOADS.name => Self::Read,
            _ => Self::Create,
        }
    }
}

/// One call of one operation: at most a few attempts, of which the last one counts.
pub(crate) struct Call {
    http: Arc<Http>,
    options: Options,
    trace: Mutex<CallState>,
}

/// What sets one exchange apart from others.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// Attempts after the first; the client's own setting if `None`.
    pub(crate) retries: Option<u32>,
    /// How long one attempt may take; the client's own setting if `None`.
    pub(crate) attempt_timeout: Option<Duration>,
    /// A body that takes the place of the typed one.
    pub(crate) body: Option<Bytes>,
    /// What takes the place of the last segment of the path. The generated code does not escape backslashes, which URLs
    /// take for slashes.
    pub(crate) last_segment: Option<Arc<str>>,
    /// Whether the caller looks at the answer as it came.
    pub(crate) keeps_answer: bool,
    pub(crate) hold: RateLimitWait,
    /// Whether it goes to the server that has uploads.
    pub(crate) is_upload: bool,
}

/// What to do when it is not the request's turn yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RateLimitWait {
    /// Waits, within the time for the call.
    #[default]
    Unbounded,
    /// Waits no longer than this, and is sent then, turn or not.
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
}

/// What the last attempt left behind, for the caller of the generated operation.
#[derive(Debug, Default)]
struct CallState {
    effect: Option<Idempotency>,
    status: Option<http::StatusCode>,
    request_id: Option<String>,
    asked_pause: Option<Duration>,
    /// The tasks that the answer to a create names.
    named: Vec<String>,
    /// Those that its head may name.
    hinted: Vec<String>,
    /// Whether the answer says that the request was successful.
    is_accepted: bool,
    failure: Option<Error>,
    /// The last good answer, where that is asked for.
    answer: Option<Answer>,
    /// When the call began whose first attempt has its turn already.
    turn: Option<Instant>,
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
            trace: Mutex::default(),
        })
    }

    /// The generated client with this exchange as its way out.
    pub(crate) fn api(self: &Arc<Self>) -> Api {
        Api::new_with_client(
            &self.server().base_url,
            self.http.client.clone(),
            Inner::new(Arc::clone(self) as Arc<dyn Transport>),
        )
    }

    /// The service's id of the last attempt.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.trace().request_id.clone()
    }

    /// The answer as it came, if it was good and is [kept](Options::keeps_answer).
    pub(crate) fn answer(&self) -> Option<Answer> {
        self.trace().answer.clone()
    }

    /// How long the service asks not to be asked again, where it answered otherwise than with an error.
    pub(crate) fn asked_pause(&self) -> Option<Duration> {
        self.trace().asked_pause
    }

    /// Turns the answer of a generated operation into ours. The generated error is used for what only it can know,
    /// the reading of the body, and never shown: it prints whole bodies and headers.
    pub(crate) fn finish<T, E>(
        &self,
        answer: std::result::Result<kling_omni_api::ResponseValue<T>, kling_omni_api::Error<E>>,
    ) -> Result<T> {
        let mut trace = self.trace();
        // Asked first: an answer that was refused, such as one from another host, may well be readable.
        let error = match (trace.failure.take(), answer) {
            (Some(failure), _) => failure,
            (None, Ok(value)) => return Ok(value.into_inner()),
            (None, Err(problem)) => self.unread(&trace, problem),
        };
        let candidates = match trace.named.is_empty() {
            true => &trace.hinted,
            false => &trace.named,
        };
        Err(error.with_candidates(candidates.clone(), self.http.key.expose()))
    }

    /// The one task that a successful answer to a create names, whatever else is in the answer or missing from it.
    pub(crate) fn created_task(&self) -> Option<String> {
        let trace = self.trace();
        match &trace.named[..] {
            [id] if trace.is_accepted => Some(id.clone()),
            _ => None,
        }
    }

    /// The error of an answer whose shape the generated code does not know.
    fn unread<E>(&self, trace: &CallState, problem: kling_omni_api::Error<E>) -> Error {
        let what = match problem {
            kling_omni_api::Error::InvalidResponsePayload(_, why) => {
                let why = redact::quote(&why.to_string(), self.http.key.expose());
                format!("the service answered JSON of another shape than documented: {why}")
            }
            _ => "the service's answer could not be read".to_owned(),
        };
        let error = Error::new(ErrorKind::UnexpectedResponse, what)
            .with_status(trace.status)
            .with_request_id(trace.request_id.clone());
        match trace.effect {
            Some(Idempotency::Create) => error.with_charged(Charged::Unknown),
            _ => error,
        }
    }

    fn server(&self) -> &Server {
        if self.options.is_upload {
            &self.http.upload_server
        } else {
            &self.http.server
        }
    }

    fn trace(&self) -> std::sync::MutexGuard<'_, CallState> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(
        &self,
        mut request: reqwest::Request,
        operation: &'static str,
    ) -> reqwest::Result<reqwest::Response> {
        let effect = Idempotency::of(request.method(), operation);
        let line = tracing::enabled!(tracing::Level::INFO)
            .then(|| format!("{} {}", request.method(), request.url().path()));
        self.prepare(&mut request);
        let http = &self.http;
        let turn = self.trace().turn.take();
        let mut has_turn = turn.is_some();
        let started = turn.unwrap_or_else(|| http.clock.now());
        let mut backoff = Backoff::default();
        let mut attempt = 1;
        loop {
            // A body in memory can always be copied; a request that cannot is sent just once.
            let spare = (attempt <= self.retries()).then(|| request.try_clone());
            let spare = spare.flatten();
            if !std::mem::take(&mut has_turn)
                && let Err(wait) = self.take_turn(started, attempt).await
            {
                return Ok(self.refuse(effect, wait));
            }
            let span = tracing::debug_span!("attempt", operation, attempt);
            let spent = http.clock.now().duration_since(started);
            let sending = attempt::send(http, request, self.attempt_timeout(spent));
            let outcome = sending.instrument(span).await;
            self.note(effect, &outcome);
            let spent = http.clock.now().duration_since(started);
            let (wait, again) = match (
                self.next(effect, attempt, &outcome, &mut backoff, spent),
                spare,
            ) {
                (Ok(wait), Some(again)) => (wait, again),
                (next, _) => {
                    tracing::info!(
                        attempts = attempt,
                        %outcome,
                        request_id = outcome.request_id().unwrap_or_default(),
                        "{}",
                        line.unwrap_or_default()
                    );
                    let end = next.err().unwrap_or(StopReason::Settled);
                    self.conclude(effect, operation, attempt, &outcome, end);
                    return outcome.into_response();
                }
            };
            tracing::info!(operation, attempt, ?wait, %outcome, "trying again after a wait");
            http.clock.sleep(wait).await;
            request = again;
            attempt += 1;
        }
    }

    /// Takes the turn of the first attempt ahead, so that it is sent as soon as it is asked for.
    pub(crate) async fn take_first_turn(&self) -> Result<()> {
        let started = self.http.clock.now();
        self.take_turn(started, 1).await.map_err(unsent)?;
        self.trace().turn = Some(started);
        Ok(())
    }

    /// Waits until the request may be sent, or says how long it would have to.
    async fn take_turn(&self, started: Instant, attempt: u32) -> std::result::Result<(), Duration> {
        let http = &self.http;
        let now = http.clock.now();
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
        let wait = match (http.rate_limiter.take(now, most), self.options.hold) {
            (Ok(wait), _) => wait,
            (Err(_), RateLimitWait::AtMost(_)) => most,
            (Err(wait), _) => return Err(wait),
        };
        if !wait.is_zero() {
            tracing::debug!(?wait, "waiting for the request's turn");
            http.clock.sleep(wait).await;
        }
        Ok(())
    }

    /// Ends the call with the request unsent. The generated code gets a refusal to read, which nobody sees.
    fn refuse(&self, effect: Idempotency, wait: Duration) -> reqwest::Response {
        let mut trace = self.trace();
        trace.effect = Some(effect);
        trace.failure = Some(unsent(wait));
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
        response.into()
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
            _ if !http.throttle.take() => Err(StopReason::BudgetSpent),
            _ => Ok(wait),
        }
    }

    fn prepare(&self, request: &mut reqwest::Request) {
        if let Some(segment) = &self.options.last_segment
            && let Some((parents, _)) = request.url().path().rsplit_once('/')
        {
            let path = format!("{parents}/{}", utf8_percent_encode(segment, RESERVED));
            request.url_mut().set_path(&path);
        }
        let headers = request.headers_mut();
        headers.insert(
            self.server().key_header.clone(),
            self.http.key_value.clone(),
        );
        if let Some(body) = &self.options.body {
            headers.insert(
                CONTENT_TYPE,
                http::HeaderValue::from_static("application/json"),
            );
            *request.body_mut() = Some(body.clone().into());
        }
    }

    fn note(&self, effect: Idempotency, outcome: &AttemptResult) {
        let now = self.http.clock.system_time();
        self.http.throttle.note(!outcome.is_transient(), now);
        if let Some(hold) = outcome.hold(&self.http) {
            self.http.rate_limiter.hold(self.http.clock.now(), hold);
        }
        let mut trace = self.trace();
        trace.effect = Some(effect);
        trace.status = outcome.status();
        trace.request_id = outcome.request_id();
        trace.asked_pause = outcome.asked_pause(&self.http);
        trace.is_accepted = outcome.is_accepted();
        trace.answer = self
            .options
            .keeps_answer
            .then(|| outcome.answer())
            .flatten();
        (trace.named, trace.hinted) = match effect {
            Idempotency::Create => (outcome.named_tasks(), outcome.hinted_tasks()),
            Idempotency::Read => (Vec::new(), Vec::new()),
        };
        trace.failure = None;
    }

    fn conclude(
        &self,
        effect: Idempotency,
        operation: &'static str,
        attempts: u32,
        outcome: &AttemptResult,
        end: StopReason,
    ) {
        let failure = outcome.to_error(effect, attempts, &self.http, self.server());
        let failure = failure.map(|failure| match end {
            StopReason::Settled => failure,
            StopReason::BudgetSpent => failure
                .with_note("not tried again, since too many calls of this client have failed"),
            StopReason::OutOfTime(whole) => failure.with_note(&format!(
                "not tried again, since the call may take no longer than {}",
                humantime::format_duration(whole)
            )),
        });
        if let Some(failure) = &failure {
            tracing::debug!(operation, attempts, error = %failure, "gave up");
        }
        self.trace().failure = failure;
    }
}

/// The error of a request that had to wait so long for its turn that it was not sent.
fn unsent(wait: Duration) -> Error {
    Error::new(
        ErrorKind::RateLimited,
        "not sent: the rate limit leaves no turn for it now",
    )
    .with_retry_after(Some(wait))
    .with_retryable(true)
    .with_help(format!("try again in {} s", wait.as_secs_f64().ceil()))
}

impl Transport for Call {
    fn exchange<'a>(
        &'a self,
        request: reqwest::Request,
        operation: &'static str,
    ) -> ApiExchange<'a> {
        let span = tracing::info_span!("call", operation);
        Box::pin(self.run(request, operation).instrument(span))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("retries", &self.options.retries)
            .finish_non_exhaustive()
    }
}
