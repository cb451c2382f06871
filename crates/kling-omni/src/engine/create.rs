//! Creates a task: one request that costs money, sent once.

use std::io;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::engine::attribution::CreatedTask;
use crate::engine::client::ClientInner;
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::call::{self, Call, Options};
use crate::engine::limits::in_flight::InFlightPermit;
use crate::engine::operations::CreateOperation;
use crate::engine::polling::durations::{TaskKind, TaskOrigin};
use crate::engine::service::Created;
use crate::engine::task::Task;
use crate::engine::unconfirmed::{CreateNonce, Snapshot, UnconfirmedCreate};
use crate::redact::printable;

/// Records what is needed to find the task, before anything is sent.
pub(crate) type BeforeSend = Box<dyn FnMut(&UnconfirmedCreate) -> io::Result<()> + Send>;

/// The three outcomes of a create. There will be no fourth one, and a `match` can be exhaustive.
#[derive(Debug)]
pub enum CreateOutcome {
    /// There is a paid task.
    Created(Task),
    /// No paid task was made: nothing was sent, or the service refused. It may be created again.
    Rejected(Error),
    /// A paid task may have been made. Creating it again may pay for a second one.
    Unknown {
        /// What [`Client::reconcile`](crate::Client::reconcile) needs to find out.
        unresolved: UnconfirmedCreate,
        /// What went wrong.
        error: Error,
    },
}

impl CreateOutcome {
    /// The outcome of a create that ended before its own request. An uploader of the caller's may fail with the error of
    /// another create.
    pub(crate) fn failed(error: Error) -> Self {
        match error.unconfirmed_create() {
            Some(unresolved) => Self::Unknown {
                unresolved: unresolved.clone(),
                error,
            },
            None => Self::Rejected(error),
        }
    }

    /// The task, or the error of a create that did not return one.
    pub fn into_result(self) -> Result<Task> {
        match self {
            Self::Created(task) => Ok(task),
            Self::Rejected(error) | Self::Unknown { error, .. } => Err(error),
        }
    }
}

/// One create, about to be sent by one operation.
pub(crate) struct Submission {
    pub(crate) operation: &'static CreateOperation,
    pub(crate) body: Box<RawValue>,
    pub(crate) options: Options,
    pub(crate) kind: TaskKind,
    /// The correlation token of the request, if it has one.
    pub(crate) correlation: Option<String>,
    /// The tasks that were listed before.
    pub(crate) known: Option<Snapshot>,
}

/// Sends a create. It is sent again only when it certainly made no task.
pub(crate) async fn submit(
    client: &Arc<ClientInner>,
    submission: Submission,
    before_send: &mut Option<BeforeSend>,
) -> CreateOutcome {
    let Submission {
        operation,
        body,
        options,
        kind,
        correlation,
        known,
    } = submission;
    let call = Call::new(Arc::clone(&client.http), options);
    // Before the times are recorded, which a delay would make wrong.
    if let Err(error) = call.take_first_slot().await {
        return CreateOutcome::failed(error);
    }
    let nonce = CreateNonce::new();
    let origin = TaskOrigin {
        kind,
        created: client.clock().now(),
    };
    let longest = call::longest_call(&client.http);
    let unresolved = UnconfirmedCreate::new(
        operation,
        nonce.clone(),
        client.clock(),
        longest,
        correlation,
        known,
    );
    if let Err(error) = record(before_send, &unresolved).await {
        return CreateOutcome::failed(error);
    }
    client.attribution().open(nonce.clone(), operation);
    let error = match client.service.create(&call, operation, body).await {
        Ok(Created { id, state }) => {
            let created = CreatedTask {
                operation,
                by: nonce.clone(),
                origin: Some(origin),
            };
            let now = client.clock().boot_time();
            let is_new =
                client
                    .attribution()
                    .answered(id.clone(), created, unresolved.known(), now);
            if is_new {
                let client = Arc::clone(client);
                return CreateOutcome::Created(Task::created(
                    client, id, operation, origin, state, &call,
                ));
            }
            let summary = format!(
                "the service answered with the task {}, which was there before",
                printable(&id)
            );
            Error::new(ErrorKind::UnexpectedResponse, Charged::Unknown, summary)
                .with_request_id(call.request_id())
        }
        Err(error) => error,
    };
    if error.charged() != Charged::Unknown {
        client.attribution().close(&nonce);
        return CreateOutcome::failed(error);
    }
    let unresolved = unresolved
        .given_up(client.clock(), error.request_id().map(str::to_owned))
        .with_candidates(error.candidates().to_vec());
    client
        .attribution()
        .give_up(&nonce, client.clock().boot_time());
    CreateOutcome::Unknown {
        error: error.with_unconfirmed(unresolved.clone()),
        unresolved,
    }
}

/// Calls `before_send` on a blocking thread.
async fn record(before_send: &mut Option<BeforeSend>, unresolved: &UnconfirmedCreate) -> Result<()> {
    let Some(mut record) = before_send.take() else {
        return Ok(());
    };
    let unresolved = unresolved.clone();
    let recording = tokio::task::spawn_blocking(move || {
        let recorded = record(&unresolved);
        (record, recorded)
    });
    let (record, recorded) = recording
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    *before_send = Some(record);
    recorded.map_err(|error| {
        Error::uncharged(
            ErrorKind::File,
            "what would be needed to find the task could not be recorded, and so nothing was created",
        )
        .with_source(error)
    })
}

/// Takes a permit for a task in flight, within the time for the call.
pub(crate) async fn take_permit(client: &ClientInner, fails_fast: bool) -> Result<InFlightPermit> {
    let limit = &client.in_flight;
    if let Some(permit) = limit.try_acquire() {
        return Ok(permit);
    }
    if fails_fast {
        return Err(too_many(client));
    }
    tracing::debug!(max = limit.max(), "waiting for a task to end");
    let Some(timeout) = client.http.settings.operation_timeout else {
        return Ok(limit.acquire().await);
    };
    tokio::select! {
        biased;
        permit = limit.acquire() => Ok(permit),
        () = client.clock().sleep(timeout) => Err(too_many(client)),
    }
}

fn too_many(client: &ClientInner) -> Error {
    let max = client.in_flight.max();
    Error::uncharged(
        ErrorKind::RateLimited,
        format!(
            "as many tasks are in flight as this client may have ({max}), and so nothing was created"
        ),
    )
    .with_retryable(true)
    .with_help("create it once one of them has ended, or raise `max_in_flight_tasks`")
}
