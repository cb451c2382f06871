//! Where something stands in an exchange, seen from us.

use crate::rule::Direction;

/// Where a schema stands in an exchange. Deliveries to a webhook count as responses, because the service sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A whole body that we send.
    RequestBody,
    /// Something inside a body that we send.
    RequestProperty,
    /// A parameter that we send, or a header.
    RequestParameter,
    /// A whole body that the service sends.
    ResponseBody,
    /// Something inside a body that the service sends.
    ResponseProperty,
    /// A header that the service sends.
    ResponseHeader,
}

impl Place {
    /// The place of a whole body.
    pub fn body(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::RequestBody,
            Direction::Response => Self::ResponseBody,
        }
    }

    /// The place of a parameter or a header.
    pub fn parameter(direction: Direction) -> Self {
        match direction {
            Direction::Request => Self::RequestParameter,
            Direction::Response => Self::ResponseHeader,
        }
    }

    /// The place of what is inside: of a property, an item of a list.
    pub fn inside(self) -> Self {
        match self {
            Self::RequestBody => Self::RequestProperty,
            Self::ResponseBody => Self::ResponseProperty,
            other => other,
        }
    }

    /// Who sends it.
    pub fn direction(self) -> Direction {
        match self {
            Self::RequestBody | Self::RequestProperty | Self::RequestParameter => {
                Direction::Request
            }
            Self::ResponseBody | Self::ResponseProperty | Self::ResponseHeader => {
                Direction::Response
            }
        }
    }
}
