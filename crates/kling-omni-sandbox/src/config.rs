//! What can be set, and what is wrong with a setting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::StatusCode;
use kling_omni_api::tasks::TaskRead;

use crate::secret::Secret;

/// The key that a sandbox takes unless it is given another.
pub const DEFAULT_API_KEY: &str = "sandbox-key";
/// The secret that a sandbox signs webhooks with unless it is given another.
pub const DEFAULT_WEBHOOK_SECRET: &str = "sandbox-webhook-secret";

/// No span of time is longer, so that adding one to a time cannot overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Every setting but the clock, the seed and the faults.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) result_port: u16,
    pub(crate) storage_port: u16,
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
    pub(crate) largest_upload: u64,
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
            largest_upload: 1 << 30,
            webhook_secret: DEFAULT_WEBHOOK_SECRET.to_owned(),
            webhook_timeout: Duration::from_secs(10),
            remote_webhooks: false,
            record_limit: 10_000,
        }
    }
}

impl Config {
    /// The webhook secret, if every setting is within its range.
    pub(crate) fn check(&self) -> Result<Secret, StartError> {
        let wrong = |name, problem| Err(StartError::Setting { name, problem });
        if self.api_keys.is_empty() || self.api_keys.iter().any(String::is_empty) {
            return wrong(
                "api_keys",
                "there must be at least one, and none may be empty",
            );
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return wrong("jitter", "must be from 0 to 1");
        }
        for (name, span) in [
            ("task_time", self.task_time),
            ("rate_window", self.rate_window),
            ("list_delay", self.list_delay),
            ("result_lifetime", self.result_lifetime),
            ("upload_lifetime", self.upload_lifetime),
            ("asset_lifetime", self.asset_lifetime),
            ("file_lifetime", self.file_lifetime),
        ] {
            if span > LONGEST {
                return wrong(name, "must not be longer than a year");
            }
        }
        if self.rate_window.is_zero() {
            return wrong("rate_window", "must be longer than nothing");
        }
        Secret::parse(&self.webhook_secret).ok_or(StartError::Setting {
            name: "webhook_secret",
            problem: "what follows `whsec_` must be base64, and what follows `hex:` hexadecimal",
        })
    }
}

/// The form of a 400 answer to a request that breaks the schema. The service documents all but `Fields`, which was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemForm {
    /// `application/problem+json`: `{"message":…,"invalid_params":[{"name":…,"reason":…},…]}`.
    #[default]
    Flat,
    /// `application/problem+json`: the same below `problem`.
    Nested,
    /// `application/json`: `{"message":…,"invalid_params":[{"field":…,"reason":…},…]}`.
    Fields,
    /// `application/json`: `{"message":…}` only.
    Message,
}

/// Whether the older creating route, `createVideoReference`, is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoReferenceRoute {
    /// It creates tasks.
    #[default]
    Available,
    /// It answers 404 and creates nothing.
    NotFound,
    /// It answers 405 and creates nothing.
    MethodNotAllowed,
    /// It answers 410 and creates nothing.
    Gone,
}

impl VideoReferenceRoute {
    pub(crate) fn refusal(self) -> Option<StatusCode> {
        match self {
            Self::Available => None,
            Self::NotFound => Some(StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => Some(StatusCode::METHOD_NOT_ALLOWED),
            Self::Gone => Some(StatusCode::GONE),
        }
    }
}

/// Where the tasks of the older creating route are read; the service does not document it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusRoute {
    /// At `getReferenceToVideoTask` and in `listReferenceToVideoTasks`, beside the tasks of the successor routes.
    #[default]
    ReferenceToVideo,
    /// At `getVideoTask` and in `listVideoTasks`, beside the tasks from text and images.
    Video,
}

impl StatusRoute {
    /// The family that has these tasks.
    pub(crate) fn family(self) -> &'static str {
        let read = match self {
            Self::ReferenceToVideo => TaskRead::GetReferenceToVideoTask,
            Self::Video => TaskRead::GetVideoTask,
        };
        read.spec().family
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is out of its range.
    #[error("the sandbox setting `{name}` cannot be used: {problem}")]
    Setting {
        /// The method of the builder.
        name: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// An address cannot be listened on.
    #[error("the sandbox cannot listen on {address}; choose another port, or 0 for any free one")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The spec has something that the sandbox cannot serve.
    #[error("the sandbox cannot serve the spec: {0}")]
    Spec(String),
}
