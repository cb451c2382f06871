//! Sends the deliveries of one task in order, and applies faults to them.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderMap;
use kling_omni_api::enums::TaskStatus;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::fault::{Fault, FaultRule};
use crate::injection::FaultContext;
use crate::record::{Delivery, DeliveryOutcome};
use crate::secret::{self, Secret};
use crate::service::Service;
use crate::task::{Stage, Task};

/// Starts to deliver all further status changes of `task`, if its request has a webhook URL.
pub(crate) fn start(service: &Arc<Service>, task: &Arc<Task>) {
    let Some(url) = task.request["webhook_url"].as_str().map(str::to_owned) else {
        return;
    };
    let sequence = DeliverySequence::new(Arc::clone(service), Arc::clone(task), url);
    service.webhooks.spawn(sequence.run());
}

/// Starts to send a delivery again: with the same id and body, signed at the time it is sent, and with the faults that
/// apply then. Returns whether its task exists.
pub(crate) fn redeliver(service: &Arc<Service>, delivery: &Delivery) -> bool {
    let Some(task) = service.tasks.get(&delivery.task_id) else {
        return false;
    };
    let mut sequence = DeliverySequence::new(Arc::clone(service), task, delivery.url.clone());
    let again = PendingDelivery {
        id: delivery.id.clone(),
        status: delivery.status.clone(),
        due: service.clock.now(),
        body: delivery.body.clone(),
        is_forged: delivery.is_forged,
        faults: sequence.sender.evaluate_faults(),
    };
    service.webhooks.spawn(async move {
        sequence.dispatch(again).await;
        sequence.finish().await;
    });
    true
}

/// All deliveries of one task.
struct DeliverySequence {
    sender: DeliverySender,
    /// Deliveries that wait for the next one to be sent.
    reordered: Vec<PendingDelivery>,
    /// Deliveries that are sent later.
    delayed: JoinSet<()>,
}

/// Signs and sends the deliveries of a task.
#[derive(Clone)]
struct DeliverySender {
    service: Arc<Service>,
    task: Arc<Task>,
    url: String,
}

/// A delivery before it is signed.
#[derive(Clone)]
struct PendingDelivery {
    id: String,
    status: TaskStatus,
    /// When the status changed. Delays count from here.
    due: SystemTime,
    body: Bytes,
    /// Whether it is signed with a wrong secret.
    is_forged: bool,
    faults: Vec<Arc<FaultRule>>,
}

impl DeliverySequence {
    fn new(service: Arc<Service>, task: Arc<Task>, url: String) -> Self {
        Self {
            sender: DeliverySender { service, task, url },
            reordered: Vec::new(),
            delayed: JoinSet::new(),
        }
    }

    async fn run(mut self) {
        let task = Arc::clone(&self.sender.task);
        for (at, stage) in task.changes() {
            self.sender.service.clock.sleep_until(at).await;
            let delivery = self.sender.prepare(at, stage);
            self.dispatch(delivery).await;
        }
        self.finish().await;
    }

    /// Sends what waits for a next delivery or for its time.
    async fn finish(mut self) {
        self.send_reordered().await;
        while self.delayed.join_next().await.is_some() {}
    }

    /// Sends a delivery, and applies its faults.
    async fn dispatch(&mut self, delivery: PendingDelivery) {
        if delivery.has(&Fault::Lost) {
            let reason = "lost by a fault".to_owned();
            let headers = self.sender.sign(&delivery);
            let now = self.sender.service.clock.now();
            self.sender
                .record(delivery, headers, now, DeliveryOutcome::Skipped(reason));
            return;
        }
        if delivery.has(&Fault::Forged) {
            self.sender.forge(&delivery).await;
        }
        if delivery.has(&Fault::Reordered) {
            self.reordered.push(delivery);
            return;
        }
        self.send(delivery).await;
        self.send_reordered().await;
    }

    async fn send_reordered(&mut self) {
        while let Some(delivery) = self.reordered.pop() {
            self.send(delivery).await;
        }
    }

    async fn send(&mut self, delivery: PendingDelivery) {
        let sender = self.sender.clone();
        let delay = delivery.faults().find_map(|fault| match fault {
            Fault::Late(delay) => Some(*delay),
            _ => None,
        });
        match delay {
            None => {
                let headers = sender.send(&delivery).await;
                self.delayed.spawn(sender.replay(delivery, headers));
            }
            Some(delay) => {
                self.delayed.spawn(async move {
                    sender.service.clock.sleep_until(delivery.due + delay).await;
                    let headers = sender.send(&delivery).await;
                    sender.replay(delivery, headers).await;
                });
            }
        }
    }
}

