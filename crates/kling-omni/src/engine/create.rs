//! Creates a task: one request that costs money, sent once.

pub(crate) mod outcome;

use std::io;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::engine::attribution::CreatedTask;
use crate::engine::client::ClientInner;
use crate::engine::create::outcome::Outcome;
use crate::engine::error::{Charged, Error, ErrorKind, Result};
use crate::engine::http::call::{self, Call, Options};
use crate::engine::limits::in_flight::InFlightPermit;
use crate::engine::operations::CreateOperation;
use crate::engine::polling::durations::{TaskKind, TaskOrigin};
use crate::engine::service::Created;
use crate::engine::task::Task;
use crate::engine::unconfirmed::{CreateNonce, Snapshot, Unresolved};
use crate::redact::printable;

/// Records what is needed to find the task, before anything is sent.
pub(crate) type BeforeSend = Box<dyn FnMut(&Unresolved) -> io::Result<()> + Send>;

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
) -> Outcome {
    let Submission {
        operation,
        body,
        options,
        kind,
        correlation,
        known,
    } = submission;
    let call = Call::new(Arc::clone(&client.http), options);
    // What is recorded of the time would be wrong if the request were then held back.
    if let Err(error) = call.take_first_slot().await {
        return error.into();
    }
    let nonce = CreateNonce::new();
    let origin = TaskOrigin {
        kind,
        created: client.clock().now(),
    };
    let longest = call::longest_call(&client.http);
    let unresolved = Unresolved::new(
        operation,
        nonce.clone(),
        client.clock(),
        longest,
        correlation,
        known,
    );
    if let Err(error) = record(before_send, &unresolved).await {
        return error.into();
    }
    client.attribution().open(nonce.clone(), operation);
    let error = match client.service.create(&call, operation, body).await {
        Ok(Created { id, .. }) if is_taken(client, &id, &unresolved) => {
            let summary = format!(
                "the service answered with the task {}, which was there before",
                printable(&id)
            );
            Error::new(ErrorKind::UnexpectedResponse, summary)
                .with_request_id(call.request_id())
                .with_charged(Charged::Unknown)
        }
        Ok(Created { id, state }) => {
            let id: Arc<str> = id.into();
            let created = CreatedTask {
                operation,
                by: nonce,
                origin: Some(origin),
            };
            client.attribution().answered(Arc::clone(&id), created);
            let client = Arc::clone(client);
            return Outcome::Created(Task::created(client, id, operation, origin, state, &call));
        }
        Err(error) => error,
    };
    if error.charged() != Charged::Unknown {
        client.attribution().close(&nonce);
        return error.into();
    }
    let unresolved = unresolved
        .given_up(client.clock(), error.request_id().map(str::to_owned))
        .with_candidates(error.candidates().to_vec());
    client
        .attribution()
        .give_up(&nonce, client.clock().boot_time());
    Outcome::Unknown {
        error: error.with_unresolved(unresolved.clone()),
        unresolved,
    }
}

/// Hands out what is needed to find the task, where waiting for the disk holds nobody up.
async fn record(before_send: &mut Option<BeforeSend>, unresolved: &Unresolved) -> Result<()> {
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
        Error::new(
            ErrorKind::File,
            "what would be needed to find the task could not be recorded, and so nothing was created",
        )
        .with_source(error)
    })
}

/// Whether a task that an answer names cannot be the new one of a create that can be reconciled: it was listed before, or
/// is that of another create. An answer that was kept on the way, or belongs to another request, looks like this.
fn is_taken(client: &ClientInner, id: &str, unresolved: &Unresolved) -> bool {
    unresolved.known().is_some_and(|known| {
        let attribution = client.attribution();
        known.ids.contains(id) || attribution.is_of_another(id, unresolved.create())
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
    let most = client.in_flight.max();
    Error::new(
        ErrorKind::RateLimited,
        format!(
            "as many tasks are in flight as this client may have ({most}), and so nothing was created"
        ),
    )
    .with_retryable(true)
    .with_help("create it once one of them has ended, or raise `tasks_in_flight`")
}
