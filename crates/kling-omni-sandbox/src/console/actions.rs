//! What the buttons do: arm and disarm faults, and send deliveries again.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, StatusCode, header};
use url::{Url, form_urlencoded};

use super::view::View;
use super::{Console, page};
use crate::fault::FaultRule;
use crate::webhook::sequence;

/// The maximum size of a form, in bytes.
const FORM_LIMIT: usize = 64 * 1024;

/// A submitted form, and the page it is on.
struct Form {
    fields: Vec<(String, String)>,
    view: View,
}

/// Arms the fault in `rule`.
pub(super) async fn arm(State(console): State<Arc<Console>>, request: Request) -> Response {
    let form = Form::read(request).await;
    let rule = form.value("rule").trim();
    match rule.parse::<FaultRule>() {
        Ok(rule) => {
            console.service.faults.add(rule);
            form.done()
        }
        Err(error) => {
            let error = format!("The fault was not armed: {error}");
            form.failed(&console, &console.mask.line(&error, 400).to_string())
        }
    }
}

/// Disarms the fault with the number in `id`, or all of them with `all`.
pub(super) async fn disarm(State(console): State<Arc<Console>>, request: Request) -> Response {
    let form = Form::read(request).await;
    let faults = &console.service.faults;
    let is_disarmed = match form.value("id") {
        "all" => {
            faults.clear();
            true
        }
        id => id.parse().is_ok_and(|id| faults.remove(id)),
    };
    match is_disarmed {
        true => form.done(),
        false => form.failed(&console, "The fault was not armed any more"),
    }
}

/// Sends the delivery in `number` again.
pub(super) async fn redeliver(State(console): State<Arc<Console>>, request: Request) -> Response {
    let form = Form::read(request).await;
    let number = form.value("number").parse().ok();
    let deliveries = &console.service.webhooks.deliveries;
    let delivery = number.and_then(|number| deliveries.get(number));
    match delivery {
        Some(delivery) if sequence::redeliver(&console.service, &delivery) => form.done(),
        _ => form.failed(&console, "The record of the delivery is no longer kept"),
    }
}

impl Form {
    async fn read(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, FORM_LIMIT).await.unwrap_or_default();
        let fields = form_urlencoded::parse(&body).into_owned();
        Self {
            fields: fields.collect(),
            view: referring_page(&parts.headers).unwrap_or(View::Overview),
        }
    }

    /// Returns the value of a field, or an empty text.
    fn value(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(found, _)| found == name);
        field.map_or("", |(_, value)| value)
    }

    /// Returns to the page of the form.
    fn done(&self) -> Response {
        Redirect::to(&self.view.to_string()).into_response()
    }

    /// Returns the page of the form with an error.
    fn failed(&self, console: &Console, error: &str) -> Response {
        page::respond(console, self.view, StatusCode::BAD_REQUEST, error)
    }
}

/// Returns the page that a request comes from.
fn referring_page(headers: &HeaderMap) -> Option<View> {
    let referrer = headers.get(header::REFERER)?.to_str().ok()?;
    let url = Url::parse(referrer).ok()?;
    View::parse(url.path(), url.query())
}
