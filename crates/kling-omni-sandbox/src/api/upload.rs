//! The operations on uploaded files.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use axum::response::Response;
use http::{HeaderValue, header};
use serde::Serialize;

use super::call::Call;
use crate::clock::unix_seconds;
use crate::reply;
use crate::service::Service;
use crate::spec::Schema;
use crate::uploads::{StoredFile, UploadSlot};

#[derive(Serialize)]
struct Files<T> {
    files: Vec<T>,
}

/// The JSON of an upload slot.
#[derive(Serialize)]
struct SlotView<'a> {
    file_id: &'a str,
    upload_url: String,
    headers: BTreeMap<String, String>,
    expires_in: u64,
    asset_url: String,
    asset_url_expires_in: u64,
}

/// The JSON of an uploaded file.
#[derive(Serialize)]
struct FileView<'a> {
    file_id: &'a str,
    content_type: &'a str,
    size_bytes: u64,
    created_at: String,
    expires_at: String,
    ttl_seconds: u64,
    asset_url: String,
    asset_url_expires_in: u64,
}

/// Creates an upload slot for each file of the request.
pub(super) fn slots(service: &Service, schema: &Schema, call: &Call) -> Response {
    let request = match call.json(schema, service.config.problem_form) {
        Ok(request) => request,
        Err(rejection) => return *rejection,
    };
    let now = service.clock.now();
    let requested = request["files"].as_array().into_iter().flatten();
    let slots: Vec<_> = requested
        .filter_map(|file| file["content_type"].as_str())
        .map(|content_type| {
            let id = service.random.file_id(content_type);
            service.uploads.create_slot(id, content_type, now)
        })
        .collect();
    let files = slots.iter().map(|slot| slot_view(service, slot));
    reply::ok(&Files {
        files: files.collect(),
    })
}

/// Returns all stored files, newest first.
pub(super) fn files(service: &Service) -> Response {
    let now = service.clock.now();
    let slots = service.uploads.all();
    let stored: Vec<_> = slots
        .iter()
        .rev()
        .filter_map(|slot| Some((slot, service.uploads.stored(slot, now)?)))
        .collect();
    let files = stored
        .iter()
        .map(|(slot, stored)| file_view(service, slot, stored));
    reply::ok(&Files {
        files: files.collect(),
    })
}

fn slot_view<'a>(service: &Service, slot: &'a UploadSlot) -> SlotView<'a> {
    let lifetime = service.config.upload_lifetime;
    let headers = service.uploads.headers(slot);
    SlotView {
        file_id: &slot.id,
        upload_url: service.uploads.upload_url(slot, lifetime),
        headers: headers
            .iter()
            .map(|(name, value)| {
                let name = if *name == header::CONTENT_TYPE {
                    "Content-Type"
                } else {
                    name.as_str()
                };
                (name.to_owned(), text(value))
            })
            .collect(),
        expires_in: lifetime.as_secs(),
        asset_url: asset_url(service, slot),
        asset_url_expires_in: service.config.asset_lifetime.as_secs(),
    }
}

fn file_view<'a>(service: &Service, slot: &'a UploadSlot, stored: &StoredFile) -> FileView<'a> {
    let expires_at = stored.at + service.config.file_lifetime;
    let left: Duration = expires_at
        .duration_since(service.clock.now())
        .unwrap_or_default();
    FileView {
        file_id: &slot.id,
        content_type: slot.content_type.to_str().unwrap_or_default(),
        size_bytes: stored.length,
        created_at: rfc3339(stored.at),
        expires_at: rfc3339(expires_at),
        ttl_seconds: left.as_secs(),
        asset_url: asset_url(service, slot),
        asset_url_expires_in: service.config.asset_lifetime.as_secs(),
    }
}

/// Returns a newly signed URL of the file.
fn asset_url(service: &Service, slot: &UploadSlot) -> String {
    let now = unix_seconds(service.clock.now());
    let expires = now + service.config.asset_lifetime.as_secs();
    service.results.asset_url(&slot.id, expires)
}

fn text(value: &HeaderValue) -> String {
    value.to_str().unwrap_or_default().to_owned()
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
