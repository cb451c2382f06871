//! Random interleavings of creates, their tasks and responses, lists that are answered late, and tasks of other clients. No
//! task is ever given to another create, and no create with a task is reported as not created.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use kling_omni::recovery::{KnownTasks, Reconciled, UnconfirmedCreate};
use kling_omni::{Client, CreateOutcome, Mode};
use kling_omni_test_support::setup::valid_request;
use kling_omni_test_support::virtual_clock::VirtualClock;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::SETTLED;
use super::account::Order;

/// So many tasks exist before, on pages of ten: new ones prove the order after two creates.
const OLDER: usize = 120;
const PAGE: usize = 10;

/// One step. Numbers choose among what is possible at that moment.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Sends a create.
    Send,
    /// The service makes the task of a create that it received.
    Make(usize),
    /// The service responds to a create that it received: with its task, which it makes if necessary.
    Answer(usize),
    /// The response to a create is lost, before or after its task was made.
    Lose(usize),
    /// Requests a list that is answered later, with the tasks of this moment.
    RequestList,
    /// Answers such a request.
    AnswerList(usize),
    Refresh,
    /// Another client makes a task. Not while a create is open: nothing could tell their tasks apart.
    Foreign,
    /// Stores the set and restores it in another process, which has another client.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Send),
        3 => any::<usize>().prop_map(Step::Make),
        3 => any::<usize>().prop_map(Step::Answer),
        3 => any::<usize>().prop_map(Step::Lose),
        2 => Just(Step::RequestList),
        2 => any::<usize>().prop_map(Step::AnswerList),
        2 => Just(Step::Refresh),
        2 => Just(Step::Foreign),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::NewestFirst),
        Just(Order::OldestFirst),
        Just(Order::ById)
    ]
}

/// A request whose response the test decides.
type Held = oneshot::Sender<(StatusCode, String)>;

struct Service {
    order: Order,
    tasks: Mutex<Vec<String>>,
    /// Creates, and requests for lists with what they will be answered with.
    received: mpsc::UnboundedSender<(Held, Option<String>)>,
}

impl Service {
    fn make(&self) -> String {
        let mut tasks = self.tasks.lock().unwrap();
        let number = tasks.len() as u64 + 1;
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let id = format!("{mixed:016x}");
        tasks.push(id.clone());
        id
    }

    fn list(&self, page: usize) -> String {
        self.order.page(&self.tasks.lock().unwrap(), page, PAGE)
    }
}

