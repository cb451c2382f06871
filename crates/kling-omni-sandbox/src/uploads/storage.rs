//! The storage host: an object store that accepts presigned URLs and no keys.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, future};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};

use super::error::UploadError;
use super::stored::Incomplete;
use super::{StoredFile, UploadSlot, slot_id};
use crate::injection::{ActiveFaults, FaultContext};
use crate::record::Host;
use crate::service::Service;
use crate::signer;

/// Headers with this prefix must be signed.
const SIGNED_PREFIX: &str = "x-goog-";

/// Returns the router. It accepts every path with a valid signature.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let service = Arc::clone(service);
    Router::new().fallback(async move |request: Request| handle(&service, request).await)
}

async fn handle(service: &Arc<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let record = service.record_request(Host::Storage, &parts);
    let faults = service.evaluate_faults(record, Host::Storage, &FaultContext::Storage);
    let mut body = body.into_data_stream();
    let response = match faults.rejection(&parts) {
        Some(rejection) => rejection,
        None => match store(service, &faults, &parts, &mut body).await {
            Ok(response) => response,
            Err(rejection) => rejection.into(),
        },
    };
    if !faults.drops_connection() {
        drain(service, body).await;
    }
    let response = faults
        .mutate_response(&service.results, &service.uploads, response)
        .await;
    service.send(record, &parts, &faults, response).await
}

/// Reads the rest of a body, because a client that is still sending may not read the response.
async fn drain(service: &Service, body: BodyDataStream) {
    let mut left = service.uploads.max_size;
    let more = body.take_while(|chunk| {
        left = left.saturating_sub(chunk.as_ref().map_or(u64::MAX, |chunk| chunk.len() as u64));
        future::ready(left > 0)
    });
    more.for_each(|_| future::ready(())).await;
}

/// Stores a file if it is complete.
async fn store(
    service: &Service,
    faults: &ActiveFaults,
    parts: &Parts,
    body: &mut BodyDataStream,
) -> Result<Response, UploadError> {
    let slot = authorize(service, parts)?;
    let length = length(&parts.headers).ok_or(UploadError::LengthMissing)?;
    let max_size = service.uploads.max_size;
    if length > max_size {
        return Err(UploadError::TooLong(max_size));
    }
    let now = service.clock.now();
    let received = match faults.accepted_bytes(length) {
        None => StoredFile::receive(body, max_size, now).await,
        Some(limit) => StoredFile::receive(take_bytes(body, limit), max_size, now)
            .await
            .and(Err(Incomplete::Broken)),
    };
    let stored = received.map_err(|incomplete| match incomplete {
        Incomplete::TooLong => UploadError::TooLong(max_size),
        Incomplete::Broken => UploadError::Broken,
        Incomplete::Disk(error) => {
            tracing::error!(%error, "cannot store an upload");
            UploadError::Disk
        }
    })?;
    let etag = signer::etag(&stored.sha256);
    slot.store(stored);
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// Returns the first chunks of a body, up to about `limit` bytes.
fn take_bytes(
    body: &mut BodyDataStream,
    limit: u64,
) -> impl Stream<Item = Result<Bytes, axum::Error>> + Unpin {
    let mut left = limit;
    body.take_while(move |chunk| {
        let is_taken = left > 0;
        left = left.saturating_sub(chunk.as_ref().map_or(u64::MAX, |chunk| chunk.len() as u64));
        future::ready(is_taken)
    })
}

/// Verifies the signature of a request, and returns its slot.
fn authorize(service: &Service, parts: &Parts) -> Result<Arc<UploadSlot>, UploadError> {
    if parts.method != Method::PUT {
        return Err(UploadError::Method);
    }
    if let Some(name) = credentials(service, parts) {
        return Err(UploadError::Credentials(name));
    }
    let uploads = &service.uploads;
    let slot = slot_id(parts.uri.path()).and_then(|id| uploads.get(id));
    let slot = slot.ok_or(UploadError::Signature)?;
    let query = parts.uri.query().unwrap_or_default();
    let expiry = uploads
        .url_expiry(&slot, query)
        .ok_or(UploadError::Signature)?;
    if service.clock.now() >= expiry {
        return Err(UploadError::Expired);
    }
    let signed = uploads.headers(&slot);
    for (name, value) in &signed {
        let given: Vec<&HeaderValue> = parts.headers.get_all(name).iter().collect();
        match given[..] {
            [] => return Err(UploadError::HeaderMissing(name.to_string())),
            [given] if given == value => {}
            _ => return Err(UploadError::HeaderDiffers(name.to_string())),
        }
    }
    let mut must_be_signed = parts
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with(SIGNED_PREFIX));
    match must_be_signed.find(|name| !signed.contains_key(*name)) {
        Some(name) => Err(UploadError::HeaderExtra(name.to_string())),
        None => Ok(slot),
    }
}

/// Returns where a request contains credentials: the name of a header, or the query.
fn credentials(service: &Service, parts: &Parts) -> Option<String> {
    let marked = service.mark_keys(parts.headers.clone());
    let in_headers = marked
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
