//! Tests for each offered creating route, with the example of its body from the API's document.

use std::collections::BTreeSet;

use kling_omni::recovery::Reconciled;
use kling_omni::request::{FieldValue, Request, RequestType, Route};
use kling_omni::{Client, CreateOutcome, ErrorKind, Mode};
use kling_omni_api::tasks::TaskCreate;
use kling_omni_sandbox::{Sandbox, SandboxBuilder};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{client, sandbox, task};
use kling_omni_test_support::spec::{example, offered_creates};
use kling_omni_test_support::virtual_clock::VirtualClock;
use serde_json::Value;

/// A client of a sandbox, configured for the route of a create.
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
    for create in offered_creates() {
        let builder = example(create).expect("an example");
        let spec = create.spec();
        let request = builder.set("webhook_url", FieldValue::Json(Value::Null));
        let clock = VirtualClock::new();
        let sandbox = settings(sandbox(&clock)).start().await.unwrap();
        let client = client(sandbox.base_url(), &clock)
            .route(spec.route.parse().unwrap_or(Route::Auto))
            .max_retries(0);
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
async fn created_task_is_listed_read_and_saved() {
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
        let of_mode = other.task_of_mode(task.id(), case.mode).refresh().await;
        assert_eq!(of_mode.unwrap().id(), task.id(), "{name}");
        let saved = video.save(folder.path().join(name)).await.unwrap();
        assert!(saved.bytes > 0, "{name}");
        let requests = case.sandbox.requests();
        assert_eq!(requests[0].operation_id(), Some(name));
    }
}

#[tokio::test]
async fn lost_response_is_reconciled() {
    for case in cases(|sandbox| sandbox.fault("create:drop@2".parse().unwrap())).await {
        case.client.create(case.request.clone()).await.unwrap();
        let outcome = case
            .client
            .create(case.request)
            .with_list_snapshot()
            .outcome();
        let CreateOutcome::Unknown { unconfirmed, .. } = outcome.await else {
            panic!("{}: the response is not lost", case.name);
        };
        let text = serde_json::to_string(&unconfirmed).unwrap();
        let unconfirmed = serde_json::from_str(&text).unwrap();
        let other = client(case.sandbox.base_url(), &case.clock)
            .build()
            .unwrap();
        let found = other.reconcile(&unconfirmed).await.unwrap();
        assert!(
            matches!(found, Reconciled::Found { .. }),
            "{}: {found:?}",
            case.name
        );
    }
}

/// A missing route sends the requests of its own mode and tier to its successor, and no others.
#[tokio::test]
async fn missing_route_affects_only_its_own_requests() {
    let path = |create: TaskCreate| create.spec().operation.path;
    let kind = |create: TaskCreate| (create.spec().mode, create.spec().tier);
    let creates = offered_creates();
    for older in creates.clone() {
        let Some(successor) = older.spec().successor else {
            continue;
        };
        let gone = path(older);
        let fake = Fake::answering(move |_, request| match request.path() == gone {
            true => Reply::http(404, &[], ""),
            false => Reply::json(200, &task("a", "CREATED", &[])),
        });
        let fake = fake.await;
        let clock = VirtualClock::new();
        let client = client(fake.base_url(), &clock).build().unwrap();
        let paths_of = async |create| {
            let before = fake.requests().len();
            let request = example(create).expect("an example").build().unwrap();
            client.create(request).await.unwrap();
            let sent = fake.requests().split_off(before);
            let paths = sent.iter().map(|request| request.path().to_owned());
            paths.collect::<Vec<_>>()
        };
        // Both routes accept the example of the successor, which has the stricter limits.
        assert_eq!(paths_of(successor).await, [gone, path(successor)]);
        for other in creates.clone().filter(|other| kind(*other) != kind(older)) {
            assert_eq!(paths_of(other).await, [path(other)]);
        }
        assert_eq!(paths_of(successor).await, [path(successor)]);
    }
}

/// A task of a known mode is read only at the paths of this mode.
#[tokio::test]
async fn wrong_id_is_read_at_the_paths_of_its_mode() {
    let fake = Fake::start(vec![Reply::http(404, &[], "")]).await;
    let client = client(fake.base_url(), &VirtualClock::new())
        .build()
        .unwrap();
    for mode in Mode::ALL {
        let creates = TaskCreate::ALL.iter().map(|create| create.spec());
        let reads = creates
            .filter(|spec| spec.mode == mode.as_str())
            .flat_map(|spec| spec.reads);
        let paths = reads.map(|read| {
            let path = read.spec().operation.path;
            path.replace("{task-id}", "wrong")
        });
        let before = fake.requests().len();
        let error = client
            .task_of_mode("wrong", *mode)
            .refresh()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{mode}");
        let sent = fake.requests().split_off(before);
        let once = sent.len();
        let sent: BTreeSet<_> = sent
            .iter()
            .map(|request| request.path().to_owned())
            .collect();
        assert_eq!(sent.len(), once, "{mode}");
        assert_eq!(sent, paths.collect(), "{mode}");
    }
}

/// The table of a request type has the limits of all its routes, in order.
#[test]
fn request_type_has_the_limits_of_its_routes() {
    for request in RequestType::ALL {
        let creates = TaskCreate::ALL.iter().map(|create| create.spec());
        let of_mode = creates.filter(|spec| spec.mode == request.mode.as_str());
        let mut limits: Vec<_> = of_mode.map(|spec| spec.fields).collect();
        limits.dedup();
        assert_eq!(request.limits, limits, "{}", request.name);
    }
}
