//! Runs generated operations as calls of the engine.

use std::fmt;
use std::sync::Arc;

use kling_omni_api::{
    Admission, Client as Api, Error as ApiError, Exchange, Inner, ResponseValue, Transport, service,
};
use tracing::Instrument;

use crate::engine::error::Result;
#[cfg(feature = "raw")]
use crate::engine::http::Http;
use crate::engine::http::attempt_result::Idempotency;
use crate::engine::http::call::Call;
#[cfg(feature = "raw")]
use crate::engine::http::call::Options;

/// A generated client that sends its requests through `call`, for one operation.
pub(crate) fn client(call: &Arc<Call>) -> Api {
    build_client(
        call.server().base_url.as_str(),
        call.client(),
        CallTransport(Arc::clone(call)),
    )
}

/// A generated client for any number of operations. It returns the responses of the service unchanged.
#[cfg(feature = "raw")]
pub(crate) fn raw_client(http: &Arc<Http>) -> Api {
    let transport = RawTransport(Arc::clone(http));
    build_client(&http.server.base_url, &http.client, transport)
}

fn build_client(
    base_url: &str,
    client: &reqwest::Client,
    transport: impl Transport + 'static,
) -> Api {
    Api::new_with_client(base_url, client.clone(), Inner::new(Arc::new(transport)))
}

/// Converts the result of a generated operation into ours. Of the generated error only the parse error of the body is
/// used. It is never displayed, because it prints entire bodies and headers.
pub(crate) fn finish<T, E>(
    call: &Call,
    result: std::result::Result<ResponseValue<T>, ApiError<E>>,
) -> Result<T> {
    call.finish(
        result
            .map(ResponseValue::into_inner)
            .map_err(|error| match error {
                ApiError::InvalidResponsePayload(_, reason) => Some(reason.to_string()),
                _ => None,
            }),
    )
}

fn idempotency_of(operation: &str) -> Idempotency {
    let mut operations = service::OPERATIONS.iter();
    let operation = operations.find(|known| known.name == operation);
    if operation.is_some_and(|operation| operation.role.is_repeatable()) {
        Idempotency::Read
    } else {
        Idempotency::Create
    }
}

struct CallTransport(Arc<Call>);

impl Transport for CallTransport {
    fn admit<'a>(&'a self, _operation: &'static str) -> Admission<'a> {
        Box::pin(self.0.admit())
    }

    fn exchange<'a>(&'a self, request: reqwest::Request, operation: &'static str) -> Exchange<'a> {
        let span = tracing::info_span!("call", operation);
        let idempotency = idempotency_of(operation);
        Box::pin(
            self.0
                .send(request, idempotency, operation)
                .instrument(span),
        )
    }
}

impl fmt::Debug for CallTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallTransport").field(&self.0).finish()
    }
}

/// Runs each request as a separate call.
#[cfg(feature = "raw")]
struct RawTransport(Arc<Http>);

#[cfg(feature = "raw")]
impl RawTransport {
    fn call(&self) -> Arc<Call> {
        Call::new(Arc::clone(&self.0), Options::default())
    }
}

#[cfg(feature = "raw")]
impl Transport for RawTransport {
    fn admit<'a>(&'a self, _operation: &'static str) -> Admission<'a> {
        Box::pin(async move {
            let slot = self.call().acquire_first_slot().await;
            slot.map_err(|error| error.to_string())
        })
    }

    fn exchange<'a>(&'a self, request: reqwest::Request, operation: &'static str) -> Exchange<'a> {
        let span = tracing::info_span!("call", operation);
        let exchange = async move {
            let idempotency = idempotency_of(operation);
            let last = self.call().run(request, idempotency, operation).await;
            last.result.into_response()
        };
        Box::pin(exchange.instrument(span))
    }
}

#[cfg(feature = "raw")]
impl fmt::Debug for RawTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawTransport").finish_non_exhaustive()
    }
}
