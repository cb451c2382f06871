//! Applies faults to a response.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::body::{Step, Timer, build_body};
use super::edit::edit_body;
use crate::clock::unix_seconds;
use crate::fault::{Fault, FaultRule};
use crate::rate;
use crate::raw_lines;
use crate::record::Host;
use crate::reply;
use crate::results::Results;
use crate::script::{TaskOutcome, TaskScript};
use crate::task::RenderSpec;
use crate::uploads::Uploads;

/// The default time until a silent failure.
const SILENT_FAILURE: Duration = Duration::from_secs(3);
/// The number of chunks of a slow body.
const CHUNKS: usize = 8;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The faults of one request.
pub(crate) struct ActiveFaults {
    host: Host,
    rules: Vec<Arc<FaultRule>>,
    timer: Timer,
}

/// How faults change the sending of a body.
#[derive(Default)]
struct SendPlan {
    is_dropped: bool,
    chunk_delay: Option<Duration>,
    drip: Option<(u64, Duration)>,
    cut: Option<usize>,
    length_offset: Option<i64>,
    padding: u64,
}

impl ActiveFaults {
    pub(super) fn new(host: Host, rules: Vec<Arc<FaultRule>>, timer: Timer) -> Self {
        Self { host, rules, timer }
    }

    fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.rules.iter().map(|rule| &rule.fault)
    }

    /// Returns the response of the first fault that prevents the execution, if any.
    pub(crate) fn rejection(&self, parts: &Parts) -> Option<Response> {
        let fault = self.faults().find(|fault| fault.rejects())?;
        Some(match fault {
            Fault::Redirect(url) => redirect(url.as_deref(), parts),
            fault => self.error_response(fault),
        })
    }

    /// Returns how many bytes of an upload of this length are read before the connection is lost, or `None` for all.
    pub(crate) fn accepted_bytes(&self, length: u64) -> Option<u64> {
        self.faults().find_map(|fault| match fault {
            Fault::Cut(size) => Some(size.unwrap_or(length / 2)),
            _ => None,
        })
    }

    /// Returns whether an invalid request is executed.
    pub(crate) fn is_lenient(&self) -> bool {
        self.faults().any(|fault| *fault == Fault::Lenient)
    }

    /// Returns the id for a created task.
    pub(crate) fn id(&self) -> Option<&str> {
        self.faults().find_map(|fault| match fault {
            Fault::Id(id) => Some(id.as_str()),
            _ => None,
        })
    }

    /// Returns the script for a created task.
    pub(crate) fn script(&self) -> Option<TaskScript> {
        self.faults().find_map(|fault| match fault {
            Fault::SilentFailure(time) => {
                let time = time.unwrap_or(SILENT_FAILURE);
                Some(TaskScript::new(TaskOutcome::FailedSilently).task_time(time))
            }
            Fault::Moderated => Some(TaskScript::new(TaskOutcome::CompletedEmpty)),
            _ => None,
        })
    }

    /// Returns how the clip of a created task is rendered.
    pub(crate) fn render(&self, mut spec: RenderSpec) -> RenderSpec {
        for fault in self.faults() {
            match fault {
                Fault::ClipSeconds(seconds) => spec.seconds = *seconds,
                Fault::ClipSize { width, height } => spec.size = Some((*width, *height)),
                Fault::ClipSound(has_sound) => spec.has_sound = *has_sound,
                _ => {}
            }
        }
        spec
    }

    /// Returns whether the connection is lost before the body of the request is read.
    pub(crate) fn drops_connection(&self) -> bool {
        let lost = |fault: &Fault| matches!(fault, Fault::Lost | Fault::Cut(_));
        self.faults().any(lost)
    }

    /// Applies the faults to a response, except for raw header lines and delays. `results` and `uploads` sign new URLs.
    pub(crate) async fn mutate_response(
        &self,
        results: &Results,
        uploads: &Uploads,
        response: Response,
    ) -> Response {
        if self.rules.is_empty() {
            return response;
        }
        let (mut head, body) = response.into_parts();
        // It is set again for the changed body.
        head.headers.remove(header::CONTENT_LENGTH);
        let mut bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let mut plan = SendPlan::default();
        for fault in self.faults() {
            let half = bytes.len() / 2;
            let limit = |size: &Option<u64>| size.map_or(half, as_index).min(bytes.len());
            match fault {
                Fault::Lost | Fault::Drop => plan.is_dropped = true,
                Fault::Status { accepted: true, .. } => {
                    let (error, body) = self.error_response(fault).into_parts();
                    bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
                    head.status = error.status;
                    head.headers.extend(error.headers);
                }
                Fault::Success(code) => head.status = *code,
                Fault::Bom => bytes = [BOM, &bytes].concat().into(),
                Fault::Prefix(prefix) => bytes = [&prefix[..], &bytes].concat().into(),
                Fault::Body(body) => bytes = body.clone().into(),
                Fault::Message(text) if !head.status.is_success() => {
                    bytes = json!({"message": text}).to_string().into();
                    set(&mut head.headers, header::CONTENT_TYPE, "application/json");
                }
                Fault::ContentEncoding(token) => {
                    bytes = encode(token, bytes);
                    set(&mut head.headers, header::CONTENT_ENCODING, token);
                }
                Fault::Drip { bytes, every } => plan.drip = Some((*bytes, *every)),
                Fault::SlowBody(delay) => plan.chunk_delay = Some(*delay),
                Fault::Truncate(size) => bytes.truncate(limit(size)),
                Fault::Cut(_) if self.host == Host::Storage => plan.is_dropped = true,
                Fault::Cut(size) => plan.cut = Some(limit(size)),
                Fault::Length(offset) => plan.length_offset = Some(*offset),
                Fault::Oversize(size) => plan.padding = size.saturating_sub(bytes.len() as u64),
                Fault::ContentType(kind) => {
                    set(&mut head.headers, header::CONTENT_TYPE, kind);
                }
                Fault::EpochReset => {
                    let now = unix_seconds(self.timer.clock.now());
                    rate::reset_as_time(&mut head.headers, now);
                }
                fault => {
                    let now = unix_seconds(self.timer.clock.now());
                    if let Some(edited) = edit_body(results, uploads, now, fault, &bytes) {
                        bytes = edited;
                    }
                }
            }
        }
        let length = bytes.len();
        let body = plan.body(&self.timer, bytes);
        let mut response = Response::from_parts(head, body);
        if plan.padding == 0 && !plan.is_plain() {
            let announced = (length as u64).saturating_add_signed(plan.length_offset.unwrap_or(0));
            // The server does not poll an empty body, which would never close the connection.
            let announced = announced.max(plan.is_dropped.into());
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, announced.into());
        }
        response
    }

    /// Adds the header lines of faults to a response, the last of all its headers.
    pub(crate) fn add_header_lines(&self, headers: &mut HeaderMap) {
        for fault in self.faults() {
            if let Fault::Header(line) = fault {
                add_line(headers, line);
            }
        }
    }

    /// Waits until the faults let the response start.
    pub(crate) async fn delay(&self) {
        for fault in self.faults() {
            match fault {
                Fault::SlowHeaders(time) => {
                    self.timer.wait(Some(self.timer.clock.now() + *time)).await;
                }
                Fault::Hang => self.timer.wait(None).await,
                _ => {}
            }
        }
    }

    /// Returns an error response in the form of this host.
    fn error_response(&self, fault: &Fault) -> Response {
        let Fault::Status {
            code,
            html,
            retry_after,
            ..
        } = fault
        else {
            if *fault == Fault::PlanLimit {
                return reply::plan_limit();
            }
            // The connection is closed, so this response is never sent.
            return reply::error(self.host, StatusCode::SERVICE_UNAVAILABLE);
        };
        let mut response = match html {
            true => reply::html_page(*code),
            false => reply::error(self.host, *code),
        };
        if let Some(text) = retry_after {
            set(response.headers_mut(), header::RETRY_AFTER, text);
        }
        response
    }
}

