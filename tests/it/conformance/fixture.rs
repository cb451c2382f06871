//! The fixture of a row: a sandbox that counts charges, a TCP proxy before it, a client, and a watch on all output.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use kling_omni::client::RetryBudget;
use kling_omni::request::{FieldValue, Request, RequestType, Route};
use kling_omni::reqwest::header::HeaderValue;
use kling_omni::webhook::correlation::{self, Token};
use kling_omni::webhook::{Secret, Verifier, WebhookReceiver};
use kling_omni::{Client, ClientBuilder, Create, Mode};
use kling_omni_sandbox::{Host, ReceivedRequest, Sandbox, StatusRoute};
use kling_omni_test_support::setup;
use kling_omni_test_support::spec::example;
use kling_omni_test_support::tcp_proxy::TcpProxy;
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::time::timeout;
use tracing::subscriber::set_default;

use super::resume::{self, Leftover};
use super::row::{CreateRoute, Given, Observed, Operation, Row};
use super::scenarios;
use super::watch::{CANARY, Watch};

/// Duration of the tasks.
pub const TASK: Duration = Duration::from_secs(60);
/// Timeouts of an impatient client, in real time: long enough for a busy sandbox.
const HASTE: Duration = Duration::from_secs(1);
/// A row that takes longer than this, in real time, hangs.
const LONGEST: Duration = Duration::from_secs(60);
const SECRET: &str = "canary-of-a-secret";
/// The second secret of the rows about rotation.
const NEXT_SECRET: &str = "canary-of-the-next-secret";

pub struct Fixture<'a> {
    pub row: &'a Row,
    pub given: &'a Given,
    pub clock: VirtualClock,
    pub sandbox: Sandbox,
    pub proxy: Option<TcpProxy>,
    /// The client that experiences the fault.
    pub client: Client,
    pub watch: Watch,
    pub receiver: Option<WebhookReceiver>,
    pub folder: tempfile::TempDir,
    webhook_url: Option<String>,
    /// Charges and requests from before the row.
    before: (usize, usize),
}

/// Runs a row, and returns the differences from the table.
pub fn run(operation: Operation, row: &Row) -> Vec<String> {
    let played = catch_unwind(AssertUnwindSafe(|| findings(operation, row)));
    let findings = played.unwrap_or_else(|_| vec!["panicked; see above".to_owned()]);
    let named = findings.into_iter();
    named
        .map(|finding| format!("{}: {finding}", row.id))
        .collect()
}

fn findings(operation: Operation, row: &Row) -> Vec<String> {
    let watch = Watch::default();
    let _log = set_default(watch.log.subscriber());
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut fixture = Fixture::set(row, watch).await;
        let acting = timeout(LONGEST, fixture.act(operation)).await;
        let Ok((observed, loose)) = acting else {
            return vec![format!("does not end within {LONGEST:?}")];
        };
        let leaks = fixture
            .watch
            .leaks()
            .into_iter()
            .chain(fixture.given_away());
        let missing = row.says.as_ref().filter(|says| !loose.says.contains(*says));
        let missing = missing.map(|says| format!("`{says}` is not said in: {}", loose.says));
        let expected = row.expected();
        let is_other = observed != expected;
        let other = is_other.then(|| {
            format!(
                "expected {expected}\n     observed     {observed}\n     saying   {}",
                loose.says
            )
        });
        leaks.chain(missing).chain(other).collect()
    })
}