impl DeliverySender {
    fn prepare(&self, due: SystemTime, stage: &Stage) -> PendingDelivery {
        let service = &self.service;
        PendingDelivery {
            id: format!("msg_{}", service.random.request_id()),
            status: stage.status.clone(),
            due,
            body: json_bytes(&service.view(&self.task, stage)),
            is_forged: false,
            faults: self.evaluate_faults(),
        }
    }

    fn evaluate_faults(&self) -> Vec<Arc<FaultRule>> {
        let context = FaultContext::Webhook { task: &self.task };
        self.service.faults.evaluate(&self.service.random, &context)
    }

    /// Returns the headers of a delivery that is sent now.
    fn sign(&self, delivery: &PendingDelivery) -> HeaderMap {
        let configured = &self.service.webhooks.secret;
        let now = self.service.clock.now();
        let sign =
            |secrets: &[&Secret]| secret::headers(secrets, &delivery.id, now, &delivery.body);
        if delivery.is_forged {
            return sign(&[&configured.wrong()]);
        }
        let rotated = delivery.faults().find_map(|fault| match fault {
            Fault::Rotated { secret, both } => Some((Secret::parse(secret)?, *both)),
            _ => None,
        });
        match &rotated {
            None => sign(&[configured]),
            Some((new, true)) => sign(&[configured, new]),
            Some((new, false)) => sign(&[new]),
        }
    }

    /// Signs and sends a delivery, twice with the fault `duplicate`, and returns its headers.
    async fn send(&self, delivery: &PendingDelivery) -> HeaderMap {
        let headers = self.sign(delivery);
        self.deliver(delivery, headers.clone()).await;
        if delivery.has(&Fault::Duplicate) {
            self.deliver(delivery, headers.clone()).await;
        }
        headers
    }

    /// Sends a delivery about a failure, signed with a wrong secret.
    async fn forge(&self, genuine: &PendingDelivery) {
        let service = &self.service;
        let failed = json!({
            "task_id": self.task.id,
            "status": TaskStatus::Failed.as_str(),
            "generated": Value::Array(Vec::new()),
            "error": "This delivery is forged",
        });
        let delivery = PendingDelivery {
            id: format!("msg_{}", service.random.request_id()),
            status: TaskStatus::Failed,
            due: genuine.due,
            body: json_bytes(&failed),
            is_forged: true,
            faults: genuine.faults.clone(),
        };
        self.deliver(&delivery, self.sign(&delivery)).await;
    }

    /// Sends a delivery again, unchanged, with the fault `replay`.
    async fn replay(self, delivery: PendingDelivery, headers: HeaderMap) {
        let delay = delivery.faults().find_map(|fault| match fault {
            Fault::Replay(delay) => Some(*delay),
            _ => None,
        });
        if let Some(delay) = delay {
            self.service.clock.sleep_until(delivery.due + delay).await;
            self.deliver(&delivery, headers).await;
        }
    }

    async fn deliver(&self, delivery: &PendingDelivery, headers: HeaderMap) {
        let (webhooks, sent_at) = (&self.service.webhooks, self.service.clock.now());
        let sent = webhooks.send(&self.url, headers.clone(), delivery.body.clone());
        let outcome = sent.await;
        self.record(delivery.clone(), headers, sent_at, outcome);
    }

    fn record(
        &self,
        delivery: PendingDelivery,
        headers: HeaderMap,
        sent_at: SystemTime,
        outcome: DeliveryOutcome,
    ) {
        tracing::debug!(
            task_id = self.task.id,
            delivery_id = delivery.id,
            ?outcome,
            "webhook sent"
        );
        let ended_at = self.service.clock.now();
        self.service.webhooks.deliveries.push(|number| Delivery {
            number,
            id: delivery.id,
            task_id: self.task.id.clone(),
            status: delivery.status,
            url: self.url.clone(),
            headers,
            body: delivery.body,
            outcome,
            sent_at,
            ended_at,
            is_forged: delivery.is_forged,
            faults: delivery.faults,
        });
    }
}

impl PendingDelivery {
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
