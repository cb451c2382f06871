//! Submission: the one call that costs money.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::request::Request;
use crate::route::{CreateRoute, Mode, Route, Tier};
use crate::session::Session;
use crate::task::Task;
use crate::transport::{Exchange, Options};
use crate::wire;

/// A task about to be created. Await it to send the request.
#[must_use = "nothing is sent until it is awaited"]
pub struct Create {
    session: Arc<Session>,
    payload: Payload,
    mode: Mode,
    route: Route,
}

enum Payload {
    Checked(Box<Request>),
    Unchecked { tier: Tier, body: Value },
}

impl Create {
    pub(crate) fn checked(session: Arc<Session>, request: Request) -> Self {
        Self {
            mode: request.mode(),
            route: session.route,
            session,
            payload: Payload::Checked(Box::new(request)),
        }
    }

    pub(crate) fn unchecked(session: Arc<Session>, tier: Tier, body: Value) -> Self {
        Self {
            mode: Mode::default(),
            route: session.route,
            session,
            payload: Payload::Unchecked { tier, body },
        }
    }

    /// Sends a body that nobody has checked to the routes of another mode than [`Mode::Reference`]. A checked request
    /// knows its own, and setting another is an error.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Takes another route than the client's own setting, for this task alone. Of the modes, [`Mode::Reference`] alone
    /// has a choice.
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    async fn run(self) -> Result<Task> {
        if let Payload::Checked(request) = &self.payload {
            if request.mode() != self.mode {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    format!(
                        "the request is of the mode {}, and cannot be sent in the mode {}",
                        request.mode(),
                        self.mode
                    ),
                ));
            }
            for warning in request.warnings() {
                tracing::warn!(code = %warning.code(), "{warning}");
            }
        }
        let plan = self.route.plan(
            self.mode,
            self.payload.tier(),
            self.session.is_successor_only(),
        );
        let mut routes = plan.iter().copied().peekable();
        let mut gone: Option<Error> = None;
        while let Some(route) = routes.next() {
            match self.send(route).await {
                Ok(task) => {
                    if gone.is_some() {
                        self.session.remember_successor_only();
                    }
                    return Ok(task);
                }
                // A route that does not exist has made no task, so the next one may be asked.
                Err(error) if error.kind() == ErrorKind::NotFound && routes.peek().is_some() => {
                    tracing::info!(%route, %error, "the route is gone, trying its successor");
                    gone = Some(error);
                }
                Err(error) => return Err(after(gone, error)),
            }
        }
        Err(Error::new(
            ErrorKind::Configuration,
            "there is no route to try",
        ))
    }

    async fn send(&self, route: CreateRoute) -> Result<Task> {
        let (body, replacement) = match &self.payload {
            Payload::Checked(request) => {
                request.check_for(route)?;
                (Some(request.body()), None)
            }
            Payload::Unchecked { body, .. } => (None, Some(Bytes::from(body.to_string()))),
        };
        let options = Options {
            body: replacement,
            ..Options::default()
        };
        let exchange = Exchange::new(Arc::clone(&self.session), options);
        let state = wire::create(&exchange, route, body).await?;
        Ok(Task::created(
            Arc::clone(&self.session),
            route,
            state,
            exchange.request_id(),
        ))
    }
}

/// An error of the successor that came about only because the older route is gone.
fn after(gone: Option<Error>, error: Error) -> Error {
    match gone {
        Some(gone) if error.kind() == ErrorKind::Validation => error
            .with_status_of(&gone)
            .after("the older route does not exist any more, and the rules of its successor count"),
        _ => error,
    }
}

impl Payload {
    fn tier(&self) -> Tier {
        match self {
            Self::Checked(request) => request.tier(),
            Self::Unchecked { tier, .. } => *tier,
        }
    }
}

impl IntoFuture for Create {
    type Output = Result<Task>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Task>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Create {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Create")
            .field("mode", &self.mode)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}
