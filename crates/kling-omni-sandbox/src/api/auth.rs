use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::reply;
use crate::service::Service;

const MISSING: &str = "Missing API key";
/// The text that was recorded from the service.
const INVALID: &str = "Unauthorized: The provided API key is invalid. Please verify your API key at https://www.freepik.com/developers/dashboard/api-key. If you need a new key, you can request one at https://www.freepik.com/api.";

/// Why a request is not let in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    Missing,
    Invalid,
}

impl From<Refused> for Response {
    fn from(refused: Refused) -> Self {
        let text = match refused {
            Refused::Missing => MISSING,
            Refused::Invalid => INVALID,
        };
        reply::message(StatusCode::UNAUTHORIZED, text)
    }
}

/// The place of the key that a request carries among the right ones. Either header of the spec will do.
pub(super) fn key(service: &Service, headers: &HeaderMap) -> Result<usize, Refused> {
    let given = service
        .spec
        .key_headers
        .iter()
        .flat_map(|name| headers.get_all(name))
        .map(|value| value.as_bytes())
        .filter(|key| !key.is_empty());
    let mut refused = Refused::Missing;
    for key in given {
        let mut right = service.config.api_keys.iter();
        match right.position(|right| right.as_bytes() == key) {
            Some(place) => return Ok(place),
            None => refused = Refused::Invalid,
        }
    }
    Err(refused)
}
