//! Forwards deliveries to another program, with a new signature.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use kling_omni::webhook::Secret;
use kling_omni::webhook::correlation::{self, Token};
use reqwest::{StatusCode, Url};
use serde::Serialize;

use super::secrets;
use crate::failure::Failure;
use crate::input;

/// The time limit for a response of the target.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The delays before retries, if no connection is established: the target may be restarting.
const RETRY_DELAYS: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

#[derive(Args, Debug)]
pub(super) struct ForwardArgs {
    /// Forward authentic deliveries to this URL, with a new signature; redirects are not followed
    #[arg(long, value_name = "URL", value_parser = parse_target)]
    forward: Option<Url>,

    /// Sign forwarded deliveries with the secret in this environment variable [default: the first secret]
    #[arg(
        long,
        value_name = "NAME",
        requires = "forward",
        conflicts_with = "forward_secret_file"
    )]
    forward_secret_env: Option<String>,

    /// Sign forwarded deliveries with the secret in this file
    #[arg(long, value_name = "FILE", value_parser = input::file_or_stdin(), requires = "forward")]
    forward_secret_file: Option<PathBuf>,
}

impl ForwardArgs {
    pub(super) fn secret_file(&self) -> Option<&Path> {
        self.forward_secret_file.as_deref()
    }
}

/// Parses the target URL. An error does not contain the URL.
fn parse_target(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "invalid URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the URL must begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not contain a user name or password");
    }
    Ok(url)
}

/// Forwards deliveries to a target.
pub(super) struct Forwarder {
    url: Url,
    secret: Secret,
    client: reqwest::Client,
}

/// The result of forwarding a delivery.
#[derive(Debug, Serialize)]
pub(super) struct ForwardResult {
    /// The status of the target's response.
    pub(super) http_status: Option<u16>,
    pub(super) attempts: usize,
    /// Why no response arrived.
    pub(super) error: Option<String>,
    #[serde(skip)]
    status: StatusCode,
}

impl Forwarder {
    pub(super) fn from_args(args: ForwardArgs, default: &Secret) -> Result<Option<Self>, Failure> {
        let Some(url) = args.forward else {
            return Ok(None);
        };
        let secret = match (&args.forward_secret_env, &args.forward_secret_file) {
            (Some(name), _) => secrets::from_variable("--forward-secret-env", name)?,
            (None, Some(path)) => {
                match secrets::from_file("--forward-secret-file", path)?.as_slice() {
                    [secret] => secret.clone(),
                    secrets => {
                        return Err(Failure::usage(format!(
                            "{} contains {} secrets, but --forward-secret-file needs exactly one",
                            input::name(path),
                            secrets.len()
                        )));
                    }
                }
            }
            (None, None) => default.clone(),
        };
        let client = reqwest::Client::builder()
            // The target is on this machine or in its network, which a proxy may not reach.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| {
                Failure::unexpected("cannot build the HTTP client").with_cause(error)
            })?;
        Ok(Some(Self {
            url,
            secret,
            client,
        }))
    }

    /// Forwards a delivery. It is retried only if no connection is established, because otherwise it may have arrived.
    pub(super) async fn forward(
        &self,
        id: &str,
        correlation: Option<&Token>,
        body: &[u8],
    ) -> Result<ForwardResult, Failure> {
        let url = match correlation {
            Some(token) => correlation::attach(self.url.as_str(), token)?,
            None => self.url.to_string(),
        };
        let mut delays = RETRY_DELAYS.iter();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let request = self
                .client
                .post(&url)
                .headers(self.secret.headers(id, SystemTime::now(), body)?)
                .header("content-type", "application/json")
                .body(body.to_vec());
            let error = match request.send().await {
                Ok(response) => return Ok(ForwardResult::from_status(response.status(), attempts)),
                Err(error) => error,
            };
            match delays
                .next()
                .filter(|_| error.is_connect() && !error.is_timeout())
            {
                Some(delay) => tokio::time::sleep(*delay).await,
                None => return Ok(ForwardResult::from_error(&error, attempts)),
            }
        }
    }
}

impl ForwardResult {
    fn from_status(status: StatusCode, attempts: usize) -> Self {
        let is_final = status.is_success() || status.is_client_error() || status.is_server_error();
        Self {
            http_status: Some(status.as_u16()),
            attempts,
            error: None,
            status: if is_final {
                status
            } else {
                StatusCode::BAD_GATEWAY
            },
        }
    }

    fn from_error(error: &reqwest::Error, attempts: usize) -> Self {
        let (reason, status) = if error.is_timeout() {
            let reason = format!("no response within {} s", TIMEOUT.as_secs());
            (reason, StatusCode::GATEWAY_TIMEOUT)
        } else {
            (root_cause(error), StatusCode::BAD_GATEWAY)
        };
        Self {
            http_status: None,
            attempts,
            error: Some(reason),
            status,
        }
    }

    /// Returns the status for the response to the sender.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns whether the target accepted the delivery.
    pub(super) fn is_accepted(&self) -> bool {
        self.status.is_success()
    }
}

/// Returns the text of the innermost cause, which does not contain the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn std::error::Error> = error.source();
    while let Some(next) = cause.and_then(|cause| cause.source()) {
        cause = Some(next);
    }
    cause.map_or_else(|| "the connection was lost".to_owned(), ToString::to_string)
}