impl<'a> Fixture<'a> {
    async fn set(row: &'a Row, watch: Watch) -> Self {
        let given = &row.given;
        let clock = VirtualClock::new();
        let sandbox = setup::sandbox(&clock)
            .webhook_secret(SECRET)
            .jitter(0.0)
            .task_time(TASK)
            .seed(7);
        let sandbox = match given.elsewhere {
            true => sandbox.video_reference_status(StatusRoute::Video),
            false => sandbox,
        };
        let sandbox = sandbox.start().await.unwrap();
        let proxy = match row.proxy() {
            Some(text) => Some(TcpProxy::start(sandbox.base_url(), text.parse().unwrap()).await),
            None => None,
        };
        let receiver = given.needs_inbox().then(|| receiver(given, &clock));
        let webhook_url = match &receiver {
            Some(receiver) => Some(serve(receiver, given.token).await),
            None => None,
        };
        let base_url = proxy.as_ref().map(TcpProxy::base_url);
        let base_url = base_url.unwrap_or_else(|| sandbox.base_url().to_owned());
        let client = client(base_url, given, &clock).build().unwrap();
        let mut fixture = Self {
            row,
            given,
            clock,
            sandbox,
            proxy,
            client,
            watch,
            receiver,
            folder: tempfile::tempdir().unwrap(),
            webhook_url,
            before: (0, 0),
        };
        if given.older {
            let client = match &fixture.proxy {
                Some(_) => fixture.other_client(),
                None => fixture.client.clone(),
            };
            // A separate create: deliveries about it do not carry our token.
            client.create(fixture.request(None)).await.unwrap();
            fixture.clock.advance(2 * TASK);
            fixture.before = (fixture.charges(), fixture.creates());
        }
        fixture
    }

    async fn act(&mut self, operation: Operation) -> (Observed, Leftover) {
        let (loose, sent) = match operation {
            Operation::Create => scenarios::create(self).await,
            Operation::Reconcile => scenarios::reconcile(self).await,
            Operation::Status => scenarios::status(self).await,
            Operation::List => scenarios::list(self).await,
            Operation::Wait => scenarios::wait(self).await,
            Operation::Save => scenarios::save(self).await,
            Operation::Webhook => scenarios::webhook(self).await,
        };
        let charges = self.charges();
        self.sandbox.clear_faults();
        let resume = resume::to_the_video(self, &loose).await;
        self.show();
        let observed = Observed {
            end: loose.end.clone(),
            charged: loose.charged.map(|charged| charged.to_string()),
            charges,
            sent: self.row.sent.map(|_| sent),
            resume,
            paid: self.charges(),
        };
        (observed, loose)
    }

    /// Applies the faults from now on.
    pub fn inject(&self) {
        for rule in self.row.rules() {
            self.sandbox.inject(rule.parse().unwrap());
        }
    }

    /// Number of tasks that this row has paid for.
    pub fn charges(&self) -> usize {
        let by_route: usize = self.sandbox.charges_by_route().values().sum();
        by_route - self.before.0
    }

    /// Number of creates that a server received in this row.
    pub fn creates(&self) -> usize {
        match &self.proxy {
            Some(proxy) => proxy.posts(),
            None => self.sent(is_create) - self.before.1,
        }
    }

    /// Number of requests of a kind so far.
    pub fn sent(&self, kind: fn(&ReceivedRequest) -> bool) -> usize {
        let requests = self.sandbox.requests();
        requests.iter().filter(|request| kind(request)).count()
    }

    /// A fresh client, without any state.
    pub fn other_client(&self) -> Client {
        let given = Given {
            route: self.given.route,
            ..Given::default()
        };
        client(self.sandbox.base_url(), &given, &self.clock)
            .build()
            .unwrap()
    }

    /// The client that continues after the fault.
    pub fn fresh_process(&self) -> Client {
        match self.given.same {
            true => self.client.clone(),
            false => self.other_client(),
        }
    }

    pub fn create(&self, client: &Client) -> Create {
        client.create(self.request(self.webhook_url.as_deref()))
    }

    /// Creates a task of another program on the same account.
    pub async fn create_as_another(&self) {
        let create = self.other_client().create(self.request(None));
        create.await.unwrap();
    }

    /// The example of the route's body, with a signed URL and a short video.
    fn request(&self, webhook_url: Option<&str>) -> Request {
        let builder = example(self.given.route.operation()).expect("every route is offered");
        let video = "https://example.com/dance.mp4?sig=canary-of-a-signed-url";
        let table = RequestType::for_mode(self.mode()).table;
        let has = |name: &str| table.iter().any(|row| row.name == name);
        let mut values = vec![("webhook_url", webhook_url.into())];
        values.extend([("duration", "3".into()), ("aspect_ratio", "1:1".into())]);
        let values = values.into_iter().filter(|(name, _)| has(name));
        let values = values.map(|(name, value): (_, Value)| (name, FieldValue::Json(value)));
        let media = has("video_url").then(|| ("video_url", FieldValue::Media(vec![video.into()])));
        let builder = values.chain(media).fold(builder, |builder, (name, value)| {
            builder.set(name, value).expect("a value of the field")
        });
        builder.build().expect("a valid request")
    }

