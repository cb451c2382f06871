//! What is done with all that comes in: check it, keep it, hand it on, tell it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use kling_omni::webhook::{Received, Verifier, WebhookError, WebhookReceiver};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::event::{Delivered, Printer, Refused};
use super::forward::{Forward, Forwarded};
use super::saved::Save;
use super::until::UntilCondition;
use super::{End, LARGEST_BODY};
use crate::failure::Failure;

pub(super) struct DeliveryHandler {
    inbox: WebhookReceiver,
    forward: Option<Forward>,
    save: Option<Mutex<Save>>,
    printer: Printer,
    condition: Option<UntilCondition>,
    authentic: AtomicU64,
    refused: AtomicU64,
}

/// What became of a delivery.
pub(super) struct HandleResult {
    /// What the sender is told.
    pub(super) answer: StatusCode,
    /// What the other program did with it, if it got it.
    pub(super) forwarded: Option<Forwarded>,
    /// It was the last that was wanted.
    pub(super) end: Option<End>,
}

impl DeliveryHandler {
    pub(super) fn new(
        verifier: Verifier,
        forward: Option<Forward>,
        save: Option<Save>,
        printer: Printer,
        condition: Option<UntilCondition>,
    ) -> Self {
        Self {
            inbox: WebhookReceiver::builder(verifier)
                .max_body_size(LARGEST_BODY)
                .build(),
            forward,
            save: save.map(Mutex::new),
            printer,
            condition,
            authentic: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Checks what was posted.
    pub(super) fn receive(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Received, WebhookError> {
        self.inbox.receive(headers, query, body)
    }

    /// Tells of something that is no delivery.
    pub(super) fn log_rejected(&self, refused: &Refused) -> Result<(), Failure> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.printer.refused(refused)
    }

    /// Does everything with a delivery. It is saved first, so that what was answered with success is not lost, and told
    /// last, with all that became of it.
    ///
    /// # Errors
    ///
    /// When the program cannot go on: it cannot print, or cannot save what it was asked to save.
    pub(super) async fn handle(
        &self,
        received: Received,
        body: &[u8],
    ) -> Result<HandleResult, Failure> {
        self.authentic.fetch_add(1, Ordering::Relaxed);
        let (delivery, received_at) = (received.delivery(), SystemTime::now());
        if let Some(save) = &self.save {
            let mut save = save.lock().unwrap_or_else(PoisonError::into_inner);
            save.append(delivery, body, received_at)?;
        }
        let forwarded = match &self.forward {
            Some(forward) => {
                let sent = forward.send(delivery.id(), delivery.correlation(), body);
                Some(sent.await?)
            }
            None => None,
        };
        let answer = forwarded.as_ref().map_or(StatusCode::OK, Forwarded::answer);
        self.printer.delivered(&Delivered {
            received: &received,
            received_at,
            forwarded: forwarded.as_ref(),
            answer: self.printer.answers().then_some(answer),
        })?;
        let end = match &received {
            Received::Accepted(delivery) => self
                .condition
                .as_ref()
                .and_then(|condition| condition.note(delivery.state())),
            _ => None,
        };
        Ok(HandleResult {
            answer,
            forwarded,
            end,
        })
    }

    /// How many there were.
    pub(super) fn summary(&self) -> String {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        format!(
            "{} authentic deliveries, {} refused",
            count(&self.authentic),
            count(&self.refused)
        )
    }
}
