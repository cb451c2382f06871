//! The transport of requests, which the caller implements.
//!
//! Limitations of the client generator (progenitor 0.15), which this module works around:
//!
//! * It adds an `api-version` header to every request, without a setting. [`pre`](ClientHooks::pre) removes it.
//! * The hook that executes a request returns the result of reqwest, without further values or errors. A transport that
//!   has more information about an exchange keeps it for its caller; one that does not send a request returns the
//!   reason from [`Transport::admit`].
//! * The hooks of one request share only the client. A transport with state for a request needs a client for each
//!   request, which is cheap.
//! * An operation accepts any value that converts into its body, and drops the reason if that fails; see
//!   [`RequestBody`](crate::RequestBody).

use std::fmt;
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::Arc;

use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};

use crate::Client;

/// The future of a request and its response.
pub type Exchange<'a> =
    Pin<Box<dyn Future<Output = reqwest::Result<reqwest::Response>> + Send + 'a>>;

/// The future of the permission to send a request, or of the reason for not sending it.
pub type Admission<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Sends the requests of the generated [`Client`] to the service.
///
/// The generated code handles only paths, parameters and bodies. Keys, timeouts, retries and limits are up to the
/// implementation.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Waits until a request for the operation with this [`name`](crate::Operation::name) may be sent. Default: returns
    /// immediately.
    ///
    /// # Errors
    ///
    /// Fails with the reason if the request must not be sent. The operation then fails with it as [`Error::Custom`].
    fn admit<'a>(&'a self, operation: &'static str) -> Admission<'a> {
        let _ = operation;
        Box::pin(future::ready(Ok(())))
    }

    /// Sends `request` for the operation with this [`name`](crate::Operation::name), and returns the response.
    fn exchange<'a>(&'a self, request: reqwest::Request, operation: &'static str) -> Exchange<'a>;
}

/// The state of a [`Client`] besides its base URL: the transport.
#[derive(Clone, Debug)]
pub struct Inner {
    transport: Arc<dyn Transport>,
}

impl Inner {
    /// Creates the state of a client that sends its requests through `transport`.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }
}

impl ClientHooks<Inner> for Client {
    async fn pre<E>(
        &self,
        request: &mut reqwest::Request,
        info: &OperationInfo,
    ) -> Result<(), Error<E>> {
        request.headers_mut().remove("api-version");
        let admission = self.inner().transport.admit(info.operation_id);
        admission.await.map_err(Error::Custom)
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
