//! The operations that create tasks.

use std::sync::Arc;

use axum::response::Response;
use serde_json::Value;

use super::call::Call;
use super::read;
use crate::reply;
use crate::script::{TaskOutcome, TaskScript};
use crate::service::Service;
use crate::spec::{InvalidParam, Operation, Schema};
use crate::task::{NewTask, RenderSpec};
use crate::webhook::sequence;

const PROMPT: &str = "prompt";
const SHOTS: &str = "multi_prompt";
/// The length of a clip where the schema neither asks for one nor has a default.
const UNSAID_SECONDS: u32 = 5;
/// The fields whose URLs a clip shows, and the word that it has for each.
const INPUTS: [(&str, &str); 4] = [
    ("video_url", "video"),
    ("image_url", "start"),
    ("start_image_url", "start"),
    ("end_image_url", "end"),
];

/// Creates a task, which is what is paid for.
pub(super) fn task(
    service: &Arc<Service>,
    operation: &Operation,
    families: &[&'static str],
    schema: &Schema,
    call: &Call,
    key: usize,
) -> Response {
    let request = match call.json(schema, service.config.problem_form) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let render_spec = match render_spec(schema, &usable(schema, &request)) {
        Ok(render_spec) => render_spec,
        Err(invalid) => return reply::problem(service.config.problem_form, vec![invalid]),
    };
    let directed = match TaskScript::from_prompt(&render_spec.prompt) {
        Ok(directed) => directed,
        Err(error) => {
            let in_shot = shots(&request).any(|shot| TaskScript::from_prompt(shot).is_err());
            let invalid = InvalidParam {
                name: if in_shot { SHOTS } else { PROMPT }.to_owned(),
                reason: error.to_string(),
            };
            return reply::problem(service.config.problem_form, vec![invalid]);
        }
    };

    let directed = match unreadable(service, &request) {
        Some(why) => Some(TaskScript::new(TaskOutcome::Failed(why))),
        None => call.faults.script().or(directed),
    };

    let (id, lean) = service.random.task();
    let factor = 1.0 + lean * service.config.jitter;
    let new = NewTask {
        id: call.faults.id().map_or(id, str::to_owned),
        key,
        operation_id: operation.id.clone(),
        family: family(service, families),
        request,
        render_spec,
        created_at: service.clock.now(),
        total: service.config.task_time.mul_f64(factor),
    };
    let task = service.tasks.create(new, directed);
    sequence::follow(service, &task);
    read::shown(service, &task, task.first_stage())
}

/// A request without the fields that break a rule: one that breaks any comes here only through a fault.
fn usable(schema: &Schema, request: &Value) -> Value {
    let mut usable = request.clone();
    for broken in schema.check(request) {
        let field = broken.name.split('.').next().unwrap_or_default();
        if let Some(fields) = usable.as_object_mut() {
            fields.remove(field);
        }
    }
    usable
}

/// The family that a task belongs to. Where the document leaves it open, the settings say.
fn family(service: &Service, families: &[&'static str]) -> &'static str {
    let set = service.config.video_reference_status.family();
    match families {
        [family] => family,
        several if several.contains(&set) => set,
        several => several.first().copied().unwrap_or_default(),
    }
}

/// The shots of a request, if it has any.
fn shots(request: &Value) -> impl Iterator<Item = &str> {
    let shots = request[SHOTS].as_array().into_iter().flatten();
    shots.filter_map(Value::as_str)
}

/// The prompt of the whole video and those of its shots, numbered.
fn prompt(schema: &Schema, request: &Value) -> String {
    let whole = schema.text(request, PROMPT);
    let shots = shots(request).zip(1..);
    let shots = shots.map(|(shot, number)| format!("{number}: {shot}"));
    whole.into_iter().chain(shots).collect::<Vec<_>>().join(" ")
}

/// Why a URL in the request leads to no file, where it is one of the sandbox's own; others are not looked at.
fn unreadable(service: &Service, request: &Value) -> Option<String> {
    let mut fields = request.as_object()?.iter();
    fields.find_map(|(name, value)| {
        let why = lost_file(service, value)?;
        Some(format!("{name}: {why}"))
    })
}

fn lost_file(service: &Service, value: &Value) -> Option<&'static str> {
    match value {
        Value::String(url) => {
            let now = service.clock.now();
            let asset = service.results.asset(url)?;
            if service.results.admits(url, now) {
                service.uploads.lost_file(asset, now)
            } else {
                Some("the URL of the uploaded file has expired, or is not genuine")
            }
        }
        Value::Array(values) => values.iter().find_map(|value| lost_file(service, value)),
        Value::Object(fields) => fields.values().find_map(|value| lost_file(service, value)),
        _ => None,
    }
}

/// What the clip needs to know, with the spec's defaults.
fn render_spec(schema: &Schema, request: &Value) -> Result<RenderSpec, InvalidParam> {
    let seconds = match schema.text(request, "duration") {
        Some(seconds) => seconds.parse().ok(),
        None => Some(UNSAID_SECONDS),
    };
    let aspect_ratio = schema.text(request, "aspect_ratio").unwrap_or_default();
    let shape = if aspect_ratio.contains(':') {
        aspect_ratio.clone()
    } else {
        // `auto` would take the shape of an input, which the sandbox does not fetch.
        schema
            .text(&Value::Null, "aspect_ratio")
            .unwrap_or_default()
    };
    Ok(RenderSpec {
        prompt: prompt(schema, request),
        seconds: seconds.ok_or_else(|| InvalidParam {
            name: "duration".to_owned(),
            reason: "is no whole number of seconds".to_owned(),
        })?,
        aspect_ratio,
        shape,
        inputs: INPUTS
            .into_iter()
            .filter_map(|(field, word)| Some((word, schema.text(request, field)?)))
            .collect(),
    })
}
