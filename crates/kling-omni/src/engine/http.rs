//! HTTP calls to the service: attempts, retries, and what an answer means.

pub(crate) mod attempt;
pub(crate) mod attempt_result;
pub(crate) mod backoff;
pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod content;
pub(crate) mod key;
pub(crate) mod plan_limit;
pub(crate) mod proxy;
pub(crate) mod retry_headers;
pub(crate) mod task_ids;
pub(crate) mod timeout;
