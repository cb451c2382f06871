//! Handles deliveries: verifies, saves, forwards and prints them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use kling_omni::webhook::{Received, Verifier, WebhookError, WebhookReceiver};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::event::{EventPrinter, HandledDelivery, RejectedRequest};
use super::forward::{ForwardResult, Forwarder};
use super::saved::DeliveryFile;
use super::until::UntilCondition;
use super::{ListenResult, MAX_BODY_SIZE};
use crate::failure::Failure;

pub(in crate::command) struct DeliveryHandler {
    receiver: WebhookReceiver,
    forwarder: Option<Forwarder>,
    file: Option<Mutex<DeliveryFile>>,
    printer: Option<EventPrinter>,
    condition: Option<UntilCondition>,
    authentic: AtomicU64,
    rejected: AtomicU64,
}

/// The result of handling a delivery.
pub(super) struct HandleResult {
    /// The status of the response to the sender.
    pub(super) status: StatusCode,
    /// The result of forwarding it, with `--forward`.
    pub(super) forwarded: Option<ForwardResult>,
    /// The result of the command, if this delivery satisfied the condition to exit.
    pub(super) result: Option<ListenResult>,
}

impl DeliveryHandler {
    pub(super) fn new(
        verifier: Verifier,
        forwarder: Option<Forwarder>,
        file: Option<DeliveryFile>,
        printer: EventPrinter,
        condition: Option<UntilCondition>,
    ) -> Self {
        let receiver = WebhookReceiver::builder(verifier).max_body_size(MAX_BODY_SIZE);
        Self {
            forwarder,
            file: file.map(Mutex::new),
            printer: Some(printer),
            condition,
            ..Self::without_output(receiver.build())
        }
    }

    /// Passes deliveries to a receiver, and counts them.
    pub(in crate::command) fn without_output(receiver: WebhookReceiver) -> Self {
        Self {
            receiver,
            forwarder: None,
            file: None,
            printer: None,
            condition: None,
            authentic: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        }
    }

    /// Verifies a request.
    pub(super) fn receive(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Received, WebhookError> {
        self.receiver.receive(headers, query, body)
    }

    /// Counts and prints a rejected request.
    pub(super) fn log_rejected(&self, rejected: &RejectedRequest) -> Result<(), Failure> {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        match &self.printer {
            Some(printer) => printer.print_rejected(rejected),
            None => Ok(()),
        }
    }

    /// Saves, forwards and prints a delivery. It is saved first, so no delivery is lost that was answered with success,
    /// and printed last, with the result of forwarding it.
    ///
    /// # Errors
    ///
    /// The delivery cannot be saved or printed. The program cannot continue then.
    pub(super) async fn handle(
        &self,
        received: Received,
        body: &[u8],
    ) -> Result<HandleResult, Failure> {
        self.authentic.fetch_add(1, Ordering::Relaxed);
        let (delivery, received_at) = (received.delivery(), SystemTime::now());
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.append(delivery, body, received_at)?;
        }
        let forwarded = match &self.forwarder {
            Some(forwarder) => {
                let forward = forwarder.forward(delivery.id(), delivery.correlation(), body);
                Some(forward.await?)
            }
            None => None,
        };
        let status = forwarded
            .as_ref()
            .map_or(StatusCode::OK, ForwardResult::status);
        if let Some(printer) = &self.printer {
            printer.print_delivery(&HandledDelivery {
                received: &received,
                received_at,
                forwarded: forwarded.as_ref(),
                status: printer.has_sender().then_some(status),
            })?;
        }
        let result = match &received {
            Received::Accepted(delivery) => self
                .condition
                .as_ref()
                .and_then(|condition| condition.update(delivery.state())),
            _ => None,
        };
        Ok(HandleResult {
            status,
            forwarded,
            result,
        })
    }

    /// Returns the number of authentic deliveries and rejected requests, as text.
    pub(in crate::command) fn summary(&self) -> String {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        format!(
            "{} authentic deliveries, rejected {}",
            count(&self.authentic),
            count(&self.rejected)
        )
    }
}
