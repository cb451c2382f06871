//! Hands deliveries on to another program, signed anew.

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

/// How long the other program may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pauses before it is tried again, when no connection comes about: it may just be restarting.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];

#[derive(Args, Debug)]
pub(super) struct ForwardArgs {
    /// Post authentic deliveries to this URL, signed anew; redirects are not followed
    #[arg(long, value_name = "URL", value_parser = target)]
    forward: Option<Url>,

    /// Sign what is forwarded with the secret in this environment variable [default: the first secret]
    #[arg(
        long,
        value_name = "NAME",
        requires = "forward",
        conflicts_with = "forward_secret_file"
    )]
    forward_secret_env: Option<String>,

    /// Sign what is forwarded with the secret in this file
    #[arg(long, value_name = "FILE", value_parser = input::file_or_stdin(), requires = "forward")]
    forward_secret_file: Option<PathBuf>,
}

impl ForwardArgs {
    pub(super) fn secret_file(&self) -> Option<&Path> {
        self.forward_secret_file.as_deref()
    }
}

/// Reads a URL without saying what is in one that cannot be used.
fn target(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it is no http URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password does not belong in it");
    }
    Ok(url)
}

/// The program that gets the deliveries.
pub(super) struct Forward {
    url: Url,
    secret: Secret,
    client: reqwest::Client,
}

/// What became of a delivery that was handed on.
#[derive(Debug, Serialize)]
pub(super) struct Forwarded {
    /// The status of the answer.
    pub(super) http_status: Option<u16>,
    pub(super) attempts: usize,
    /// Why there was no answer.
    pub(super) error: Option<String>,
    #[serde(skip)]
    answer: StatusCode,
}

impl Forward {
    pub(super) fn from_args(args: ForwardArgs, usual: &Secret) -> Result<Option<Self>, Failure> {
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
                            "{} holds {} secrets, and a forwarded delivery is signed with one",
                            input::name(path),
                            secrets.len()
                        )));
                    }
                }
            }
            (None, None) => usual.clone(),
        };
        let client = reqwest::Client::builder()
            // The other program is on this machine or near it, where proxies do not lead.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| {
                Failure::unexpected("the HTTP client could not be set up").with_cause(error)
            })?;
        Ok(Some(Self {
            url,
            secret,
            client,
        }))
    }

    /// Hands a delivery on. Only when no connection comes about it is tried again: otherwise it may have arrived.
    pub(super) async fn send(
        &self,
        id: &str,
        correlation: Option<&Token>,
        body: &[u8],
    ) -> Result<Forwarded, Failure> {
        let url = match correlation {
            Some(token) => correlation::attach(self.url.as_str(), token)?,
            None => self.url.to_string(),
        };
        let mut pauses = PAUSES.iter();
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
                Ok(answer) => return Ok(Forwarded::answered(answer.status(), attempts)),
                Err(error) => error,
            };
            match pauses
                .next()
                .filter(|_| error.is_connect() && !error.is_timeout())
            {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Ok(Forwarded::failed(&error, attempts)),
            }
        }
    }
}

impl Forwarded {
    fn answered(status: StatusCode, attempts: usize) -> Self {
        let is_final = status.is_success() || status.is_client_error() || status.is_server_error();
        Self {
            http_status: Some(status.as_u16()),
            attempts,
            error: None,
            answer: if is_final {
                status
            } else {
                StatusCode::BAD_GATEWAY
            },
        }
    }

    fn failed(error: &reqwest::Error, attempts: usize) -> Self {
        let (reason, answer) = if error.is_timeout() {
            let reason = format!("no answer within {} s", PATIENCE.as_secs());
            (reason, StatusCode::GATEWAY_TIMEOUT)
        } else {
            (innermost(error), StatusCode::BAD_GATEWAY)
        };
        Self {
            http_status: None,
            attempts,
            error: Some(reason),
            answer,
        }
    }

    /// What the sender is told.
    pub(super) fn answer(&self) -> StatusCode {
        self.answer
    }

    /// Whether the other program has taken the delivery in.
    pub(super) fn is_accepted(&self) -> bool {
        self.answer.is_success()
    }
}

/// The cause behind all others, which names no URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn std::error::Error> = error.source();
    while let Some(next) = cause.and_then(|cause| cause.source()) {
        cause = Some(next);
    }
    cause.map_or_else(|| "the connection broke".to_owned(), ToString::to_string)
}
