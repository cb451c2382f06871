//! The transport of requests, which the caller implements.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};

use crate::Client;

/// The future of one exchange with the service.
pub type Exchange<'a> =
    Pin<Box<dyn Future<Output = reqwest::Result<reqwest::Response>> + Send + 'a>>;

/// Carries every request of the generated [`Client`] to the service.
///
/// The generated code knows paths, parameters and bodies, and nothing else: keys, timeouts, attempts and limits belong
/// to the implementor.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `request`, made for the operation of this [`name`](crate::Operation::name), and answers the response.
    fn exchange<'a>(&'a self, request: reqwest::Request, operation: &'static str) -> Exchange<'a>;
}

/// What a [`Client`] keeps beside its base URL: the way out.
#[derive(Clone, Debug)]
pub struct Inner {
    transport: Arc<dyn Transport>,
}

impl Inner {
    /// Sends every request through `transport`.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }
}

impl ClientHooks<Inner> for Client {
    async fn pre<E>(
        &self,
        request: &mut reqwest::Request,
        _info: &OperationInfo,
    ) -> Result<(), progenitor_client::Error<E>> {
        // The generator adds its own idea of a version to every request; the service has no such header.
        request.headers_mut().remove("api-version");
        Ok(())
    }

    async fn exec(
        &self,
        request: reqwest::Request,
        info: &OperationInfo,
    ) -> reqwest::Result<reqwest::Response> {
        self.inner()
            .transport
            .exchange(request, info.operation_id)
            .await
    }
}
