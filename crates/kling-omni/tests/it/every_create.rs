//! Each creating route that is offered, with the example that the API's document has of its body.

use kling_omni::recovery::Reconciled;
use kling_omni::request::{FieldValue, Request, Route};
use kling_omni::{Client, CreateOutcome, Mode};
use kling_omni_api::tasks::TaskCreate;
use kling_omni_sandbox::{Sandbox, SandboxBuilder};
use kling_omni_test_support::setup::{client, sandbox};
use kling_omni_test_support::spec::example;
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::Value;

/// A client of a sandbox, set to the route of a create.
struct Case {
    name: &'static str,
    mode: Mode,
    request: Request,
    clock: VirtualClock,
    sandbox: Sandbox,
    client: Client,
}

async fn cases(settings: fn(SandboxBuilder) -> SandboxBuilder) -> Vec<Case> {
    let mut cases = Vec::new();
    for create in TaskCreate::ALL.iter().copied() {
        let Some(builder) = example(create) else {
            continue;
        };
        let spec = create.spec();
        let request = builder.set("webhook_url", FieldValue::Json(Value::Null));
        let clock = VirtualClock::new();
        let sandbox = settings(sandbox(&clock)).start().await.unwrap();
        let client = client(sandbox.base_url(), &clock)
            .route(spec.route.parse().unwrap_or(Route::Auto))
            .retries(0);
        cases.push(Case {
            name: spec.operation.id,
            mode: spec.mode.parse().unwrap(),
            request: request.unwrap().build().unwrap(),
            client: client.build().unwrap(),
            clock,
            sandbox,
        });
    }
    cases
}

#[tokio::test]
async fn its_task_is_listed_and_found_by_its_id_and_its_video_saved() {
    let folder = tempfile::tempdir().unwrap();
    for case in cases(|sandbox| sandbox).await {
        let name = case.name;
        let task = case.client.create(case.request).await.unwrap();
        for mode in Mode::ALL {
            let listed = case.client.list().mode(*mode).await.unwrap();
            let is_listed = listed.iter().any(|listed| listed.id == task.id());
            assert_eq!(is_listed, *mode == case.mode, "{name}, {mode}");
        }
        let other = client(case.sandbox.base_url(), &case.clock)
            .build()
            .unwrap();
        let video = other.task(task.id()).wait().await.unwrap();
        let saved = video.save(folder.path().join(name)).await.unwrap();
        assert!(saved.bytes > 0, "{name}");
        let requests = case.sandbox.requests();
        assert_eq!(requests[0].operation_id(), Some(name));
    }
}

#[tokio::test]
async fn its_task_is_found_when_the_response_is_lost() {
    for case in cases(|sandbox| sandbox.fault("create:drop@2".parse().unwrap())).await {
        case.client.create(case.request.clone()).await.unwrap();
        let outcome = case.client.create(case.request).reconcilable().outcome();
        let CreateOutcome::Unknown { unresolved, .. } = outcome.await else {
            panic!("{}: the response is not lost", case.name);
        };
        let text = serde_json::to_string(&unresolved).unwrap();
        let unresolved = serde_json::from_str(&text).unwrap();
        let other = client(case.sandbox.base_url(), &case.clock)
            .build()
            .unwrap();
        let found = other.reconcile(&unresolved).await.unwrap();
        assert!(
            matches!(found, Reconciled::Found { .. }),
            "{}: {found:?}",
            case.name
        );
    }
}
