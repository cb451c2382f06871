//! The generated types: what is sent, and what is accepted.

use kling_omni_api::enums::{OutputDuration, TaskStatus};
use kling_omni_api::types::{TaskDetail, TaskListResponse, TaskResponse, VideoReferenceRequest};
use serde_json::{Value, from_value, json, to_value};

fn detail(value: Value) -> TaskDetail {
    from_value(value).expect("it reads")
}

#[test]
fn an_empty_request_sends_nothing_and_no_default_of_the_service() {
    let request = VideoReferenceRequest::default();
    assert_eq!(to_value(&request).expect("JSON"), json!({}));
}

#[test]
fn what_is_set_is_sent_even_when_it_is_zero_or_the_default() {
    let request = VideoReferenceRequest {
        cfg_scale: Some(0.0),
        duration: Some(OutputDuration::Seconds5),
        ..VideoReferenceRequest::default()
    };
    let sent = json!({"cfg_scale": 0.0, "duration": "5"});
    assert_eq!(to_value(&request).expect("JSON"), sent);
}

/// The generator would refuse a long text, so that no unchecked request could be sent.
#[test]
fn a_request_that_breaks_the_rules_can_be_made() {
    let request: VideoReferenceRequest = VideoReferenceRequest::builder()
        .prompt("x".repeat(1_000_000))
        .video_url("no URL".to_owned())
        .cfg_scale(-1_000.0)
        .try_into()
        .expect("nothing is checked");
    let sent = to_value(&request).expect("JSON");
    assert_eq!(sent["cfg_scale"], -1_000.0);
    let back: VideoReferenceRequest = from_value(sent).expect("it reads");
    assert_eq!(back, request);
}

#[test]
fn an_unknown_status_fails_no_response_and_is_kept() {
    let sent = json!({"data": {"task_id": "t", "status": "PAUSED", "generated": ["u"]}});
    let task: TaskResponse = from_value(sent.clone()).expect("it reads");
    assert_eq!(task.data.status, TaskStatus::Unknown("PAUSED".to_owned()));
    assert_eq!(to_value(&task).expect("JSON"), sent);
}

#[test]
fn no_list_null_and_an_empty_list_are_the_same() {
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
fn a_page_without_its_list_says_nothing() {
    let empty: TaskListResponse = from_value(json!({"data": []})).expect("it reads");
    assert_eq!(empty.data, []);
    for sent in [json!({}), json!({"data": null})] {
        assert!(
            from_value::<TaskListResponse>(sent.clone()).is_err(),
            "{sent}"
        );
    }
}

#[test]
fn a_list_with_something_else_in_it_is_refused() {
    for generated in [json!([{"url": "u"}]), json!("u"), json!([null])] {
        let sent = json!({"task_id": "t", "status": "COMPLETED", "generated": generated});
        assert!(from_value::<TaskDetail>(sent.clone()).is_err(), "{sent}");
    }
}

#[test]
fn fields_that_the_spec_does_not_name_are_accepted() {
    let sent =
        json!({"task_id": "t", "status": "FAILED", "error": "no", "has_nsfw": [true], "x": {}});
    assert_eq!(detail(sent).error.as_deref(), Some("no"));
}

#[test]
fn an_error_may_be_null_or_missing() {
    for sent in [
        json!({"task_id": "t", "status": "FAILED", "error": null}),
        json!({"task_id": "t", "status": "FAILED"}),
    ] {
        assert_eq!(detail(sent).error, None);
    }
}

#[test]
fn a_task_without_id_or_status_is_refused() {
    for sent in [json!({"status": "FAILED"}), json!({"task_id": "t"})] {
        assert!(from_value::<TaskDetail>(sent.clone()).is_err(), "{sent}");
    }
}
