//! A list that is or may be incomplete does not prove that a task does not exist.

use kling_omni::CreateOutcome;
use kling_omni::recovery::{AmbiguityReason, Reconciled};
use kling_omni::request::Route;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, valid_request};
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::{Value, json};

fn page(ids: &[&str], besides: Value) -> String {
    let tasks = ids
        .iter()
        .map(|id| json!({"task_id": id, "status": "COMPLETED"}));
    let mut list = json!({"data": tasks.collect::<Vec<_>>()});
    let fields = besides.as_object().unwrap().clone();
    list.as_object_mut().unwrap().extend(fields);
    list.to_string()
}

/// Reconciles a create whose response was lost. The list has the pages `before` and `after` it.
async fn reconcile(before: &[Reply], after: &[Reply]) -> Reconciled {
    let replies = [before, &[Reply::Drop], after].concat();
    let fake = Fake::start(replies).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock)
        .route(Route::ReferenceToVideo)
        .max_retries(0)
        .build()
        .unwrap();
    let create = client
        .create(valid_request().build().unwrap())
        .with_list_snapshot();
    let CreateOutcome::Unknown { unconfirmed, .. } = create.outcome().await else {
        panic!("the outcome is not unknown");
    };
    clock.advance(std::time::Duration::from_secs(3_600));
    client.reconcile(&unconfirmed).await.unwrap()
}

fn complete_list() -> Vec<Reply> {
    [&["old"][..], &[]]
        .map(|ids| Reply::json(200, &page(ids, json!({}))))
        .to_vec()
}

fn is_incomplete(reconciled: &Reconciled) -> bool {
    let Reconciled::Ambiguous { reason, .. } = reconciled else {
        return false;
    };
    matches!(reason, AmbiguityReason::ListIncomplete)
}

#[tokio::test]
async fn fields_about_further_pages_make_a_list_incomplete() {
    let fields = [
        json!({"has_more": true}),
        json!({"hasMore": "true"}),
        json!({"has_next": 1}),
        json!({"next": "https://h.example/list?page=2"}),
        json!({"next": {"href": "/list?page=2"}}),
        json!({"next_cursor": "abc"}),
        json!({"nextPageToken": "abc"}),
        json!({"next_page": 2}),
        json!({"pagination": {"total": 2}}),
        json!({"meta": {"pagination": {"total_count": "2"}}}),
        json!({"total_pages": 2}),
        json!({"links": {"next": "/list?page=2", "self": "/list"}}),
        json!({"truncated": true}),
        json!({"complete": false}),
        json!({"last": false}),
        json!({"page_info": {"hasNextPage": true}}),
        json!({"has_more_items": true}),
        json!({"links": [{"rel": "self", "href": "/list"}, {"rel": "next", "href": "/list?page=2"}]}),
        json!({"link": [{"relation": "next", "url": "/list?page=2"}]}),
        json!({"paging": {"next": {"after": "abc"}}}),
        json!({"@odata.nextLink": "/list?page=2"}),
        json!({"next_page_uri": "/list?page=2"}),
        json!({"LastEvaluatedKey": {"id": "abc"}}),
        json!({"meta": {"current_page": 1, "last_page": 2}}),
        json!({"num_pages": 2}),
        json!({"total_size": 2}),
        json!({"total": {"value": 2, "relation": "gte"}}),
        json!({"timed_out": true}),
        json!({"errors": [{"message": "a shard did not respond"}]}),
        json!({"success": false}),
        json!({"pending": [{"task_id": "new", "status": "CREATED"}]}),
    ];
    for field in fields {
        let after = [&["old"][..], &[]].map(|ids| Reply::json(200, &page(ids, field.clone())));
        let reconciled = reconcile(&complete_list(), &thrice(&after)).await;
        assert!(is_incomplete(&reconciled), "{field}: {reconciled:?}");
        // Only on the first page.
        let after = [
            Reply::json(200, &page(&["old"], field.clone())),
            Reply::json(200, &page(&[], json!({}))),
        ];
        let reconciled = reconcile(&complete_list(), &thrice(&after)).await;
        assert!(is_incomplete(&reconciled), "{field} first: {reconciled:?}");
    }
}

