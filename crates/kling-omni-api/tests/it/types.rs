//! The generated types: serialisation and deserialisation.

use kling_omni_api::enums::{OutputDuration, TaskStatus};
use kling_omni_api::types::{TaskDetail, TaskListResponse, TaskResponse, VideoReferenceRequest};
use serde_json::{Value, from_value, json, to_value};

fn detail(value: Value) -> TaskDetail {
    from_value(value).expect("a valid value")
}

#[test]
fn empty_request_has_no_fields() {
    let request = VideoReferenceRequest::default();
    assert_eq!(to_value(&request).expect("JSON"), json!({}));
}

#[test]
fn zero_and_default_values_are_sent() {
    let request = VideoReferenceRequest {
        cfg_scale: Some(0.0),
        duration: Some(OutputDuration::Seconds5),
        ..VideoReferenceRequest::default()
    };
    let sent = json!({"cfg_scale": 0.0, "duration": "5"});
    assert_eq!(to_value(&request).expect("JSON"), sent);
}

/// The generator would reject a long text, so an unchecked request could not be sent.
#[test]
fn invalid_request_can_be_built() {
    let request: VideoReferenceRequest = VideoReferenceRequest::builder()
        .prompt("x".repeat(1_000_000))
        .video_url("not a URL".to_owned())
        .cfg_scale(-1_000.0)
        .try_into()
        .expect("no validation");
    let sent = to_value(&request).expect("JSON");
    assert_eq!(sent["cfg_scale"], -1_000.0);
    let back: VideoReferenceRequest = from_value(sent).expect("a valid value");
    assert_eq!(back, request);
}

#[test]
fn unknown_status_is_kept() {
    let sent = json!({"data": {"task_id": "t", "status": "PAUSED", "generated": ["u"]}});
    let task: TaskResponse = from_value(sent.clone()).expect("a valid value");
    assert_eq!(task.data.status, TaskStatus::Unknown("PAUSED".to_owned()));
    assert_eq!(to_value(&task).expect("JSON"), sent);
}

#[test]
fn missing_null_and_empty_lists_are_equal() {
    let plain = json!({"task_id": "t", "status": "COMPLETED"});
    for generated in [None, Some(Value::Null), Some(json!([]))] {
        let mut sent = plain.clone();
        if let Some(generated) = generated {
            sent["generated"] = generated;
        }
        assert_eq!(detail(sent).generated, Vec::<String>::new());
    }
}

#[test]
fn page_without_a_list_is_rejected() {
    let empty: TaskListResponse = from_value(json!({"data": []})).expect("a valid value");
    assert_eq!(empty.data, []);
    for sent in [json!({}), json!({"data": null})] {
        assert!(
            from_value::<TaskListResponse>(sent.clone()).is_err(),
            "{sent}"
        );
    }
}

#[test]
fn list_with_other_items_is_rejected() {
    for generated in [json!([{"url": "u"}]), json!("u"), json!([null])] {
        let sent = json!({"task_id": "t", "status": "COMPLETED", "generated": generated});
        assert!(from_value::<TaskDetail>(sent.clone()).is_err(), "{sent}");
    }
}

#[test]
fn undocumented_fields_are_ignored() {
    let sent =
        json!({"task_id": "t", "status": "FAILED", "error": "no", "has_nsfw": [true], "x": {}});
    assert_eq!(detail(sent).error.as_deref(), Some("no"));
}

#[test]
fn error_may_be_null_or_missing() {
    for sent in [
        json!({"task_id": "t", "status": "FAILED", "error": null}),
        json!({"task_id": "t", "status": "FAILED"}),
    ] {
        assert_eq!(detail(sent).error, None);
    }
}

#[test]
fn task_without_id_or_status_is_rejected() {
    for sent in [json!({"status": "FAILED"}), json!({"task_id": "t"})] {
        assert!(from_value::<TaskDetail>(sent.clone()).is_err(), "{sent}");
    }
}