async fn serve(State(service): State<Arc<Service>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let page = query
        .split('&')
        .find_map(|field| field.strip_prefix("page="));
    let held = match (request.method(), page) {
        (&Method::POST, _) => None,
        // A list for `Client::list`; all others are read for the set.
        (_, None) => Some(service.list(1)),
        (_, Some(page)) => {
            let body = service.list(page.parse().unwrap());
            return ([(header::CONTENT_TYPE, "application/json")], body).into_response();
        }
    };
    let (sender, answer) = oneshot::channel();
    service.received.send((sender, held)).unwrap();
    let (status, body) = answer.await.unwrap();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A create that the service has received.
struct Sent {
    number: usize,
    held: Held,
    outcome: JoinHandle<CreateOutcome>,
}

struct Run {
    service: Arc<Service>,
    received: mpsc::UnboundedReceiver<(Held, Option<String>)>,
    base_url: String,
    clock: VirtualClock,
    client: Client,
    known: KnownTasks,
    needs_refresh: bool,
    creates: usize,
    /// The task of each create that has one.
    tasks: HashMap<usize, String>,
    sent: Vec<Sent>,
    lists: Vec<(Held, String, JoinHandle<()>)>,
    unconfirmed: Vec<(usize, UnconfirmedCreate)>,
}

fn client_of(base_url: &str, clock: &VirtualClock, known: &KnownTasks) -> Client {
    kling_omni_test_support::setup::client(base_url, clock)
        .route(kling_omni::request::Route::ReferenceToVideo)
        .max_retries(0)
        .known_tasks(known)
        .build()
        .unwrap()
}

impl Run {
    async fn start(order: Order) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let service = Arc::new(Service {
            order,
            tasks: Mutex::default(),
            received: sender,
        });
        for _ in 0..OLDER {
            service.make();
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&service));
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        let (clock, known) = (VirtualClock::new(), KnownTasks::new());
        Self {
            client: client_of(&base_url, &clock, &known),
            service,
            received,
            base_url,
            clock,
            known,
            needs_refresh: true,
            creates: 0,
            tasks: HashMap::new(),
            sent: Vec::new(),
            lists: Vec::new(),
            unconfirmed: Vec::new(),
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Send => {
                if self.needs_refresh {
                    self.refresh().await;
                }
                let create = self.client.create(valid_request().build().unwrap());
                let create = create.with_known_tasks(&self.known);
                let outcome = tokio::spawn(async move { create.outcome().await });
                let (held, _) = self.received.recv().await.unwrap();
                self.sent.push(Sent {
                    number: self.creates,
                    held,
                    outcome,
                });
                self.creates += 1;
            }
            Step::Make(choice) => {
                if let Some(at) = choice.checked_rem(self.sent.len()) {
                    self.make(at);
                }
            }
            Step::Answer(choice) => {
                if let Some(at) = choice.checked_rem(self.sent.len()) {
                    self.answer(at, true).await;
                }
            }
            Step::Lose(choice) => {
                if let Some(at) = choice.checked_rem(self.sent.len()) {
                    self.answer(at, false).await;
                }
            }
            Step::RequestList => {
                let client = self.client.clone();
                let listing = tokio::spawn(async move {
                    client.list().await.unwrap();
                });
                let (held, body) = self.received.recv().await.unwrap();
                self.lists.push((held, body.unwrap(), listing));
            }
            Step::AnswerList(choice) => {
                if let Some(at) = choice.checked_rem(self.lists.len()) {
                    let (held, body, listing) = self.lists.remove(at);
                    held.send((StatusCode::OK, body)).unwrap();
                    listing.await.unwrap();
                }
            }
            Step::Refresh => self.refresh().await,
            Step::Foreign => {
                if self.sent.is_empty() && self.unconfirmed.is_empty() {
                    self.service.make();
                    self.needs_refresh = true;
                }
            }
            // Creates and lists in flight belong to the old process, and keep its set.
            Step::Restart => {
                if self.sent.is_empty() && self.lists.is_empty() {
                    let (entries, facts) = self.known.entries_from(0);
                    self.known = KnownTasks::restore(facts, entries).unwrap();
                    self.client = client_of(&self.base_url, &self.clock, &self.known);
                }
            }
        }
    }

    async fn refresh(&mut self) {
        self.known
            .refresh(&self.client, Mode::Reference)
            .await
            .unwrap();
        self.needs_refresh = false;
    }

    fn make(&mut self, at: usize) -> String {
        let task = self.tasks.entry(self.sent[at].number);
        task.or_insert_with(|| self.service.make()).clone()
    }

    async fn answer(&mut self, at: usize, arrives: bool) {
        let answer = match arrives {
            true => {
                let id = self.make(at);
                let body = kling_omni_test_support::setup::task(&id, "CREATED", &[]);
                (StatusCode::OK, body)
            }
            false => (StatusCode::INTERNAL_SERVER_ERROR, "{}".to_owned()),
        };
        let sent = self.sent.remove(at);
        sent.held.send(answer).unwrap();
        match sent.outcome.await.unwrap() {
            CreateOutcome::Created(task) => {
                assert!(arrives);
                assert_eq!(task.id(), self.tasks[&sent.number]);
            }
            CreateOutcome::Unknown { unconfirmed, .. } => {
                assert!(!arrives);
                self.unconfirmed.push((sent.number, unconfirmed));
            }
            other => panic!("{other:?}"),
        }
    }

    /// Loses what is still in flight, and reconciles all unconfirmed creates.
    async fn reconcile(mut self, is_settled: bool) -> Result<usize, TestCaseError> {
        while !self.sent.is_empty() {
            self.answer(0, false).await;
        }
        if is_settled {
            self.clock.advance(SETTLED);
        }
        let creates = self.unconfirmed.iter().map(|(_, create)| create);
        let results = self.client.reconcile_all(creates).known_tasks(&self.known);
        let mut certain = 0;
        for ((number, _), result) in self.unconfirmed.iter().zip(results.await.unwrap()) {
            let task = self.tasks.get(number);
            match result {
                Reconciled::Found { task: found, .. } => {
                    prop_assert_eq!(Some(found.id()), task.map(String::as_str));
                    certain += 1;
                }
                Reconciled::NotCreated => {
                    prop_assert_eq!(None, task, "create {} has a task", number);
                    prop_assert!(is_settled);
                    certain += 1;
                }
                Reconciled::Ambiguous { candidates, reason } => {
                    // The right task is always among the candidates.
                    if let Some(task) = task {
                        prop_assert!(candidates.contains(task), "{reason:?}: {candidates:?}");
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        Ok(certain)
    }
}

#[test]
fn no_task_is_given_to_another_create() {
    let mut runner = TestRunner::new(Config {
        cases: 96,
        failure_persistence: None,
        ..Config::default()
    });
    let certain = std::cell::Cell::new(0);
    let cases = (orders(), steps(), any::<bool>());
    let played = runner.run(&cases, |(order, steps, is_settled)| {
        // One runtime for each case, because its shutdown closes the connections of the case.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut run = Run::start(order).await;
            for step in steps {
                run.take(step).await;
            }
            certain.set(certain.get() + run.reconcile(is_settled).await?);
            Ok(())
        })
    });
    played.unwrap();
    assert!(certain.get() > 20, "{} results were certain", certain.get());
}
