//! Requests and responses of the generated client.

use kling_omni_api::enums::{TaskStatus, UploadContentType};
use kling_omni_api::types::{
    Element, ReferenceToVideoRequest, UploadFile, UploadRequest, VideoReferenceRequest,
    VideoRequest,
};
use kling_omni_api::{Error, RequestBody, Role, service};

use crate::fake::{Fake, client, response_bytes};

const CREATED: &str = r#"{"data":{"task_id":"t","status":"CREATED","generated":[]}}"#;

fn reference() -> ReferenceToVideoRequest {
    ReferenceToVideoRequest::builder()
        .video_url("https://example.com/dance.mp4".to_owned())
        .try_into()
        .expect("all required fields")
}

/// The generator adds a header to each request, which is removed. The transport receives the name of the operation.
#[tokio::test]
async fn operations_send_only_their_request() {
    const BODY: &str = r#"{"prompt": "One"}"#;
    for operation in service::OPERATIONS {
        let answered = match operation.role {
            Role::Create(_) | Role::Read(_) => CREATED,
            Role::List(_) => r#"{"data":[]}"#,
            Role::Other { .. } => r#"{"files":[]}"#,
        };
        let fake = Fake::answering(&response_bytes("200 OK", "", answered)).await;
        let (client, transport) = fake.client();
        let mut target = operation.path.to_owned();
        let mut body = String::new();
        let failed = match operation.role {
            Role::Create(create) => {
                body = BODY.to_owned();
                let sent = create.send(&client, BODY.parse().expect("JSON")).await;
                sent.err()
            }
            Role::Read(read) => {
                let (start, _) = target.split_once('{').expect("a placeholder");
                target = format!("{start}a%2Fb%20c");
                read.send(&client, "a/b c").await.err()
            }
            Role::List(list) => {
                if list.spec().fields.iter().any(|field| field.name == "page") {
                    target += "?page=2";
                }
                list.send(&client, Some(2), None).await.err()
            }
            Role::Other { .. } if *operation == service::REQUEST_UPLOADS => {
                body = r#"{"files":[{"content_type":"video/mp4"}]}"#.to_owned();
                let files = vec![UploadFile::new(UploadContentType::VideoMp4)];
                let call = client.request_uploads().body(UploadRequest::new(files));
                call.send().await.err()
            }
            Role::Other { .. } if *operation == service::LIST_UPLOADS => {
                client.list_uploads().send().await.err()
            }
            Role::Other { .. } => continue,
        };
        assert!(failed.is_none(), "{}: {failed:?}", operation.id);
        assert_eq!(transport.operations(), [operation.name]);
        let received = fake.received().await;
        assert!(
            !received.to_lowercase().contains("api-version"),
            "{received}"
        );
        assert!(!received.to_lowercase().contains("api-key"), "{received}");
        let (head, sent) = received.split_once("\r\n\r\n").expect("a head");
        let line = head.lines().next().unwrap_or_default();
        assert_eq!(line, format!("{} {target} HTTP/1.1", operation.method));
        assert_eq!(sent, body, "{}", operation.id);
    }
}

#[tokio::test]
async fn create_accepts_generated_requests() {
    let element = Element::builder().frontal_image_url("https://example.com/p.png".to_owned());
    let element = element.try_into().expect("all required fields");
    let shots = VideoRequest::builder()
        .multi_prompt(vec!["One".to_owned(), "Two".to_owned()])
        .elements(vec![element])
        .generate_audio(false);
    let cases: [(Result<RequestBody, _>, &str); 4] = [
        (VideoReferenceRequest::default().try_into(), "{}"),
        (VideoRequest::default().try_into(), "{}"),
        (
            reference().try_into(),
            r#"{"video_url":"https://example.com/dance.mp4"}"#,
        ),
        (
            shots.try_into(),
            r#"{"elements":[{"frontal_image_url":"https://example.com/p.png"}],"generate_audio":false,"multi_prompt":["One","Two"]}"#,
        ),
    ];
    for (body, json) in cases {
        assert_eq!(body.expect("JSON").as_str(), json);
    }
}

