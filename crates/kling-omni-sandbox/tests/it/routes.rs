//! Routes, and the tasks that each of them reads.

use kling_omni_api::tasks::{TaskCreate, TaskList, TaskRead};
use kling_omni_sandbox::{StatusRoute, VideoReferenceRoute};
use serde_json::{Map, json};

use crate::harness::{
    Bench, KEY_HEADER, LIST, PRO, STANDARD, STATUS, TestResponse, VIDEO_REFERENCE, VIDEO_STATUS,
    path_of, request_body,
};

#[tokio::test]
async fn older_route_can_be_gone() {
    let cases = [
        (VideoReferenceRoute::Available, 200),
        (VideoReferenceRoute::NotFound, 404),
        (VideoReferenceRoute::MethodNotAllowed, 405),
        (VideoReferenceRoute::Gone, 410),
    ];
    for (route, status) in cases {
        let bench = Bench::with(|builder| builder.video_reference(route)).await;
        let response = bench.post(VIDEO_REFERENCE, &request_body()).await;
        assert_eq!(response.status, status);
        assert_eq!(bench.sandbox.charges(), usize::from(status == 200));
        if status != 200 {
            assert!(response.json()["message"].is_string());
            assert_eq!(response.header("allow").is_some(), status == 405);
            // An unavailable route does not check the key.
            let url = format!("{}{VIDEO_REFERENCE}", bench.sandbox.base_url());
            let request = bench.http.post(url).header(KEY_HEADER, "wrong");
            assert_eq!(TestResponse::to(request).await.status, status);
        }
        bench.create(PRO, &request_body()).await;
    }
}

#[tokio::test]
async fn tasks_of_the_older_route_are_read_on_the_configured_route() {
    use StatusRoute::{ReferenceToVideo, Video};
    // setting, creating route, status on the two status routes and of the list
    let cases = [
        (ReferenceToVideo, VIDEO_REFERENCE, 200, 404, 200),
        (ReferenceToVideo, PRO, 200, 404, 200),
        (ReferenceToVideo, STANDARD, 200, 404, 200),
        (Video, VIDEO_REFERENCE, 404, 200, 404),
        (Video, PRO, 200, 404, 200),
        (Video, STANDARD, 200, 404, 200),
    ];
    for (setting, path, at_successor, at_sibling, listed) in cases {
        let bench = Bench::with(|builder| builder.video_reference_status(setting)).await;
        let id = bench.create(path, &request_body()).await;
        for (path, status) in [
            (path_of(STATUS, &id), at_successor),
            (path_of(VIDEO_STATUS, &id), at_sibling),
            (LIST.to_owned(), listed),
        ] {
            let response = bench.get(&path).await;
            assert_eq!(response.status, status, "{setting:?} {path}");
        }
    }
}

/// Each create has the required fields only, and no duration.
#[tokio::test]
async fn tasks_are_read_and_listed_on_the_routes_of_the_table() {
    for create in TaskCreate::ALL {
        let bench = Bench::start().await;
        let spec = create.spec();
        let required = spec.fields.iter().filter(|field| field.required);
        let body: Map<_, _> = required
            .map(|field| (field.name.to_owned(), json!("https://example.com/a.mp4")))
            .collect();
        let id = bench.create(spec.operation.path, &body.into()).await;
        let family = spec.families[0];
        for list in TaskList::ALL {
            let list = list.spec();
            let response = bench.get(list.operation.path).await;
            let status = if list.family == family { 200 } else { 404 };
            assert_eq!(response.status, status, "{} {}", spec.name, list.family);
        }
        for read in TaskRead::ALL {
            let read = read.spec();
            let response = bench.get(&path_of(read.operation.path, &id)).await;
            let status = if read.family == family { 200 } else { 404 };
            assert_eq!(response.status, status, "{} {}", spec.name, read.family);
        }
    }
}

#[tokio::test]
async fn unknown_task_is_not_found() {
    let bench = Bench::start().await;
    bench.create(PRO, &request_body()).await;
    for id in ["046b6c7f-0b8a-43b9-b35d-6489e6daee91", "x", "%FF", "a%2Fb"] {
        for template in [STATUS, VIDEO_STATUS] {
            let response = bench.get(&path_of(template, id)).await;
            assert_eq!(response.status, 404, "{id}");
            assert_eq!(response.text(), r#"{"message":"Task not found"}"#);
        }
    }
}

#[tokio::test]
async fn every_response_has_a_request_id_and_a_date() {
    let bench = Bench::with(|builder| builder.rate_limit(2)).await;
    let url = format!("{}{PRO}", bench.sandbox.base_url());
    let responses = [
        bench.get("/nowhere").await,
        bench.get(PRO).await,
        TestResponse::to(bench.http.post(url)).await,
        bench.post(PRO, &request_body()).await,
        bench.get(LIST).await,
        bench.get(LIST).await,
    ];
    let statuses = responses.iter().map(|response| response.status);
    assert_eq!(statuses.collect::<Vec<_>>(), [404, 405, 401, 200, 200, 429]);
    let mut ids = vec![];
    for (response, request) in responses.iter().zip(bench.sandbox.requests()) {
        let id = response.header("x-request-id").unwrap();
        let hex = id.strip_prefix("ak-").unwrap();
        assert_eq!(hex.len(), 32);
        assert!(
            hex.bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        );
        assert_eq!(request.request_id(), Some(id));
        assert_eq!(request.status().unwrap(), response.status);
        ids.push(id);
        assert_eq!(
            response.header("date"),
            Some("Fri, 15 Jan 2027 08:00:00 GMT")
        );
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), responses.len());
}
