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
/// The duration of a clip if neither the request nor the schema has one.
const DEFAULT_SECONDS: u32 = 5;
/// The fields whose URLs a clip shows, with their labels.
const INPUTS: [(&str, &str); 4] = [
    ("video_url", "video"),
    ("image_url", "start"),
    ("start_image_url", "start"),
    ("end_image_url", "end"),
];

/// Creates a task, which is charged.
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
        Err(rejection) => return *rejection,
    };
    let render_spec = match render_spec(schema, &without_invalid_fields(schema, &request)) {
        Ok(render_spec) => render_spec,
        Err(invalid) => return reply::problem(service.config.problem_form, vec![invalid]),
    };
    let script = match TaskScript::from_prompt(&render_spec.prompt) {
        Ok(script) => script,
        Err(error) => {
            let in_shot = shots(&request).any(|shot| TaskScript::from_prompt(shot).is_err());
            let invalid = InvalidParam {
                name: if in_shot { SHOTS } else { PROMPT }.to_owned(),
                reason: error.to_string(),
            };
            return reply::problem(service.config.problem_form, vec![invalid]);
        }
    };

    let script = match find_unreadable_url(service, &request) {
        Some(reason) => Some(TaskScript::new(TaskOutcome::Failed(reason))),
        None => call.faults.script().or(script),
    };

    let (id, jitter) = service.random.task();
    let factor = 1.0 + jitter * service.config.jitter;
    let new = NewTask {
        id: call.faults.id().map_or(id, str::to_owned),
        key,
        operation_id: operation.id.clone(),
        family: family(service, families),
        request,
        render_spec: call.faults.render(render_spec),
        created_at: service.clock.now(),
        total: service.config.task_time.mul_f64(factor),
    };
    let task = service.tasks.create(new, script);
    let id = Some(task.id.clone());
    service.amend(call.record, |entry| entry.task_id = id);
    sequence::start(service, &task);
    read::respond_with(service, &task, task.first_stage())
}

/// Removes invalid fields. A request has some only with the fault `lenient`.
fn without_invalid_fields(schema: &Schema, request: &Value) -> Value {
    let mut valid = request.clone();
    for invalid in schema.check(request) {
        let field = invalid.name.split('.').next().unwrap_or_default();
        if let Some(fields) = valid.as_object_mut() {
            fields.remove(field);
        }
    }
    valid
}

/// Returns the family of a task. If the document allows several, the settings decide.
fn family(service: &Service, families: &[&'static str]) -> &'static str {
    let configured = service.config.video_reference_status.family();
    match families {
        [family] => family,
        several if several.contains(&configured) => configured,
        several => several.first().copied().unwrap_or_default(),
    }
}

/// Returns the shots of a request.
fn shots(request: &Value) -> impl Iterator<Item = &str> {
    let shots = request[SHOTS].as_array().into_iter().flatten();
    shots.filter_map(Value::as_str)
}

/// Returns the prompt of the video, followed by the numbered prompts of its shots.
fn prompt(schema: &Schema, request: &Value) -> String {
    let prompt = schema.text(request, PROMPT);
    let shots = shots(request).zip(1..);
    let shots = shots.map(|(shot, number)| format!("{number}: {shot}"));
    prompt
        .into_iter()
        .chain(shots)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns why an uploaded file in the request cannot be read. URLs of other hosts are not checked.
fn find_unreadable_url(service: &Service, request: &Value) -> Option<String> {
    let mut fields = request.as_object()?.iter();
    fields.find_map(|(name, value)| {
        let reason = unreadable_reason(service, value)?;
        Some(format!("{name}: {reason}"))
    })
}

fn unreadable_reason(service: &Service, value: &Value) -> Option<&'static str> {
    match value {
        Value::String(url) => {
            let now = service.clock.now();
            let asset = service.results.asset(url)?;
            if service.results.is_valid(url, now) {
                service.uploads.unreadable_reason(asset, now)
            } else {
                Some("the URL of the uploaded file has expired or is invalid")
            }
        }
        Value::Array(values) => values
            .iter()
            .find_map(|value| unreadable_reason(service, value)),
        Value::Object(fields) => fields
            .values()
            .find_map(|value| unreadable_reason(service, value)),
        _ => None,
    }
}

/// Returns what the clip shows, with the defaults of the document.
fn render_spec(schema: &Schema, request: &Value) -> Result<RenderSpec, InvalidParam> {
    let seconds = match schema.text(request, "duration") {
        Some(seconds) => seconds.parse().ok(),
        None => Some(DEFAULT_SECONDS),
    };
    let aspect_ratio = schema.text(request, "aspect_ratio").unwrap_or_default();
    let shape = if aspect_ratio.contains(':') {
        aspect_ratio.clone()
    } else {
        // `auto` uses the aspect ratio of an input, which the sandbox does not fetch.
        schema
            .text(&Value::Null, "aspect_ratio")
            .unwrap_or_default()
    };
    Ok(RenderSpec {
        prompt: prompt(schema, request),
        seconds: seconds.ok_or_else(|| InvalidParam {
            name: "duration".to_owned(),
            reason: "must be a whole number of seconds".to_owned(),
        })?,
        aspect_ratio,
        shape,
        size: None,
        has_sound: request["generate_audio"] == Value::Bool(true),
        inputs: INPUTS
            .into_iter()
            .filter_map(|(field, label)| Some((label, schema.text(request, field)?)))
            .collect(),
    })
}
