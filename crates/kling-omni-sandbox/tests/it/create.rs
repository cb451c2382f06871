//! Creates: the responses to valid and invalid bodies.

use http::Method;
use kling_omni_api::enums::AspectRatio;
use kling_omni_api::limits::reference_to_video_request::PROMPT;
use kling_omni_sandbox::ProblemForm;
use serde_json::json;

use crate::harness::{
    Bench, PRO, STANDARD, TestResponse, VIDEO_REFERENCE, request_body, request_body_with,
};

#[tokio::test]
async fn response_has_the_observed_form() {
    let bench = Bench::start().await;
    for (count, path) in [VIDEO_REFERENCE, PRO, STANDARD].iter().enumerate() {
        let response = bench.post(path, &request_body()).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("application/json"));
        let id = response.data()["task_id"].as_str().unwrap().to_owned();
        let expected =
            format!(r#"{{"data":{{"task_id":"{id}","status":"CREATED","generated":[]}}}}"#);
        assert_eq!(response.text(), expected);
        // The observed response has this length.
        assert_eq!(response.header("content-length"), Some("93"));

        assert_eq!(bench.sandbox.charges(), count + 1);
        let task = bench.sandbox.tasks().pop().unwrap();
        assert_eq!(task.id(), id);
        assert_eq!(*task.request(), request_body());
    }
    let operations: Vec<_> = bench
        .sandbox
        .tasks()
        .iter()
        .map(|task| task.operation_id().to_owned())
        .collect();
    let expected = [
        "createVideoReference",
        "createReferenceToVideoPro",
        "createReferenceToVideoStd",
    ];
    assert_eq!(operations, expected);
}

#[tokio::test]
async fn invalid_bodies_are_rejected() {
    let bench = Bench::start().await;
    let json = Some("application/json");
    let good = request_body().to_string();
    // content type, body, status, message
    let cases = [
        (json, good.as_str(), 200, ""),
        (Some("Application/JSON; charset=utf-8"), &good, 200, ""),
        (
            None,
            &good,
            400,
            "The content type must be application/json",
        ),
        (
            Some("text/plain"),
            &good,
            400,
            "The content type must be application/json",
        ),
        (
            Some("application/x-www-form-urlencoded"),
            "a=b",
            400,
            "The content type must be application/json",
        ),
        (
            json,
            "",
            400,
            "The body is not JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            json,
            "{\"video_url\":",
            400,
            "The body is not JSON: EOF while parsing a value at line 1 column 13",
        ),
        (
            json,
            "{'a': 1}",
            400,
            "The body is not JSON: key must be a string at line 1 column 2",
        ),
        (
            json,
            "{} {}",
            400,
            "The body is not JSON: trailing characters at line 1 column 4",
        ),
        (
            json,
            "[]",
            400,
            "The request has parameters that are not valid",
        ),
    ];
    for (content_type, body, status, message) in cases {
        let mut request = bench.request(Method::POST, PRO).body(body.to_owned());
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let response = TestResponse::to(request).await;
        assert_eq!(response.status, status, "{content_type:?} {body}");
        if status != 200 {
            assert_eq!(
                response.json()["message"],
                message,
                "{content_type:?} {body}"
            );
        }
    }
    assert_eq!(bench.sandbox.charges(), 2);

    let long = "x".repeat(2 << 20);
    let response = bench.post(PRO, &request_body_with("prompt", long)).await;
    assert_eq!(response.status, 413);
    assert!(
        response.json()["message"]
            .as_str()
            .unwrap()
            .contains("1048576 bytes")
    );
    assert_eq!(bench.sandbox.charges(), 2);
}

#[tokio::test]
async fn all_violations_are_reported_in_each_form() {
    let longest = PROMPT.max_length.unwrap();
    let body = json!({
        "prompt": "x".repeat(longest + 500),
        "duration": 5,
        "aspect_ratio": "4:3",
        "webhook_url": "no",
    });
    let ratios = AspectRatio::VALUES.join(", ");
    let too_long = format!(
        "must have {longest} characters or fewer, has {}",
        longest + 500
    );
    let params = json!([
        {"name": "aspect_ratio", "reason": format!("must be one of {ratios}")},
        {"name": "duration", "reason": "must be a string"},
        {"name": "prompt", "reason": too_long},
        {"name": "video_url", "reason": "is required"},
        {"name": "webhook_url", "reason": "must be an absolute URI"},
    ]);
    let message = "The request has parameters that are not valid";
    let flat = json!({"message": message, "invalid_params": params});
    let problem = "application/problem+json";
    let cases = [
        (ProblemForm::Flat, problem, flat.clone()),
        (ProblemForm::Nested, problem, json!({"problem": flat})),
        (
            ProblemForm::Message,
            "application/json",
            json!({"message": message}),
        ),
    ];
    for (form, content_type, expected) in cases {
        let bench = Bench::with(|builder| builder.problem_form(form)).await;
        let response = bench.post(PRO, &body).await;
        assert_eq!(response.status, 400);
        assert_eq!(response.header("content-type"), Some(content_type));
        assert_eq!(response.json(), expected);
        assert_eq!(bench.sandbox.charges(), 0);
    }
}

#[tokio::test]
async fn unknown_fields_and_queries_are_accepted() {
    let bench = Bench::start().await;
    let body = request_body_with("multi_prompt", json!(["a", "b"]));
    bench.create(&format!("{PRO}?debug=1"), &body).await;
    assert_eq!(*bench.sandbox.tasks()[0].request(), body);
}

#[tokio::test]
async fn unknown_directive_is_rejected() {
    let bench = Bench::start().await;
    let response = bench
        .post(PRO, &request_body_with("prompt", "a cat [sandbox:fial]"))
        .await;
    assert_eq!(response.status, 400);
    assert_eq!(response.json()["invalid_params"][0]["name"], "prompt");
    assert_eq!(bench.sandbox.charges(), 0);
}
