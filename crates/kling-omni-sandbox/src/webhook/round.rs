use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderMap;
use kling_omni_api::enums::TaskStatus;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::secret::{self, Secret};
use crate::fault::{Fault, FaultRule, Spot};
use crate::record::{Delivery, DeliveryOutcome};
use crate::service::Service;
use crate::task::{Stage, Task};

/// All deliveries of one task.
pub(super) struct Round {
    desk: Desk,
    /// Put off until the next one has been sent.
    held: Vec<Letter>,
    /// What is sent at a time of its own.
    later: JoinSet<()>,
}

/// Where deliveries go, and who sends them.
#[derive(Clone)]
struct Desk {
    service: Arc<Service>,
    task: Arc<Task>,
    url: String,
}

/// A delivery before it is signed.
#[derive(Clone)]
struct Letter {
    id: String,
    status: TaskStatus,
    /// When the task came to this status; delays count from here.
    due: SystemTime,
    body: Bytes,
    faults: Vec<Arc<FaultRule>>,
}

impl Round {
    pub(super) fn new(service: Arc<Service>, task: Arc<Task>, url: String) -> Self {
        Self {
            desk: Desk { service, task, url },
            held: Vec::new(),
            later: JoinSet::new(),
        }
    }

    pub(super) async fn run(mut self) {
        let task = Arc::clone(&self.desk.task);
        for (at, stage) in task.changes() {
            self.desk.service.clock.sleep_until(at).await;
            let letter = self.desk.letter(at, stage);
            self.hand_in(letter).await;
        }
        self.send_held().await;
        while self.later.join_next().await.is_some() {}
    }

    /// Sends a letter, and does with it what the faults do to deliveries.
    async fn hand_in(&mut self, letter: Letter) {
        if letter.has(&Fault::Lost) {
            let reason = "a fault has lost it".to_owned();
            let headers = self.desk.sign(&letter);
            self.desk
                .record(letter, headers, DeliveryOutcome::Skipped(reason));
            return;
        }
        if letter.has(&Fault::Forged) {
            self.desk.forge(&letter).await;
        }
        if letter.has(&Fault::Reordered) {
            self.held.push(letter);
            return;
        }
        self.send(letter).await;
        self.send_held().await;
    }

    async fn send_held(&mut self) {
        while let Some(letter) = self.held.pop() {
            self.send(letter).await;
        }
    }

    async fn send(&mut self, letter: Letter) {
        let desk = self.desk.clone();
        let late = letter.faults().find_map(|fault| match fault {
            Fault::Late(span) => Some(*span),
            _ => None,
        });
        match late {
            None => {
                let headers = desk.send(&letter).await;
                self.later.spawn(desk.replay(letter, headers));
            }
            Some(span) => {
                self.later.spawn(async move {
                    desk.service.clock.sleep_until(letter.due + span).await;
                    let headers = desk.send(&letter).await;
                    desk.replay(letter, headers).await;
                });
            }
        }
    }
}

impl Desk {
    fn letter(&self, due: SystemTime, stage: &Stage) -> Letter {
        let service = &self.service;
        let spot = Spot::Webhook { task: &self.task };
        Letter {
            id: format!("msg_{}", service.random.exchange_id()),
            status: stage.status.clone(),
            due,
            body: json_bytes(&service.view(&self.task, stage)),
            faults: service.faults.strike(&service.random, &spot),
        }
    }

    /// The headers of a letter that is sent now.
    fn sign(&self, letter: &Letter) -> HeaderMap {
        let usual = &self.service.webhooks.secret;
        let rotated = letter.faults().find_map(|fault| match fault {
            Fault::Rotated { secret, both } => Some((Secret::parse(secret)?, *both)),
            _ => None,
        });
        let now = self.service.clock.now();
        let sign = |secrets: &[&Secret]| secret::headers(secrets, &letter.id, now, &letter.body);
        match &rotated {
            None => sign(&[usual]),
            Some((new, true)) => sign(&[usual, new]),
            Some((new, false)) => sign(&[new]),
        }
    }

    /// Signs and delivers a letter, twice if a fault has it so, and answers the headers.
    async fn send(&self, letter: &Letter) -> HeaderMap {
        let headers = self.sign(letter);
        self.deliver(letter, headers.clone()).await;
        if letter.has(&Fault::Duplicate) {
            self.deliver(letter, headers.clone()).await;
        }
        headers
    }

    /// Tells of a failure, in the name of nobody who knows the secret.
    async fn forge(&self, genuine: &Letter) {
        let service = &self.service;
        let failed = json!({
            "task_id": self.task.id,
            "status": TaskStatus::Failed.as_str(),
            "generated": Value::Array(Vec::new()),
            "error": "This delivery is forged",
        });
        let letter = Letter {
            id: format!("msg_{}", service.random.exchange_id()),
            status: TaskStatus::Failed,
            due: genuine.due,
            body: json_bytes(&failed),
            faults: genuine.faults.clone(),
        };
        let wrong = service.webhooks.secret.wrong();
        let now = service.clock.now();
        let headers = secret::headers(&[&wrong], &letter.id, now, &letter.body);
        self.deliver(&letter, headers).await;
    }

    /// Delivers a letter again as it was, if a fault has it so.
    async fn replay(self, letter: Letter, headers: HeaderMap) {
        let later = letter.faults().find_map(|fault| match fault {
            Fault::Replay(span) => Some(*span),
            _ => None,
        });
        if let Some(span) = later {
            self.service.clock.sleep_until(letter.due + span).await;
            self.deliver(&letter, headers).await;
        }
    }

    async fn deliver(&self, letter: &Letter, headers: HeaderMap) {
        let webhooks = &self.service.webhooks;
        let sent = webhooks.send(&self.url, headers.clone(), letter.body.clone());
        let outcome = sent.await;
        self.record(letter.clone(), headers, outcome);
    }

    fn record(&self, letter: Letter, headers: HeaderMap, outcome: DeliveryOutcome) {
        let delivery = Delivery {
            id: letter.id,
            task_id: self.task.id.clone(),
            status: letter.status,
            url: self.url.clone(),
            headers,
            body: letter.body,
            outcome,
            faults: letter.faults,
        };
        tracing::debug!(?delivery, "delivered");
        self.service.webhooks.deliveries.push(delivery);
    }
}

impl Letter {
    fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().map(|rule| rule.fault())
    }

    fn has(&self, fault: &Fault) -> bool {
        self.faults().any(|own| own == fault)
    }
}

fn json_bytes(value: &impl serde::Serialize) -> Bytes {
    let bytes = serde_json::to_vec(value).expect("texts and lists can always be written as JSON");
    bytes.into()
}
