//! The way of a request to the service, which the caller implements.
//!
//! What the client generator (progenitor 0.15) cannot do, and what is done about it, here and nowhere else:
//!
//! * It gives every request an `api-version` header, and no setting leaves it out. [`pre`](ClientHooks::pre) takes it off
//!   again.
//! * The hook that executes a request returns reqwest's own result, and no value or error of another kind. A transport
//!   that knows more of an exchange keeps it for its caller; one that does not send a request says so in
//!   [`Transport::admit`], before there is a result.
//! * The hooks of one request share nothing but the client. A transport that has to remember something from one to the
//!   next needs a client for each request, which is cheap.
//! * An operation takes its body from anything that converts into it, and drops the reason when that fails; see
//!   [`RequestBody`](crate::RequestBody).

use std::fmt;
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::Arc;

use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};

use crate::Client;

/// The future of one exchange with the service.
pub type Exchange<'a> =
    Pin<Box<dyn Future<Output = reqwest::Result<reqwest::Response>> + Send + 'a>>;

/// The future of the permission to send a request, or of the reason why it is not sent.
pub type Admission<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Carries every request of the generated [`Client`] to the service.
///
/// The generated code knows paths, parameters and bodies, and nothing else: keys, timeouts, attempts and limits belong
/// to the implementor.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Waits until a request for the operation of this [`name`](crate::Operation::name) may be sent; by default, that is
    /// at once.
    ///
    /// # Errors
    ///
    /// Why the request is not sent. The operation then fails with this as [`Error::Custom`].
    fn admit<'a>(&'a self, operation: &'static str) -> Admission<'a> {
        let _ = operation;
        Box::pin(future::ready(Ok(())))
    }

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
