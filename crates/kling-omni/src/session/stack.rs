use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect;

use crate::error::{Error, ErrorKind, Result};

/// An HTTP client of our making, from settings of its own and those that all of them have.
pub(crate) fn stack(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
    redirects: redirect::Policy,
) -> Result<reqwest::Client> {
    builder
        .connect_timeout(connect_timeout)
        .redirect(redirects)
        // Whether a request may be repeated is decided in one place, which sees each attempt.
        .retry(reqwest::retry::never())
        .referer(false)
        .build()
        .map_err(|error| {
            Error::new(
                ErrorKind::Configuration,
                "the HTTP client could not be set up",
            )
            .with_source(error.without_url())
            .with_advice("a system without CA certificates is a common cause: install them")
        })
}

/// The HTTP client that brings files to a storage host: never carries the key, nor any header of its own, and follows no
/// redirect.
///
/// It is made when it is needed, since most clients upload nothing, and reading the platform's certificates takes time.
pub(crate) struct UploadClient {
    client: OnceLock<reqwest::Client>,
    connect_timeout: Duration,
}

impl UploadClient {
    pub(crate) fn new(ready: Option<reqwest::Client>, connect_timeout: Duration) -> Self {
        Self {
            client: ready.map_or_else(OnceLock::new, OnceLock::from),
            connect_timeout,
        }
    }

    pub(crate) fn get(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let bare = reqwest::Client::builder();
        let client = stack(bare, self.connect_timeout, redirect::Policy::none())?;
        Ok(self.client.get_or_init(|| client))
    }
}
