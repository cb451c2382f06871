//! The body of a create.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::engine::error::{Error, ErrorKind, Result};
use crate::request::Request;
use crate::route::{CreateRoute, Tier};

/// The body of a create.
pub(super) enum Payload {
    Checked(Box<Request>),
    Unchecked { tier: Tier, body: Value },
}

impl Payload {
    pub(super) fn tier(&self) -> Tier {
        match self {
            Self::Checked(request) => request.tier(),
            Self::Unchecked { tier, .. } => *tier,
        }
    }

    pub(super) fn check(&self, route: CreateRoute) -> Result<()> {
        match self {
            Self::Checked(request) => Ok(request.check_route(route)?),
            Self::Unchecked { .. } => Ok(()),
        }
    }

    /// The JSON body.
    pub(super) fn body(&self) -> &Value {
        match self {
            Self::Checked(request) => request.body(),
            Self::Unchecked { body, .. } => body,
        }
    }

    /// The body in serialised form.
    pub(super) fn to_body(&self) -> Result<Box<RawValue>> {
        // The same bytes in every program: maps of serde_json have another order if any crate asks for it.
        let mut body = self.body().clone();
        body.sort_all_objects();
        to_raw_value(&body)
            .map_err(|error| Error::uncharged(ErrorKind::Validation, error.to_string()))
    }

    /// The correlation token in the webhook's URL.
    #[cfg(feature = "webhook")]
    pub(super) fn correlation(&self) -> Option<String> {
        let url = url::Url::parse(self.body().get("webhook_url")?.as_str()?).ok()?;
        let token = crate::engine::webhook::correlation::parse(url.query()?)?;
        Some(token.as_str().to_owned())
    }

    #[cfg(not(feature = "webhook"))]
    pub(super) fn correlation(&self) -> Option<String> {
        None
    }
}
