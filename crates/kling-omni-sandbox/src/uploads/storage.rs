//! The host that files are put on: an object store behind signed URLs, which knows no keys.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};

use super::refusal::Refusal;
use super::stored::Incomplete;
use super::{Stored, UploadSlot, slot_id};
use crate::injection::{ActiveFaults, FaultContext};
use crate::record::Host;
use crate::service::Service;
use crate::signer;

/// Headers of this kind are part of the signature, so that each has to be signed.
const SIGNED_KIND: &str = "x-goog-";

/// Serves every path; the signature decides what is there.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let service = Arc::clone(service);
    Router::new().fallback(async move |request: Request| exchange(&service, request).await)
}

async fn exchange(service: &Arc<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let record = service.record_request(Host::Storage, &parts);
    let faults = service.evaluate_faults(record, Host::Storage, &FaultContext::Storage);
    let mut body = body.into_data_stream();
    let response = match faults.refusal(&parts) {
        Some(refusal) => refusal,
        None => match take(service, &faults, &parts, &mut body).await {
            Ok(response) => response,
            Err(refusal) => refusal.into(),
        },
    };
    if !faults.drops_connection() {
        read_out(service, body).await;
    }
    let mut response = faults
        .mutate_response(&service.results, &service.uploads, response)
        .await;
    service.record_response(record, &parts, &mut response);
    faults.finish(&mut response).await;
    response
}

/// Reads what a refusal has left unread, since a client that is still sending may not look for an answer.
async fn read_out(service: &Service, body: BodyDataStream) {
    let mut left = service.uploads.largest;
    let more = body.take_while(|chunk| {
        left = left.saturating_sub(chunk.as_ref().map_or(u64::MAX, |chunk| chunk.len() as u64));
        future::ready(left > 0)
    });
    more.for_each(|_| future::ready(())).await;
}

/// Takes a file in, whole or not at all.
async fn take(
    service: &Service,
    faults: &ActiveFaults,
    parts: &Parts,
    body: &mut BodyDataStream,
) -> Result<Response, Refusal> {
    let slot = admitted(service, parts)?;
    let length = length(&parts.headers).ok_or(Refusal::LengthMissing)?;
    let largest = service.uploads.largest;
    if length > largest {
        return Err(Refusal::TooLong(largest));
    }
    let now = service.clock.now();
    let received = match faults.accepted_bytes(length) {
        None => Stored::receive(body, largest, now).await,
        Some(most) => Stored::receive(first(body, most), largest, now)
            .await
            .and(Err(Incomplete::Broken)),
    };
    let stored = received.map_err(|incomplete| match incomplete {
        Incomplete::TooLong => Refusal::TooLong(largest),
        Incomplete::Broken => Refusal::Broken,
        Incomplete::Disk(error) => {
            tracing::error!(%error, "an upload could not be kept");
            Refusal::Disk
        }
    })?;
    let etag = signer::etag(&stored.sha256);
    slot.store(stored);
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// The first bytes of a body; after that, it is left alone.
fn first(
    body: &mut BodyDataStream,
    most: u64,
) -> impl Stream<Item = Result<Bytes, axum::Error>> + Unpin {
    let mut left = most;
    body.take_while(move |chunk| {
        let more = left > 0;
        left = left.saturating_sub(chunk.as_ref().map_or(u64::MAX, |chunk| chunk.len() as u64));
        future::ready(more)
    })
}

/// The slot that a request may put a file to.
fn admitted(service: &Service, parts: &Parts) -> Result<Arc<UploadSlot>, Refusal> {
    if parts.method != Method::PUT {
        return Err(Refusal::Method);
    }
    if let Some(name) = credentials(service, parts) {
        return Err(Refusal::Credentials(name));
    }
    let uploads = &service.uploads;
    let slot = slot_id(parts.uri.path()).and_then(|id| uploads.get(id));
    let slot = slot.ok_or(Refusal::Signature)?;
    let query = parts.uri.query().unwrap_or_default();
    let end = uploads.end(&slot, query).ok_or(Refusal::Signature)?;
    if service.clock.now() >= end {
        return Err(Refusal::Expired);
    }
    let signed = uploads.headers(&slot);
    for (name, value) in &signed {
        let given: Vec<&HeaderValue> = parts.headers.get_all(name).iter().collect();
        match given[..] {
            [] => return Err(Refusal::HeaderMissing(name.to_string())),
            [given] if given == value => {}
            _ => return Err(Refusal::HeaderDiffers(name.to_string())),
        }
    }
    let mut kind = parts
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with(SIGNED_KIND));
    match kind.find(|name| !signed.contains_key(*name)) {
        Some(name) => Err(Refusal::HeaderExtra(name.to_string())),
        None => Ok(slot),
    }
}

/// What in a request is, or holds, a key: the name of the header, or the query.
fn credentials(service: &Service, parts: &Parts) -> Option<String> {
    let held = service.mark_keys(parts.headers.clone());
    let in_headers = held
        .iter()
        .find(|(_, value)| value.is_sensitive())
        .map(|(name, _)| name.to_string());
    let query = parts.uri.query().unwrap_or_default();
    let in_query = service
        .config
        .api_keys
        .iter()
        .any(|key| query.contains(key));
    in_headers.or_else(|| in_query.then(|| "the query".to_owned()))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
