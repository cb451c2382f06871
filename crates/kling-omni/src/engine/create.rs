//! The idempotent create: a paid request that is never sent twice for one task.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::engine::attribution::CreatedTask;
use crate::engine::client::ClientInner;
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::expected_video::ExpectedVideo;
use crate::engine::http::call::{Call, Options};
use crate::engine::known_tasks::TasksBefore;
use crate::engine::limits::in_flight::InFlightPermit;
use crate::engine::limits::spend::Reserve;
use crate::engine::operations::CreateOperation;
use crate::engine::polling::durations::{TaskKind, TaskOrigin};
use crate::engine::service::CreateResponse;
use crate::engine::task::Task;
use crate::engine::unconfirmed::{CreateNonce, UnconfirmedCreate};
use crate::redact::printable;

/// A callback that persists what is needed to find the task, before anything is sent.
pub(crate) type BeforeSend = Box<
    dyn FnMut(UnconfirmedCreate) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send>> + Send,
>;

/// The outcome of a create. The enum is exhaustive: no variant will be added.
#[derive(Debug)]
pub enum CreateOutcome {
    /// A paid task exists.
    Created(Task),
    /// No paid task was created: nothing was sent, or the service rejected the request. Creating again is safe.
    Rejected(Error),
    /// A paid task may exist. Creating again may pay for a second one.
    Unknown {
        /// The unconfirmed create. Pass it to [`Client::reconcile`](crate::Client::reconcile) to find the task.
        unconfirmed: UnconfirmedCreate,
        /// Why the outcome is unknown.
        error: Error,
    },
}

impl CreateOutcome {
    /// The outcome of a create that failed before its own request. An uploader of the caller may fail with the error of
    /// another create.
    pub(crate) fn failed(error: Error) -> Self {
        match error.unconfirmed_create() {
            Some(unconfirmed) => Self::Unknown {
                unconfirmed: unconfirmed.clone(),
                error,
            },
            None => Self::Rejected(error),
        }
    }

    /// Returns the task, or the error of a create that did not return one.
    pub fn into_result(self) -> Result<Task> {
        match self {
            Self::Created(task) => Ok(task),
            Self::Rejected(error) | Self::Unknown { error, .. } => Err(error),
        }
    }
}

/// A create that is about to be sent with one operation.
pub(crate) struct Submission {
    pub(crate) operation: &'static CreateOperation,
    pub(crate) body: Box<RawValue>,
    pub(crate) options: Options,
    pub(crate) kind: TaskKind,
    /// What the request asks of its video.
    pub(crate) expected: ExpectedVideo,
    /// The correlation token of the request, if it has one.
    pub(crate) correlation: Option<String>,
    /// The tasks that are known before the create.
    pub(crate) before: TasksBefore,
    /// Counts the create in the spend limit of the client, if it has one.
    pub(crate) reserve: Option<Reserve>,
}

