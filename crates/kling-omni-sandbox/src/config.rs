//! The settings of a sandbox, and their validation.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use kling_omni_api::tasks::TaskRead;

use crate::secret::Secret;

/// The default API key of a sandbox.
pub const DEFAULT_API_KEY: &str = "sandbox-key";
/// The default webhook secret of a sandbox.
pub const DEFAULT_WEBHOOK_SECRET: &str = "sandbox-webhook-secret";

/// The maximum duration of a setting or a fault. Adding it to a time cannot overflow.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// The settings, except for the clock, the seed and the faults.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) result_port: u16,
    pub(crate) storage_port: u16,
    /// The port of the console, if it is served.
    #[cfg(feature = "console")]
    pub(crate) console_port: Option<u16>,
    pub(crate) api_keys: Vec<String>,
    pub(crate) account_per_key: bool,
    pub(crate) task_time: Duration,
    pub(crate) jitter: f64,
    pub(crate) rate_limit: u32,
    pub(crate) rate_window: Duration,
    pub(crate) retry_after: bool,
    pub(crate) poll_hints: bool,
    pub(crate) problem_form: ProblemForm,
    pub(crate) video_reference: VideoReferenceRoute,
    pub(crate) video_reference_status: StatusRoute,
    pub(crate) list_delay: Duration,
    pub(crate) result_lifetime: Duration,
    pub(crate) upload_lifetime: Duration,
    pub(crate) asset_lifetime: Duration,
    pub(crate) file_lifetime: Duration,
    pub(crate) max_upload_size: u64,
    pub(crate) webhook_secret: String,
    pub(crate) webhook_timeout: Duration,
    pub(crate) remote_webhooks: bool,
    pub(crate) record_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            result_port: 0,
            storage_port: 0,
            #[cfg(feature = "console")]
            console_port: None,
            api_keys: vec![DEFAULT_API_KEY.to_owned()],
            account_per_key: false,
            task_time: Duration::from_secs(4),
            jitter: 0.25,
            rate_limit: 300,
            rate_window: Duration::from_secs(60),
            retry_after: false,
            poll_hints: true,
            problem_form: ProblemForm::default(),
            video_reference: VideoReferenceRoute::default(),
            video_reference_status: StatusRoute::default(),
            list_delay: Duration::ZERO,
            result_lifetime: Duration::from_secs(3600),
            upload_lifetime: Duration::from_secs(120),
            asset_lifetime: Duration::from_secs(24 * 3600),
            file_lifetime: Duration::from_secs(7 * 24 * 3600),
            max_upload_size: 1 << 30,
            webhook_secret: DEFAULT_WEBHOOK_SECRET.to_owned(),
            webhook_timeout: Duration::from_secs(10),
            remote_webhooks: false,
            record_limit: 10_000,
        }
    }
}

impl Config {
    /// Validates the settings, and returns the webhook secret.
    pub(crate) fn check(&self) -> Result<Secret, StartError> {
        let invalid = |name, problem| Err(StartError::Setting { name, problem });
        if self.api_keys.is_empty() || self.api_keys.iter().any(String::is_empty) {
            return invalid("api_keys", "must contain at least one key and no empty one");
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return invalid("jitter", "must be from 0 to 1");
        }
        for (name, duration) in [
            ("task_time", self.task_time),
            ("rate_window", self.rate_window),
            ("list_delay", self.list_delay),
            ("result_lifetime", self.result_lifetime),
            ("upload_lifetime", self.upload_lifetime),
            ("asset_lifetime", self.asset_lifetime),
            ("file_lifetime", self.file_lifetime),
        ] {
            if duration > MAX_DURATION {
                return invalid(name, "must be at most one year");
            }
        }
        if self.rate_window.is_zero() {
            return invalid("rate_window", "must not be zero");
        }
        Secret::parse(&self.webhook_secret).ok_or(StartError::Setting {
            name: "webhook_secret",
            problem: "must be base64 after `whsec_` and hexadecimal after `hex:`",
        })
    }
}

/// The form of the 400 for an invalid request. The service documents all but `Fields`, which was observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemForm {
    /// `application/problem+json`: `{"message":…,"invalid_params":[{"name":…,"reason":…},…]}`.
    #[default]
    Flat,
    /// `application/problem+json`: the same in `problem`.
    Nested,
    /// `application/json`: `{"message":…,"invalid_params":[{"field":…,"reason":…},…]}`.
    Fields,
    /// `application/json`: `{"message":…}` only.
    Message,
}

/// Whether the older creating route, `createVideoReference`, is available.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoReferenceRoute {
    /// The route creates tasks.
    #[default]
    Available,
    /// The route responds with 404.
    NotFound,
    /// The route responds with 405.
    MethodNotAllowed,
    /// The route responds with 410.
    Gone,
}

impl VideoReferenceRoute {
    pub(crate) fn rejection(self) -> Option<StatusCode> {
        match self {
            Self::Available => None,
            Self::NotFound => Some(StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => Some(StatusCode::METHOD_NOT_ALLOWED),
            Self::Gone => Some(StatusCode::GONE),
        }
    }
}

/// The routes on which the tasks of the older creating route are read. The service does not document them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusRoute {
    /// `getReferenceToVideoTask` and `listReferenceToVideoTasks`, together with the tasks of the successor routes.
    #[default]
    ReferenceToVideo,
    /// `getVideoTask` and `listVideoTasks`, together with the tasks from text and images.
    Video,
}

impl StatusRoute {
    /// Returns the family of these tasks.
    pub(crate) fn family(self) -> &'static str {
        let read = match self {
            Self::ReferenceToVideo => TaskRead::GetReferenceToVideoTask,
            Self::Video => TaskRead::GetVideoTask,
        };
        read.spec().family
    }
}

/// An error on starting a sandbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is invalid.
    #[error("invalid sandbox setting `{name}`: {problem}")]
    Setting {
        /// The method of the builder.
        name: &'static str,
        /// The problem.
        problem: &'static str,
    },
    /// The sandbox cannot listen on an address.
    #[error("the sandbox cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The sandbox cannot serve the document.
    #[error("the sandbox cannot serve the document: {0}")]
    Spec(String),
}
