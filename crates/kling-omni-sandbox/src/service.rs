//! The state that the hosts and the webhooks of a sandbox share.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::Serialize;

use crate::clock::ServiceClock;
use crate::config::Config;
use crate::injection::{ActiveFaults, FaultContext, Faults};
use crate::random::Random;
use crate::rate::RateLimits;
use crate::raw_lines;
#[cfg(feature = "console")]
use crate::record::Changes;
use crate::record::{
    Host, Log, ReceivedRequest, RecordedBody, ResponseRecorder, SentResponse, TaskRecord,
};
use crate::results::Results;
use crate::spec::Spec;
use crate::task::{Stage, Task, TaskStore};
use crate::uploads::Uploads;
use crate::webhook::Webhooks;

/// The state that the three hosts and the webhooks of a sandbox share.
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) clock: ServiceClock,
    pub(crate) spec: Arc<Spec>,
    pub(crate) random: Random,
    pub(crate) rates: RateLimits,
    pub(crate) tasks: TaskStore,
    pub(crate) results: Results,
    pub(crate) uploads: Uploads,
    pub(crate) webhooks: Webhooks,
    pub(crate) requests: Log<ReceivedRequest>,
    pub(crate) faults: Faults,
    #[cfg(feature = "console")]
    pub(crate) changes: Changes,
}

/// The JSON of a task: the body of a webhook, and `data` of a response.
#[derive(Debug, Serialize)]
pub(crate) struct TaskView<'a> {
    task_id: &'a str,
    status: &'a str,
    generated: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Service {
    pub(crate) fn view<'a>(&self, task: &'a Task, stage: &'a Stage) -> TaskView<'a> {
        let has_result = task.has_result(stage);
        TaskView {
            task_id: &task.id,
            status: stage.status.as_str(),
            generated: has_result
                .then(|| self.results.url(task))
                .into_iter()
                .collect(),
            error: task.error(stage),
        }
    }

    /// Returns whether a task is visible with this key.
    pub(crate) fn is_visible(&self, task: &Task, key: usize) -> bool {
        !self.config.account_per_key || task.key == key
    }

    pub(crate) fn task_records(&self) -> Vec<TaskRecord> {
        let now = self.clock.now();
        let tasks = self.tasks.all();
        tasks
            .iter()
            .map(|task| TaskRecord {
                id: task.id.clone(),
                operation_id: task.operation_id.clone(),
                status: task.stage(now).status.clone(),
                request: task.request.clone(),
                created_at: task.created_at,
                ends_at: task.ends_at(),
            })
            .collect()
    }

    /// Records a request before its response.
    pub(crate) fn record_request(&self, host: Host, parts: &Parts) -> RecordId {
        let number = self.requests.push(|number| ReceivedRequest {
            number,
            host,
            received_at: self.clock.now(),
            request_id: None,
            operation_id: None,
            task_id: None,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: self.mark_keys(parts.headers.clone()),
            body: Bytes::new(),
            status: None,
            response: None,
            faults: Vec::new(),
        });
        RecordId(number)
    }

    /// Updates the record of a request.
    pub(crate) fn amend(&self, id: RecordId, change: impl FnOnce(&mut ReceivedRequest)) {
        self.requests.update(id.0, change);
    }

    /// Evaluates the faults of a request, and records them.
    pub(crate) fn evaluate_faults(
        &self,
        id: RecordId,
        host: Host,
        context: &FaultContext<'_>,
    ) -> ActiveFaults {
        let rules = self.faults.evaluate(&self.random, context);
        self.amend(id, |entry| entry.faults.clone_from(&rules));
        self.faults.activate(host, rules)
    }

    /// Returns the response to be sent, when its faults let it start. It has the `Date` of the sandbox's clock, and is
    /// recorded while it is sent.
    pub(crate) async fn send(
        self: &Arc<Self>,
        id: RecordId,
        parts: &Parts,
        faults: &ActiveFaults,
        mut response: Response,
    ) -> Response {
        let date = httpdate::fmt_http_date(self.clock.now());
        if let Ok(date) = HeaderValue::try_from(date) {
            response.headers_mut().insert(header::DATE, date);
        }
        faults.add_header_lines(response.headers_mut());
        let response = self.record_response(id, parts, response);
        faults.delay().await;
        response
    }

    /// Records the head of a response, and returns the response with a body that is recorded.
    fn record_response(
        self: &Arc<Self>,
        id: RecordId,
        parts: &Parts,
        response: Response,
    ) -> Response {
        let status = response.status();
        let mut headers = response.headers().clone();
        raw_lines::remove(&mut headers);
        let mut is_file = false;
        self.requests.update(id.0, |entry| {
            is_file = entry.host == Host::Results && status.is_success();
            entry.status = Some(status);
            entry.response = Some(SentResponse::started(headers));
        });
        tracing::debug!(
            http.request.method = %parts.method,
            url.path = parts.uri.path(),
            http.response.status_code = status.as_u16(),
            "request completed"
        );
        let recorder = ResponseRecorder::new(self, id, !is_file);
        let has_body = parts.method != Method::HEAD;
        response.map(|body| Body::new(RecordedBody::new(body, has_body, recorder)))
    }

    /// Marks headers for credentials, and those that contain a key, as sensitive.
    pub(crate) fn mark_keys(&self, mut headers: HeaderMap) -> HeaderMap {
        let credentials = [
            header::AUTHORIZATION,
            header::PROXY_AUTHORIZATION,
            header::COOKIE,
        ];
        for (name, value) in &mut headers {
            let text = value.to_str().unwrap_or_default();
            let has_key = self.config.api_keys.iter().any(|key| text.contains(key));
            if has_key || credentials.contains(name) || self.spec.key_headers.contains(name) {
                value.set_sensitive(true);
            }
        }
        headers
    }
}

/// The number of a request in the records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordId(u64);
