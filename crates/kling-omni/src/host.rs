//! The hosts of the service.

use http::HeaderName;
use kling_omni_api::service;

use crate::engine::http::Server;
use crate::named::by_name;

/// A host of the service. One key was observed to work on both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// `api.freepik.com`, with the key in `FREEPIK_API_KEY`.
    #[default]
    Freepik,
    /// `api.magnific.com`, with the key in `MAGNIFIC_API_KEY`.
    Magnific,
}

impl Host {
    /// Both hosts.
    pub const ALL: &[Self] = &[Self::Freepik, Self::Magnific];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Freepik => "freepik",
            Self::Magnific => "magnific",
        }
    }

    /// The environment variable with the key of this host.
    pub fn key_variable(self) -> &'static str {
        match self {
            Self::Freepik => "FREEPIK_API_KEY",
            Self::Magnific => "MAGNIFIC_API_KEY",
        }
    }

    /// The base URL, from the API's document.
    pub fn base_url(self) -> &'static str {
        match self {
            Self::Freepik => service::API_FREEPIK_COM,
            Self::Magnific => service::API_MAGNIFIC_COM,
        }
    }

    /// The server at `base_url`, or this host. Either expects the key in the header of this host.
    pub(crate) fn server(self, base_url: Option<String>) -> Server {
        Server {
            base_url: base_url.unwrap_or_else(|| self.base_url().to_owned()),
            key_header: HeaderName::from_static(self.key_header()),
        }
    }

    fn key_header(self) -> &'static str {
        match self {
            Self::Freepik => service::FREEPIK_API_KEY_HEADER,
            Self::Magnific => service::MAGNIFIC_API_KEY_HEADER,
        }
    }
}

by_name!(Host);