    pub fn mode(&self) -> Mode {
        let mode = self.given.route.operation().spec().mode;
        mode.parse().expect("every mode is offered")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until a fault has been applied to a request, and the sandbox has handled it.
    pub async fn injected(&self) {
        let is_struck = |request: &ReceivedRequest| {
            request.status().is_some() && request.faults().next().is_some()
        };
        while !self.sandbox.requests().iter().any(is_struck) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Advances the time until the future completes, if the row asks for it.
    pub async fn in_time<T>(&self, going_on: impl Future<Output = T>) -> T {
        let passing = async {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                if self.given.passing {
                    self.clock.advance(Duration::from_secs(1));
                }
            }
        };
        tokio::select! {
            biased;
            done = going_on => done,
            () = passing => unreachable!("it goes on for ever"),
        }
    }

    /// Credentials that a result host received.
    fn given_away(&self) -> Option<String> {
        let requests = self.sandbox.requests();
        let mut results = requests.iter().filter(|request| is_result(request));
        let is_key =
            |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).contains(CANARY);
        let given = results.find(|request| request.headers().values().any(is_key));
        given.map(|request| format!("the key went to the result host: {request:?}"))
    }

    /// Formats everything that is public.
    fn show(&self) {
        let watch = &self.watch;
        watch.object(&self.client);
        watch.json(&self.client.health());
        watch.object(&self.client.list());
        watch.object(&self.create(&self.client));
        watch.object(&self.request(self.webhook_url.as_deref()));
        watch.object(&self.receiver);
        watch.object(&self.sandbox);
        watch.object(&self.sandbox.requests());
        watch.object(&self.sandbox.tasks());
        watch.object(&self.sandbox.deliveries());
    }
}

impl Given {
    fn needs_inbox(&self) -> bool {
        self.token || !self.deliveries.is_empty()
    }
}

pub fn is_create(request: &ReceivedRequest) -> bool {
    let operation = request
        .operation_id()
        .and_then(kling_omni_api::Operation::by_id);
    operation.is_some_and(|operation| operation.role.is_paid())
}

pub fn is_result(request: &ReceivedRequest) -> bool {
    request.host() == Host::Results
}

pub fn is_read(request: &ReceivedRequest) -> bool {
    request.host() == Host::Api && !is_create(request)
}

fn client(base_url: impl Into<String>, given: &Given, clock: &VirtualClock) -> ClientBuilder {
    let mut client = setup::client(base_url, clock).route(match given.route {
        CreateRoute::Auto => Route::Auto,
        // A mode with one route has no name for that route.
        way => way.operation().spec().route.parse().unwrap_or_default(),
    });
    if given.hasty {
        client = client
            .attempt_timeout(HASTE)
            .read_timeout(HASTE)
            .max_retries(1);
    }
    if let Some(retries) = given.budget {
        client = client.retry_budget(RetryBudget::new(retries));
    }
    if let Some(seconds) = given.call {
        client = client.operation_timeout(Duration::from_secs(seconds));
    }
    client
}

fn receiver(given: &Given, clock: &VirtualClock) -> WebhookReceiver {
    let mut verifier = Verifier::new(Secret::new(SECRET).unwrap());
    if given.rotating {
        verifier = verifier.add_secret(Secret::new(NEXT_SECRET).unwrap());
    }
    WebhookReceiver::builder(verifier)
        .clock(clock.clone())
        .build()
}

/// A real server for deliveries, and its URL.
async fn serve(receiver: &WebhookReceiver, token: bool) -> String {
    let app = Router::new().route_service("/hook", receiver.endpoint());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/hook?k=canary-of-a-hook",
        listener.local_addr().unwrap()
    );
    tokio::spawn(async move { axum::serve(listener, app).await });
    match token {
        true => correlation::attach(&url, &Token::random().unwrap()).unwrap(),
        false => url,
    }
}
