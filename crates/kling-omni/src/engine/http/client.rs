//! Builds all HTTP clients.

use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderValue;
use reqwest::redirect;
use url::Url;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::http::proxy::Proxies;

/// A limit above the headers of any regular response, such as one with a cookie from each proxy on the way.
const MAX_HEADERS: usize = 2_000;

/// The limit for calls, which are frequent. The HTTP library allocates 64 bytes for each possible header before it reads a
/// response, and allocators return allocations of 64 KiB or more to the system each time.
const MAX_CALL_HEADERS: usize = 500;

/// Builds an HTTP client from its own settings and the common ones.
pub(crate) fn build_http_client(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
    redirects: redirect::Policy,
) -> Result<reqwest::Client> {
    let builder = accept_malformed_headers(Proxies::from_env().set_on(builder));
    built(builder, connect_timeout, redirects)
}

/// Builds the client for calls, which follows no redirects.
pub(crate) fn build_call_client(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
) -> Result<reqwest::Client> {
    let builder = accept_malformed_headers(Proxies::from_env().set_on(builder));
    let builder = builder.http1_max_headers(MAX_CALL_HEADERS);
    built(builder, connect_timeout, redirect::Policy::none())
}

/// Builds a client that uses no proxy.
pub(crate) fn build_direct_http_client(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
    redirects: redirect::Policy,
) -> Result<reqwest::Client> {
    let builder = accept_malformed_headers(builder.no_proxy());
    built(builder, connect_timeout, redirects)
}

fn built(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
    redirects: redirect::Policy,
) -> Result<reqwest::Client> {
    builder
        .connect_timeout(connect_timeout)
        .redirect(redirects)
        // Only `Call` retries: it sees each attempt.
        .retry(reqwest::retry::never())
        .referer(false)
        .build()
        .map_err(|error| {
            Error::uncharged(
                ErrorKind::Configuration,
                "the HTTP client could not be set up",
            )
            .with_source(error.without_url())
            .with_help("a system without CA certificates is a common cause: install them")
        })
}

/// Makes a client accept malformed headers of responses, as the client of this crate does: the response behind such a
/// header may name a paid task.
pub fn accept_malformed_headers(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEADERS)
}

/// An HTTP client that is built on first use. Most clients upload nothing, many never download a result, and loading the
/// platform's certificates takes time.
pub(crate) struct LazyClient {
    client: OnceLock<reqwest::Client>,
    /// Whether this crate builds the client, which then uses the proxies of the environment.
    is_ours: bool,
    user_agent: Option<HeaderValue>,
    connect_timeout: Duration,
    redirects: fn() -> redirect::Policy,
}

impl LazyClient {
    /// Uses `ready`, or builds a client with the given user agent on first use.
    pub(crate) fn new(
        ready: Option<reqwest::Client>,
        user_agent: Option<HeaderValue>,
        connect_timeout: Duration,
        redirects: fn() -> redirect::Policy,
    ) -> Self {
        Self {
            is_ours: ready.is_none(),
            client: ready.map_or_else(OnceLock::new, OnceLock::from),
            user_agent,
            connect_timeout,
            redirects,
        }
    }

    /// The client for a request to `url`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the proxy for `url` cannot be used, or the client cannot be made.
    pub(crate) fn get(&self, url: &Url) -> Result<&reqwest::Client> {
        if self.is_ours {
            Proxies::from_env().covers(url)?;
        }
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let builder = reqwest::Client::builder();
        let builder = match &self.user_agent {
            Some(agent) => builder.user_agent(agent.clone()),
            None => builder,
        };
        let client = build_http_client(builder, self.connect_timeout, (self.redirects)())?;
        Ok(self.client.get_or_init(|| client))
    }
}
