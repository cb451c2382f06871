//! What faults do to a response.

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
use serde_json::{Value, json};

use super::body::{Step, Timer, body};
use crate::clock::unix_seconds;
use crate::fault::{Fault, FaultRule};
use crate::rate;
use crate::raw_lines;
use crate::record::Host;
use crate::reply;
use crate::results::Results;
use crate::script::{TaskOutcome, TaskScript};
use crate::uploads::Uploads;

/// How long a task takes that fails without a reason.
const SILENT_FAILURE: Duration = Duration::from_secs(3);
/// How many pieces a slow body comes in.
const PIECES: usize = 8;
const BOM: &[u8] = b"\xef\xbb\xbf";
/// What tasks are wrapped in, and what files are.
const DATA: &str = "data";
const FILES: &str = "files";

/// The faults that strike one request.
pub(crate) struct ActiveFaults {
    host: Host,
    rules: Vec<Arc<FaultRule>>,
    timer: Timer,
}

/// How an answer is sent, as far as faults have changed it.
#[derive(Default)]
struct Sending {
    dropped: bool,
    pieces_apart: Option<Duration>,
    drip: Option<(u64, Duration)>,
    cut: Option<usize>,
    off: Option<i64>,
    fill: u64,
}

impl ActiveFaults {
    pub(super) fn new(host: Host, rules: Vec<Arc<FaultRule>>, timer: Timer) -> Self {
        Self { host, rules, timer }
    }

    fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.rules.iter().map(|rule| &rule.fault)
    }

    /// The answer that takes the place of the work, if a fault has it so.
    pub(crate) fn refusal(&self, parts: &Parts) -> Option<Response> {
        let fault = self.faults().find(|fault| fault.refuses())?;
        Some(match fault {
            Fault::Redirect(url) => redirect(url.as_deref(), parts),
            fault => self.error(fault),
        })
    }

    /// How much of a file of this length comes in before the connection is lost; `None` for all of it.
    pub(crate) fn accepted_bytes(&self, length: u64) -> Option<u64> {
        self.faults().find_map(|fault| match fault {
            Fault::Cut(size) => Some(size.unwrap_or(length / 2)),
            _ => None,
        })
    }

    /// Whether a request that breaks the schema is carried out.
    pub(crate) fn is_lenient(&self) -> bool {
        self.faults().any(|fault| *fault == Fault::Lenient)
    }

    /// The id that a created task gets.
    pub(crate) fn id(&self) -> Option<&str> {
        self.faults().find_map(|fault| match fault {
            Fault::Id(id) => Some(id.as_str()),
            _ => None,
        })
    }

    /// What happens to a created task.
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

    /// Whether the connection of a request is lost while its body comes.
    pub(crate) fn drops_connection(&self) -> bool {
        let lost = |fault: &Fault| matches!(fault, Fault::Lost | Fault::Cut(_));
        self.faults().any(lost)
    }

    /// Applies the faults to a response, except for the delay before it. `results` and `uploads` sign its URLs again.
    pub(crate) async fn mutate_response(
        &self,
        results: &Results,
        uploads: &Uploads,
        response: Response,
    ) -> Response {
        if self.rules.is_empty() {
            return response;
        }
        let (mut head, whole) = response.into_parts();
        // What is left of the body decides.
        head.headers.remove(header::CONTENT_LENGTH);
        let mut bytes = to_bytes(whole, usize::MAX).await.unwrap_or_default();
        let mut sending = Sending::default();
        for fault in self.faults() {
            let half = bytes.len() / 2;
            let limit = |size: &Option<u64>| size.map_or(half, as_index).min(bytes.len());
            match fault {
                Fault::Lost | Fault::Drop => sending.dropped = true,
                Fault::Status { accepted: true, .. } => {
                    let (error, page) = self.error(fault).into_parts();
                    bytes = to_bytes(page, usize::MAX).await.unwrap_or_default();
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
                    bytes = encoded(token, bytes);
                    set(&mut head.headers, header::CONTENT_ENCODING, token);
                }
                Fault::Drip { bytes, every } => sending.drip = Some((*bytes, *every)),
                Fault::SlowBody(apart) => sending.pieces_apart = Some(*apart),
                Fault::Truncate(size) => bytes.truncate(limit(size)),
                Fault::Cut(_) if self.host == Host::Storage => sending.dropped = true,
                Fault::Cut(size) => sending.cut = Some(limit(size)),
                Fault::Length(off) => sending.off = Some(*off),
                Fault::Oversize(size) => sending.fill = size.saturating_sub(bytes.len() as u64),
                Fault::ContentType(kind) => {
                    set(&mut head.headers, header::CONTENT_TYPE, kind);
                }
                Fault::EpochReset => {
                    let now = unix_seconds(self.timer.clock.now());
                    rate::reset_as_time(&mut head.headers, now);
                }
                fault => {
                    let now = unix_seconds(self.timer.clock.now());
                    if let Some(changed) = changed(results, uploads, now, fault, &bytes) {
                        bytes = changed;
                    }
                }
            }
        }
        let length = bytes.len();
        let body = sending.body(&self.timer, bytes);
        let mut response = Response::from_parts(head, body);
        if sending.fill == 0 && !sending.is_plain() {
            let told = (length as u64).saturating_add_signed(sending.off.unwrap_or(0));
            // Of a body without a byte, nothing would be asked for, and the close never come.
            let told = told.max(sending.dropped.into());
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, told.into());
        }
        response
    }

    /// Adds the header lines that faults bring, and waits as long as the faults keep the answer back.
    pub(crate) async fn finish(&self, response: &mut Response) {
        for fault in self.faults() {
            match fault {
                Fault::Header(line) => add_line(response.headers_mut(), line),
                Fault::SlowHeaders(time) => {
                    self.timer.wait(Some(self.timer.clock.now() + *time)).await;
                }
                Fault::Hang => self.timer.wait(None).await,
                _ => {}
            }
        }
    }

    /// What an error looks like on this host.
    fn error(&self, fault: &Fault) -> Response {
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
            // Closed connections show nothing of it.
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

impl Sending {
    fn is_plain(&self) -> bool {
        !self.dropped
            && self.pieces_apart.is_none()
            && self.drip.is_none()
            && self.cut.is_none()
            && self.off.is_none()
            && self.fill == 0
    }

    fn body(&self, timer: &Timer, mut bytes: Bytes) -> Body {
        if self.is_plain() {
            return Body::from(bytes);
        }
        if self.dropped {
            return body(timer, vec![Step::Close]);
        }
        if let Some(cut) = self.cut {
            bytes.truncate(cut);
        }
        let mut steps = Vec::new();
        if let Some(apart) = self.pieces_apart {
            let now = timer.clock.now();
            let size = bytes.len().div_ceil(PIECES).max(1);
            let pieces = bytes.chunks(size).map(|piece| bytes.slice_ref(piece));
            for (piece, number) in pieces.zip(1..) {
                steps.extend([Step::Wait(now + apart * number), Step::Send(piece)]);
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
        steps.push(Step::Fill(self.fill));
        if self.cut.is_some() || self.off.is_some_and(|off| off > 0) {
            steps.extend([Step::Flush, Step::Close]);
        }
        body(timer, steps)
    }
}

/// A body with the tasks or places in it changed; `None` if it holds none, or the fault changes none.
fn changed(
    results: &Results,
    uploads: &Uploads,
    now: u64,
    fault: &Fault,
    body: &[u8],
) -> Option<Bytes> {
    let mut document: Value = serde_json::from_slice(body).ok()?;
    if *fault == Fault::HasMore {
        let list = document.as_object_mut()?;
        list.insert("has_more".to_owned(), true.into());
        return serde_json::to_vec(&document).ok().map(Bytes::from);
    }
    let has = |name: &&str| document.get(*name).is_some();
    let wrapper = [DATA, FILES].into_iter().find(has)?;
    match fault {
        Fault::Null(field) if field == wrapper => *document.get_mut(wrapper)? = Value::Null,
        Fault::Missing(field) if field == wrapper => {
            document.as_object_mut()?.remove(wrapper);
        }
        fault => match document.get_mut(wrapper)? {
            Value::Array(all) if matches!(fault, Fault::HideNewest(_)) => {
                let Fault::HideNewest(rows) = fault else {
                    return None;
                };
                all.drain(..as_index(*rows).min(all.len()));
            }
            Value::Array(all) => {
                for one in all {
                    edit(results, uploads, now, fault, one);
                }
            }
            task => edit(results, uploads, now, fault, task),
        },
    }
    serde_json::to_vec(&document).ok().map(Bytes::from)
}

fn edit(results: &Results, uploads: &Uploads, now: u64, fault: &Fault, task: &mut Value) {
    let Some(task) = task.as_object_mut() else {
        return;
    };
    let mut sign = |expires| {
        let urls = task.get_mut("generated").and_then(Value::as_array_mut);
        for url in urls.into_iter().flatten() {
            let signed = url.as_str().and_then(|url| results.sign(url, expires));
            *url = signed.into();
        }
    };
    match fault {
        Fault::ExpiredUrl => {
            sign(now);
            if let Some(url) = uploads.expired_url(task) {
                task.insert("upload_url".to_owned(), url.into());
            }
        }
        Fault::FreshUrl => sign(now + results.lifetime().as_secs()),
        Fault::UnknownStatus(name) => {
            task.insert("status".to_owned(), name.as_str().into());
        }
        Fault::Null(field) => {
            task.insert(field.clone(), Value::Null);
        }
        Fault::Missing(field) => {
            task.remove(field);
        }
        Fault::Empty => {
            task.insert("generated".to_owned(), Value::Array(Vec::new()));
        }
        _ => {}
    }
}

/// Leads to `url`, or to where the request came, under another name of this machine.
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
    let there = format!("http://{other}:{port}{path}");
    let mut response = reply::html_page(StatusCode::TEMPORARY_REDIRECT);
    set(
        response.headers_mut(),
        header::LOCATION,
        url.unwrap_or(&there),
    );
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Puts a header line into the head, in place of a header of its name if it is well-formed.
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

/// A body in a content coding; of an unknown one, as it was.
fn encoded(token: &str, bytes: Bytes) -> Bytes {
    // Writing to a Vec cannot fail.
    let done = match token {
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
    done.map_or(bytes, Bytes::from)
}

fn as_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