#[tokio::test]
async fn headers_about_further_pages_make_a_list_incomplete() {
    let body = |ids| page(ids, json!({}));
    for (status, headers) in [
        (206, &[][..]),
        (201, &[]),
        (202, &[]),
        (203, &[]),
        (200, &[("link", "</list?page=2>; rel=\"next\"")]),
        (
            200,
            &[(
                "link",
                "</list?page=1>; rel=self, </list?page=2>; title=x; rel=NEXT",
            )],
        ),
        (200, &[("x-total-count", "2")]),
        (200, &[("x-total", "2")]),
        (200, &[("x-next-page", "2")]),
        (200, &[("x-has-more", "true")]),
        (200, &[("content-range", "items 0-0/2")]),
        (200, &[("content-range", "tasks 0-0/*")]),
        (200, &[("link", "</list?page=2>; rel='next'")]),
        (
            200,
            &[("x-pagination", r#"{"TotalCount":2,"HasNext":true}"#)],
        ),
        (200, &[("total-count", "2")]),
        (200, &[("next-page", "2")]),
        (200, &[("x-wp-total", "2")]),
        (200, &[("x-pagination-page-count", "3")]),
        (200, &[("age", "3600")]),
        (200, &[("warning", "110 - \"Response is Stale\"")]),
        (200, &[("x-cache", "Hit from cloudfront")]),
    ] {
        let after = [&["old"][..], &[]].map(|ids| Reply::http(status, headers, body(ids)));
        let reconciled = reconcile(&complete_list(), &thrice(&after)).await;
        assert!(
            is_incomplete(&reconciled),
            "{status} {headers:?}: {reconciled:?}"
        );
    }
}

#[tokio::test]
async fn incomplete_snapshot_is_ambiguous() {
    let before = [&["old"][..], &[]].map(|ids| Reply::json(206, &page(ids, json!({}))));
    let reconciled = reconcile(&thrice(&before), &complete_list()).await;
    assert!(is_incomplete(&reconciled), "{reconciled:?}");
}

#[tokio::test]
async fn list_that_declares_completeness_is_complete() {
    for besides in [
        json!({}),
        json!({"has_more": false, "next": null, "next_cursor": "", "total": 1, "total_pages": 1}),
        json!({"pagination": {"page": 1, "page_size": 100, "total": 1, "next_page": 0}}),
        json!({"links": {"next": null, "self": "/list"}, "last": true, "complete": true}),
        json!({"links": [{"rel": "self", "href": "/list"}], "error": null, "success": true}),
        json!({"meta": {"current_page": 1, "last_page": 1, "total_size": 1}, "paging": {"next": {}}}),
    ] {
        // Fields of the service, and headers that proxies add.
        let headers = [
            ("x-request-id", "ak-1"),
            ("x-ratelimit-limit", "300"),
            ("x-ratelimit-remaining", "299"),
            ("x-ratelimit-reset", "60"),
            ("x-cache", "MISS"),
            ("age", "0"),
        ];
        let after =
            [&["old"][..], &[]].map(|ids| Reply::http(200, &headers, page(ids, besides.clone())));
        let reconciled = reconcile(&complete_list(), &after).await;
        let is_absent = matches!(reconciled, Reconciled::NotCreated);
        assert!(is_absent, "{besides}: {reconciled:?}");
    }
}

#[tokio::test]
async fn unreadable_rows_count() {
    let rows = r#"{"data":[{"task_id":"a.b","status":"CREATED"},{"task_id":"aux.","status":"CREATED"},
        {"task_id":null,"status":"CREATED"},{"status":"CREATED"},7,{"task_id":"","status":"CREATED"}]}"#;
    let fake = Fake::start(vec![Reply::json(200, rows)]).await;
    let clock = VirtualClock::new();
    let client = client(fake.base_url(), &clock).build().unwrap();
    let tasks = client.list().await.unwrap();
    let ids: Vec<_> = tasks.iter().map(|task| &*task.id).collect();
    assert_eq!(ids, ["a.b", "aux.", "", "", "", ""]);
    let rows = r#"{"data":[{"task_id":"old","status":"CREATED"},{"task_id":null}]}"#;
    let after = vec![Reply::json(200, rows); 3];
    let reconciled = reconcile(&complete_list(), &after).await;
    assert!(is_incomplete(&reconciled), "{reconciled:?}");
}

#[tokio::test]
async fn duplicate_keys_make_a_list_incomplete() {
    for rows in [
        r#"{"data":[{"task_id":"old"},{"task_id":"new"}],"data":[{"task_id":"old","status":"CREATED"}]}"#,
        r#"{"data":[{"task_id":"new","task_id":"old","status":"CREATED"}]}"#,
    ] {
        let after = vec![Reply::json(200, rows); 3];
        let reconciled = reconcile(&complete_list(), &after).await;
        assert!(is_incomplete(&reconciled), "{rows}: {reconciled:?}");
    }
}

/// A list with several pages is read up to three times.
fn thrice(replies: &[Reply]) -> Vec<Reply> {
    [replies, replies, replies].concat()
}
