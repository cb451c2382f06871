use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use axum::response::Response;
use http::{HeaderValue, header};
use serde::Serialize;

use super::{Call, body, reply};
use crate::service::{Service, unix_seconds};
use crate::spec::Schema;
use crate::uploads::{Stored, UploadSlot};

#[derive(Serialize)]
struct Files<T> {
    files: Vec<T>,
}

/// A place as the API tells of it.
#[derive(Serialize)]
struct SlotView<'a> {
    file_id: &'a str,
    upload_url: String,
    headers: BTreeMap<String, String>,
    expires_in: u64,
    asset_url: String,
    asset_url_expires_in: u64,
}

/// A file as the API tells of it.
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

/// Hands out a place for each file of the request.
pub(super) fn places(service: &Service, schema: &Schema, call: &Call) -> Response {
    let request = match body::read(service, schema, call) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let now = service.clock.now();
    let wanted = request["files"].as_array().into_iter().flatten();
    let places: Vec<_> = wanted
        .filter_map(|file| file["content_type"].as_str())
        .map(|kind| {
            service
                .uploads
                .place(service.random.file_id(kind), kind, now)
        })
        .collect();
    let files = places.iter().map(|place| slot_view(service, place));
    reply::ok(&Files {
        files: files.collect(),
    })
}

/// All files that are there, newest first.
pub(super) fn files(service: &Service) -> Response {
    let places = service.uploads.all();
    let there: Vec<_> = places
        .iter()
        .rev()
        .filter_map(|place| Some((place, place.stored(service)?)))
        .collect();
    let files = there
        .iter()
        .map(|(place, stored)| file_view(service, place, stored));
    reply::ok(&Files {
        files: files.collect(),
    })
}

fn slot_view<'a>(service: &Service, place: &'a UploadSlot) -> SlotView<'a> {
    let lifetime = service.config.upload_lifetime;
    let headers = service.uploads.headers(place);
    SlotView {
        file_id: &place.id,
        upload_url: service.uploads.upload_url(place, lifetime),
        headers: headers
            .iter()
            .map(|(name, value)| {
                let shown = if *name == header::CONTENT_TYPE {
                    "Content-Type"
                } else {
                    name.as_str()
                };
                (shown.to_owned(), text(value))
            })
            .collect(),
        expires_in: lifetime.as_secs(),
        asset_url: asset_url(service, place),
        asset_url_expires_in: service.config.asset_lifetime.as_secs(),
    }
}

fn file_view<'a>(service: &Service, place: &'a UploadSlot, stored: &Stored) -> FileView<'a> {
    let vanishes = stored.at + service.config.file_lifetime;
    let left: Duration = vanishes
        .duration_since(service.clock.now())
        .unwrap_or_default();
    FileView {
        file_id: &place.id,
        content_type: place.content_type.to_str().unwrap_or_default(),
        size_bytes: stored.length,
        created_at: written(stored.at),
        expires_at: written(vanishes),
        ttl_seconds: left.as_secs(),
        asset_url: asset_url(service, place),
        asset_url_expires_in: service.config.asset_lifetime.as_secs(),
    }
}

/// A URL of the file that is signed anew.
fn asset_url(service: &Service, place: &UploadSlot) -> String {
    let now = unix_seconds(service.clock.now());
    let expires = now + service.config.asset_lifetime.as_secs();
    service.results.asset_url(&place.id, expires)
}

fn text(value: &HeaderValue) -> String {
    value.to_str().unwrap_or_default().to_owned()
}

fn written(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
