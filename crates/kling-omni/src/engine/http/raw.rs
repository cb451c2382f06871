//! The way out of the raw client, each of whose requests is a call of its own.

use std::fmt;
use std::sync::Arc;

use kling_omni_api::{Admission, Client as Api, Exchange, Inner, Transport};
use tracing::Instrument;

use crate::engine::http::Http;
use crate::engine::http::call::{Call, Options};

/// The generated client for any number of operations, which answer what the service answered.
pub(crate) fn client(http: &Arc<Http>) -> Api {
    let transport = RawTransport {
        http: Arc::clone(http),
    };
    Api::new_with_client(
        &http.server.base_url,
        http.client.clone(),
        Inner::new(Arc::new(transport)),
    )
}

struct RawTransport {
    http: Arc<Http>,
}

impl RawTransport {
    fn call(&self) -> Arc<Call> {
        Call::new(Arc::clone(&self.http), Options::default())
    }
}

impl Transport for RawTransport {
    fn admit<'a>(&'a self, _operation: &'static str) -> Admission<'a> {
        Box::pin(async move {
            let slot = self.call().take_first_slot().await;
            slot.map_err(|error| error.to_string())
        })
    }

    fn exchange<'a>(&'a self, request: reqwest::Request, operation: &'static str) -> Exchange<'a> {
        let span = tracing::info_span!("call", operation);
        let exchange = async move {
            let last = self.call().run(request, operation).await;
            last.result.into_response()
        };
        Box::pin(exchange.instrument(span))
    }
}

impl fmt::Debug for RawTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawTransport").finish_non_exhaustive()
    }
}
