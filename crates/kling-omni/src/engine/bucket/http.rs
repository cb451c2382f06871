//! Connects a bucket to the HTTP library of this crate. The connector of `object_store` would enable HTTP/2 for all clients
//! and requires a choice of TLS library.

use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use reqwest::redirect;

use crate::engine::http::client::build_http_client;
use crate::engine::http::proxy::Proxies;

/// Builds HTTP clients. Applies the timeouts of a store's options and whether plain HTTP is allowed, and rejects a proxy.
#[derive(Debug)]
pub(crate) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        if options
            .get_config_value(&ClientConfigKey::ProxyUrl)
            .is_some()
        {
            return Err(generic(
                "the store option for a proxy is not supported, use HTTPS_PROXY instead of AWS_PROXY_URL",
            ));
        }
        let limit = |key| duration_option(options, key);
        let is_plain = options.get_config_value(&ClientConfigKey::AllowHttp);
        let mut bare = reqwest::Client::builder()
            .https_only(is_plain.is_none_or(|is_plain| is_plain != "true"));
        if let Some(limit) = limit(ClientConfigKey::Timeout)? {
            bare = bare.timeout(limit);
        }
        let connect = limit(ClientConfigKey::ConnectTimeout)?.unwrap_or(Duration::MAX);
        // A signature is valid for one host.
        let client = build_http_client(bare, connect, redirect::Policy::none()).map_err(generic)?;
        Ok(HttpClient::new(BucketHttp(client)))
    }
}

fn duration_option(
    options: &ClientOptions,
    key: ClientConfigKey,
) -> object_store::Result<Option<Duration>> {
    let value = options.get_config_value(&key);
    let Some(value) = value else {
        return Ok(None);
    };
    match humantime::parse_duration(&value) {
        Ok(time) => Ok(Some(time)),
        Err(_) => Err(generic(format!(
            "{value:?} is not a valid duration for {}",
            key.as_ref()
        ))),
    }
}

fn generic(error: impl Into<Box<dyn StdError + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic {
        store: "HTTP",
        source: error.into(),
    }
}

#[derive(Debug)]
struct BucketHttp(reqwest::Client);

#[async_trait]
impl HttpService for BucketHttp {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = request.map(reqwest::Body::wrap);
        let request: reqwest::Request = request.try_into().map_err(to_http_error)?;
        Proxies::from_env()
            .covers(request.url())
            .map_err(|error| HttpError::new(HttpErrorKind::Decode, error))?;
        let response = self.0.execute(request).await.map_err(to_http_error)?;
        let response = http::Response::<reqwest::Body>::from(response);
        Ok(response.map(|body| HttpResponseBody::new(body.map_err(to_http_error))))
    }
}

/// The library retries by kind: a request that may have arrived only if it is idempotent.
fn to_http_error(error: reqwest::Error) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_builder() || error.is_decode() {
        HttpErrorKind::Decode
    } else {
        HttpErrorKind::Interrupted
    };
    HttpError::new(kind, error.without_url())
}