/// Sends a create. Retries only when the request certainly created no task.
pub(crate) async fn submit(
    client: &Arc<ClientInner>,
    submission: Submission,
    before_send: &mut [BeforeSend],
) -> CreateOutcome {
    let Submission {
        operation,
        body,
        options,
        kind,
        expected,
        correlation,
        before,
        reserve,
    } = submission;
    let call = Call::new(Arc::clone(&client.http), options);
    // The slot comes first: waiting for it later would falsify the recorded times.
    if let Err(error) = call.acquire_first_slot().await {
        return CreateOutcome::failed(error);
    }
    let now = client.clock().system_time();
    let mut reservation = match reserve.map(|reserve| reserve(now)).transpose() {
        Ok(reservation) => reservation,
        Err(error) => return CreateOutcome::failed(error),
    };
    let nonce = CreateNonce::new();
    let origin = TaskOrigin {
        kind,
        expected,
        created: client.clock().now(),
    };
    let snapshot = match &before {
        TasksBefore::Snapshot(snapshot) => Some(snapshot.clone()),
        TasksBefore::Known(..) | TasksBefore::Unknown => None,
    };
    let mut unconfirmed = UnconfirmedCreate::new(
        operation,
        nonce.clone(),
        client.clock(),
        call.max_duration(),
        correlation,
        snapshot,
    );
    if let TasksBefore::Known(_, mark) = &before {
        unconfirmed = unconfirmed.with_known_mark(mark.clone());
    }
    if let Err(error) = record(before_send, &unconfirmed).await {
        return CreateOutcome::failed(error);
    }
    client.attribution().open(nonce.clone(), operation);
    if let Some(reservation) = &mut reservation {
        // From here on a task may exist, even if this future is dropped.
        reservation.keep(true);
    }
    let error = match client.service.create(&call, operation, body).await {
        Ok(CreateResponse { id, state }) => {
            let created = CreatedTask {
                operation,
                create: nonce.clone(),
                origin: Some(origin),
            };
            let now = client.clock().boot_time();
            let is_new = client
                .attribution()
                .record_response(id.clone(), created, &before, now);
            if is_new {
                tracing::info!(
                    operation = operation.name,
                    task_id = %printable(&id),
                    charged = %Charged::Yes,
                    request_id = call.request_id(),
                    "task created"
                );
                let client = Arc::clone(client);
                return CreateOutcome::Created(Task::created(
                    client, id, operation, origin, state, &call,
                ));
            }
            let summary = format!(
                "the service responded with task {}, which existed before",
                printable(&id)
            );
            Error::new(ErrorKind::UnexpectedResponse, Charged::Unknown, summary)
                .with_request_id(call.request_id())
        }
        Err(error) => error,
    };
    let charged = error.charged();
    tracing::warn!(
        operation = operation.name,
        error.type = ?error.kind(),
        %error,
        %charged,
        request_id = error.request_id(),
        "create failed"
    );
    if let Some(reservation) = &mut reservation {
        reservation.keep(charged != Charged::No);
    }
    if charged != Charged::Unknown {
        client.attribution().close(&nonce);
        return CreateOutcome::failed(error);
    }
    let unconfirmed = unconfirmed
        .given_up(client.clock(), error.request_id().map(str::to_owned))
        .with_candidates(error.candidates().to_vec());
    client
        .attribution()
        .give_up(&nonce, client.clock().boot_time());
    CreateOutcome::Unknown {
        error: error.with_unconfirmed(unconfirmed.clone()),
        unconfirmed,
    }
}

/// Runs the callbacks in order.
async fn record(before_send: &mut [BeforeSend], unconfirmed: &UnconfirmedCreate) -> Result<()> {
    for record in before_send {
        record(unconfirmed.clone()).await.map_err(|error| {
            Error::uncharged(
                ErrorKind::File,
                "the create could not be recorded, so nothing was sent",
            )
            .with_source(error)
        })?;
    }
    Ok(())
}

/// Acquires a permit for a task in flight, within the time limit of the call.
pub(crate) async fn acquire_permit(
    client: &ClientInner,
    fails_fast: bool,
) -> Result<InFlightPermit> {
    let limit = &client.in_flight;
    if let Some(permit) = limit.try_acquire() {
        return Ok(permit);
    }
    if fails_fast {
        return Err(too_many_in_flight(client));
    }
    tracing::debug!(max = limit.max(), "waiting for an in-flight permit");
    let Some(timeout) = client.http.settings.operation_timeout else {
        return Ok(limit.acquire().await);
    };
    tokio::select! {
        biased;
        permit = limit.acquire() => Ok(permit),
        () = client.clock().sleep(timeout) => Err(too_many_in_flight(client)),
    }
}

fn too_many_in_flight(client: &ClientInner) -> Error {
    let max = client.in_flight.max();
    Error::uncharged(
        ErrorKind::RateLimited,
        format!("too many tasks in flight (limit {max}), nothing was created"),
    )
    .with_retryable(true)
    .with_help("create again when a task has completed, or raise `max_in_flight_tasks`")
}
