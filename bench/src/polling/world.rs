//! A service, a client and a time that passes only when nothing is left to do: all in one thread, over loopback.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use fastrand::Rng;
use kling_omni::clock::{Clock as _, SystemClock};
use kling_omni::polling::{PollSchedule, TaskDurations};
use kling_omni::webhook::{Secret, WebhookReceiver};
use kling_omni::{ApiKey, Client, VideoReference};
use kling_omni_api::{Operation, Role};
use kling_omni_sandbox::{ReceivedRequest, Sandbox};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::times::Times;

pub struct World {
    sandbox: Sandbox,
    receiver: WebhookReceiver,
    webhook_url: String,
}

/// What tasks took: requests, and the delay of each in seconds, from its end to the moment when the client knew.
#[derive(Default)]
pub struct Taken {
    requests: usize,
    lists: usize,
    /// In their order.
    delays: Vec<f64>,
}

/// What is to happen.
#[derive(Clone)]
pub struct Plan {
    /// How long each task takes, in seconds.
    pub tasks: Vec<f64>,
    /// How many there are at a time: as soon as one has ended, the next one is created.
    pub in_flight: usize,
    pub schedule: PollSchedule,
    pub webhooks: bool,
    /// What the client has seen before; it learns on unless each task has a client of its own.
    pub known: TaskDurations,
    pub each_alone: bool,
}

/// The number of tasks that a warm client has seen before.
const SEEN: usize = 128;

impl Plan {
    /// One task at a time, from a client that has seen nothing yet.
    pub fn new(tasks: Vec<f64>) -> Self {
        Self {
            tasks,
            in_flight: 1,
            schedule: PollSchedule::default(),
            webhooks: false,
            known: TaskDurations::default(),
            each_alone: false,
        }
    }

    /// With a client that has seen many tasks of these times.
    pub fn knowing(mut self, times: &Times, random: &mut Rng) -> Self {
        let seconds: Vec<f64> = (0..SEEN).map(|_| times.draw(random)).collect();
        let known = serde_json::json!({"reference/pro/5/without-image": seconds});
        self.known = serde_json::from_value(known).expect("times are times");
        self
    }
}

impl World {
    /// Lets something happen in a world of its own.
    pub fn play<T>(seed: u64, play: impl AsyncFnOnce(&Arc<Self>) -> Result<T>) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        // What the client leaves to chance is drawn in this thread.
        fastrand::seed(seed);
        runtime.block_on(async {
            let world = Arc::new(Self::new(seed).await?);
            play(&world).await
        })
    }

    async fn new(seed: u64) -> Result<Self> {
        let sandbox = Sandbox::builder()
            .seed(seed)
            .rate_limit(u32::MAX)
            .poll_hints(false)
            .record_limit(usize::MAX)
            .start()
            .await?;
        let secret = Secret::new(sandbox.webhook_secret())?;
        let receiver = WebhookReceiver::builder(secret).build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let webhook_url = format!("http://{}/", listener.local_addr()?);
        let endpoint = axum::Router::new().fallback_service(receiver.endpoint());
        tokio::spawn(async move { axum::serve(listener, endpoint).await });
        Ok(Self {
            sandbox,
            receiver,
            webhook_url,
        })
    }

    fn client(&self, known: &TaskDurations) -> Result<Client> {
        let client = Client::builder()
            .api_key(ApiKey::new(self.sandbox.api_key())?)
            .base_url(self.sandbox.base_url())
            .task_durations(known.clone());
        Ok(client.build()?)
    }

    /// Creates the tasks and waits for them, and counts what it takes.
    pub async fn run(self: &Arc<Self>, plan: Plan, random: &mut Rng) -> Result<Taken> {
        let before = self.sandbox.requests().len();
        let client = self.client(&plan.known)?;
        let plan = Arc::new(plan);
        let next = Arc::new(AtomicUsize::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..plan.in_flight {
            // Spread over the time of a task, so not all are in the same part of it.
            let start = match plan.in_flight {
                1 => Duration::ZERO,
                _ => Duration::from_secs_f64(plan.tasks[0] * random.f64()),
            };
            let (world, plan) = (Arc::clone(self), Arc::clone(&plan));
            let (client, next) = (client.clone(), Arc::clone(&next));
            workers.spawn(async move {
                tokio::time::sleep(start).await;
                let mut known = Vec::new();
                while let Some(seconds) = plan.tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let client = match plan.each_alone {
                        true => world.client(&plan.known)?,
                        false => client.clone(),
                    };
                    known.push(world.one(&client, &plan, *seconds).await?);
                }
                anyhow::Ok(known)
            });
        }
        let mut known = HashMap::new();
        while let Some(worker) = workers.join_next().await {
            known.extend(worker??);
        }
        self.taken(before, &known)
    }

    /// One task, from its creation to the moment when its end is known.
    async fn one(
        &self,
        client: &Client,
        plan: &Plan,
        seconds: f64,
    ) -> Result<(String, SystemTime)> {
        let request = VideoReference::builder()
            .prompt(format!("The dancer of @Video1 [sandbox:seconds={seconds}]"))
            .reference_video("https://example.com/dance.mp4");
        let request = match plan.webhooks {
            true => request.webhook_url(&self.webhook_url),
            false => request,
        };
        let task = client.create(request.build()?).await?;
        let wait = task.wait().schedule(plan.schedule.clone());
        match plan.webhooks {
            true => wait.webhook(&self.receiver).await?,
            false => wait.await?,
        };
        Ok((task.id().to_owned(), SystemClock.system_time()))
    }

    /// When single tasks were read, in seconds since the first request.
    pub fn reads(&self) -> Result<Vec<f64>> {
        let requests = self.sandbox.requests();
        let began = requests.first().context("nothing was asked")?.received_at();
        let reads = requests
            .iter()
            .filter(|request| matches!(role(request), Some(Role::Read(_))));
        let since = |at: SystemTime| at.duration_since(began).map(|since| since.as_secs_f64());
        reads.map(|read| Ok(since(read.received_at())?)).collect()
    }

    fn taken(&self, before: usize, known: &HashMap<String, SystemTime>) -> Result<Taken> {
        let mut taken = Taken::default();
        for task in self.sandbox.tasks() {
            if let Some(at) = known.get(task.id()) {
                let delay = at.duration_since(task.ends_at()).unwrap_or_default();
                taken.delays.push(delay.as_secs_f64());
            }
        }
        taken.delays.sort_by(f64::total_cmp);
        for request in self.sandbox.requests().drain(before..) {
            let role = role(&request).context("a request for nothing")?;
            taken.requests += 1;
            taken.lists += usize::from(matches!(role, Role::List(_)));
        }
        Ok(taken)
    }
}

/// What a request does with tasks.
fn role(request: &ReceivedRequest) -> Option<Role> {
    let operation = Operation::by_id(request.operation_id()?)?;
    Some(operation.role)
}

impl Taken {
    fn per_task(&self, requests: usize) -> f64 {
        requests as f64 / self.delays.len() as f64
    }

    pub fn requests_per_task(&self) -> f64 {
        self.per_task(self.requests)
    }

    pub fn lists_per_task(&self) -> f64 {
        self.per_task(self.lists)
    }

    pub fn mean_delay(&self) -> f64 {
        self.delays.iter().sum::<f64>() / self.delays.len() as f64
    }

    /// The delay that this part of the tasks does not exceed.
    pub fn delay(&self, part: f64) -> f64 {
        let last = self.delays.len() - 1;
        self.delays[(last as f64 * part).ceil() as usize]
    }
}
