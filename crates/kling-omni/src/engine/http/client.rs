//! The one place where HTTP clients are made.

use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderValue;
use reqwest::redirect;
use url::Url;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::http::proxy::Proxies;

/// More headers than any well-meant response has, such as one with a cookie from each proxy on the way.
const MAX_HEADERS: usize = 2_000;

/// The same for calls, which are many. The HTTP stack allocates 64 bytes for each header with every response, before it
/// reads any: from 64 KiB on, allocators return the memory to the system each time.
const MAX_CALL_HEADERS: usize = 500;

/// An HTTP client of our making, from settings of its own and those that all of them have.
pub(crate) fn build_http_client(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
    redirects: redirect::Policy,
) -> Result<reqwest::Client> {
    let builder = accept_malformed_headers(Proxies::from_env().set_on(builder));
    built(builder, connect_timeout, redirects)
}

/// The client for calls, which follows no redirect.
pub(crate) fn build_call_client(
    builder: reqwest::ClientBuilder,
    connect_timeout: Duration,
) -> Result<reqwest::Client> {
    let builder = accept_malformed_headers(Proxies::from_env().set_on(builder));
    let builder = builder.http1_max_headers(MAX_CALL_HEADERS);
    built(builder, connect_timeout, redirect::Policy::none())
}

/// The same without any proxy.
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
        // Whether a request may be repeated is decided in one place, which sees each attempt.
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

/// Reads the headers of responses as the client of this crate does: one that breaks the rules says nothing about the
/// response behind it, which may name a paid task.
pub fn accept_malformed_headers(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_max_headers(MAX_HEADERS)
}

/// An HTTP client that is made when it is needed: most clients upload nothing, and many never fetch a result, and reading
/// the platform's certificates takes time.
pub(crate) struct LazyClient {
    client: OnceLock<reqwest::Client>,
    /// Whether the proxies are those of the environment.
    is_ours: bool,
    user_agent: Option<HeaderValue>,
    connect_timeout: Duration,
    redirects: fn() -> redirect::Policy,
}

impl LazyClient {
    /// The one that is ready, or else one of our making that says who it is, if it is to.
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