impl SendPlan {
    fn is_plain(&self) -> bool {
        !self.is_dropped
            && self.chunk_delay.is_none()
            && self.drip.is_none()
            && self.cut.is_none()
            && self.length_offset.is_none()
            && self.padding == 0
    }

    fn body(&self, timer: &Timer, mut bytes: Bytes) -> Body {
        if self.is_plain() {
            return Body::from(bytes);
        }
        if self.is_dropped {
            return build_body(timer, vec![Step::Close]);
        }
        if let Some(cut) = self.cut {
            bytes.truncate(cut);
        }
        let mut steps = Vec::new();
        if let Some(delay) = self.chunk_delay {
            let now = timer.clock.now();
            let size = bytes.len().div_ceil(CHUNKS).max(1);
            let chunks = bytes.chunks(size).map(|chunk| bytes.slice_ref(chunk));
            for (chunk, number) in chunks.zip(1..) {
                steps.extend([Step::Wait(now + delay * number), Step::Send(chunk)]);
            }
        } else if let Some((size, every)) = self.drip {
            steps.push(Step::Drip {
                rest: bytes,
                size: as_index(size),
                every,
                due: timer.clock.now() + every,
            });
        } else {
            steps.push(Step::Send(bytes));
        }
        steps.push(Step::Fill(self.padding));
        if self.cut.is_some() || self.length_offset.is_some_and(|offset| offset > 0) {
            steps.extend([Step::Flush, Step::Close]);
        }
        build_body(timer, steps)
    }
}

/// Redirects to `url`, or to the URL of the request under another name of this machine.
fn redirect(url: Option<&str>, parts: &Parts) -> Response {
    let here = parts.headers.get(header::HOST);
    let here = here.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let (host, port) = here.rsplit_once(':').unwrap_or((here, "80"));
    let other = if host == "localhost" {
        "127.0.0.1"
    } else {
        "localhost"
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let location = format!("http://{other}:{port}{path}");
    let mut response = reply::html_page(StatusCode::TEMPORARY_REDIRECT);
    set(
        response.headers_mut(),
        header::LOCATION,
        url.unwrap_or(&location),
    );
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Adds a header line. A valid one replaces the header of its name.
fn add_line(headers: &mut HeaderMap, line: &[u8]) {
    let colon = line.iter().position(|byte| *byte == b':');
    let parsed = colon.and_then(|colon| {
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    });
    match parsed {
        Some((name, value)) => {
            headers.insert(name, value);
        }
        None => raw_lines::add(headers, line),
    }
}

/// Encodes a body with a content coding. An unknown coding leaves it unchanged.
fn encode(token: &str, bytes: Bytes) -> Bytes {
    // Writing to a Vec cannot fail.
    let encoded = match token {
        "gzip" | "x-gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&bytes).and_then(|()| encoder.finish())
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&bytes).and_then(|()| encoder.finish())
        }
        _ => return bytes,
    };
    encoded.map_or(bytes, Bytes::from)
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