/// With the documented error responses, the generator would drop status and headers of all but the first.
#[tokio::test]
async fn error_responses_are_returned_completely() {
    let json = "content-type: application/json\r\n";
    let problem = "content-type: application/problem+json\r\n";
    let html = "content-type: text/html\r\n";
    let cases = [
        ("400 Bad Request", json, r#"{"message":"no"}"#),
        (
            "400 Bad Request",
            problem,
            r#"{"problem":{"message":"no","invalid_params":[]}}"#,
        ),
        ("401 Unauthorized", json, r#"{"message":7}"#),
        ("404 Not Found", json, "{broken"),
        ("429 Too Many Requests", html, "<html>slow down</html>"),
        ("503 Service Unavailable", "", ""),
        ("302 Found", "", ""),
    ];
    for (status, kind, body) in cases {
        let headers = format!("{kind}x-request-id: ak-1\r\nretry-after: 7\r\n");
        let fake = Fake::answering(&response_bytes(status, &headers, body)).await;
        let (client, _) = fake.client();
        let request = client
            .create_video_reference()
            .body(VideoReferenceRequest::default());
        let Err(Error::UnexpectedResponse(response)) = request.send().await else {
            panic!("{status} did not arrive completely");
        };
        assert_eq!(response.status().as_str(), &status[..3]);
        assert_eq!(response.headers()["x-request-id"], "ak-1", "{status}");
        assert_eq!(response.headers()["retry-after"], "7", "{status}");
        assert_eq!(response.text().await.expect("a body"), body, "{status}");
    }
}

#[tokio::test]
async fn success_has_headers_and_body() {
    let body = r#"{"data":{"task_id":"t","status":"PAUSED","generated":null,"has_nsfw":[false]},"more":1}"#;
    let fake = Fake::answering(&response_bytes("200 OK", "x-request-id: ak-1\r\n", body)).await;
    let (client, _) = fake.client();
    let response = client
        .get_reference_to_video_task()
        .task_id("t")
        .send()
        .await;
    let response = response.expect("a task");
    assert_eq!(response.headers()["x-request-id"], "ak-1");
    let task = response.into_inner().data;
    assert_eq!(task.status, TaskStatus::Unknown("PAUSED".to_owned()));
    assert_eq!(task.generated, Vec::<String>::new());
}

/// The document has one success status; a service may return another one.
#[tokio::test]
async fn any_2xx_status_is_a_success() {
    for status in ["200 OK", "201 Created", "202 Accepted", "299 Odd"] {
        let fake = Fake::answering(&response_bytes(status, "", CREATED)).await;
        let (client, _) = fake.client();
        let sent = client.create_video_pro().body(VideoRequest::default());
        let response = sent.send().await.expect("a task");
        assert_eq!(response.status().as_str(), &status[..3]);
        assert_eq!(response.into_inner().data.task_id, "t");
    }
}

/// Other JSON is sent unchanged, and invalid JSON is not sent.
#[tokio::test]
async fn create_accepts_any_json() {
    let json = r#"{"prompt": "One", "new_field": [1.50]}"#;
    let fake = Fake::answering(&response_bytes("200 OK", "", CREATED)).await;
    let (api, _) = fake.client();
    let sent = api.create_video_std().body(json.to_owned()).send().await;
    sent.expect("a task");
    let received = fake.received().await;
    assert!(received.ends_with(&format!("\r\n\r\n{json}")), "{received}");

    let (api, transport) = client("http://localhost");
    let nothing = api.create_video_std().send().await;
    let no_json = api.create_video_std().body("{".to_owned()).send().await;
    let incomplete = ReferenceToVideoRequest::builder();
    let incomplete = api.create_reference_to_video_pro().body(incomplete);
    for sent in [nothing, no_json, incomplete.send().await] {
        assert!(matches!(sent, Err(Error::InvalidRequest(_))), "{sent:?}");
    }
    assert!(transport.operations().is_empty());
}

#[tokio::test]
async fn success_without_json_is_an_error() {
    for (status, body) in [
        ("200 OK", "<html></html>"),
        ("200 OK", ""),
        ("204 No Content", ""),
        ("200 OK", r#"{"data":{}}"#),
    ] {
        let fake = Fake::answering(&response_bytes(status, "", body)).await;
        let (client, _) = fake.client();
        let sent = client.get_video_task().task_id("t").send().await;
        assert!(
            matches!(sent, Err(Error::InvalidResponsePayload(..))),
            "{status} {body}: {sent:?}"
        );
    }
}

#[test]
fn clients_and_futures_are_send() {
    fn sent<T: Send>(_: &T) {}
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let (client, _) = client("http://localhost");
    shared(&client);
    sent(&client.get_video_task().send());
    sent(&client.create_video_reference().send());
}
