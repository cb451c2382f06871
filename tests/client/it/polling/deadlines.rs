//! The last poll at a deadline is made on time.

use futures_util::FutureExt as _;
use kling_omni::ErrorKind;

use super::{
    Duration, FakeService, Request, ResponseOverride, make, s, unix_seconds, well_behaved,
};

#[tokio::test(start_paused = true)]
async fn hanging_reads_do_not_delay_the_deadline() {
    let service = FakeService::start(s(600), |_, asked| match asked {
        Request::Read(..) => ResponseOverride {
            after: s(600),
            ..ResponseOverride::default()
        },
        Request::List(..) => ResponseOverride {
            status: Some(404),
            ..ResponseOverride::default()
        },
        Request::Create => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let tasks = make(&client, 100).await;
    let ids: Vec<_> = tasks.iter().map(|task| task.id().to_owned()).collect();
    let others = client.watch(&ids[1..]);
    let hang = tokio::spawn(async move { others.wait_all().await.len() });
    tokio::time::sleep(s(1)).await;
    let before = service.elapsed();
    let error = client.task(&ids[0]).wait().timeout(s(5)).await.unwrap_err();
    let took = service.elapsed() - before;
    hang.abort();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(took <= s(11), "a wait of 5 s took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn rate_limit_does_not_delay_the_deadline() {
    let service = FakeService::start(s(600), |now, asked| match asked {
        Request::Read(_, 0) if now < s(1) => ResponseOverride {
            status: Some(429),
            retry_after: Some(110),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let ids: Vec<_> = make(&client, 41)
        .await
        .iter()
        .map(|task| task.id().to_owned())
        .collect();
    let _ = client.task(&ids[0]).refresh().now_or_never();
    let _ = tokio::time::timeout(Duration::from_millis(500), client.task(&ids[0]).refresh()).await;
    let others: Vec<_> = ids[1..40].to_vec();
    let other = client.clone();
    let hang = tokio::spawn(async move { other.watch(others).no_timeout().wait_all().await.len() });
    tokio::time::sleep(s(12)).await;
    let before = service.elapsed();
    let error = client
        .task(&ids[40])
        .wait()
        .timeout(s(5))
        .await
        .unwrap_err();
    let took = service.elapsed() - before;
    hang.abort();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(took <= s(11), "a wait of 5 s took {took:?}");
}

#[tokio::test(start_paused = true)]
async fn each_task_is_read_once_at_the_deadline() {
    let service = FakeService::start(s(600), well_behaved).await;
    let client = service.client();
    let tasks = make(&client, 50).await;
    let videos = client.watch(&tasks).timeout(s(100)).wait_all().await;
    assert!(videos.iter().all(Result::is_err));
    let at_end = service
        .reads()
        .iter()
        .filter(|(at, _)| *at >= s(99))
        .count();
    assert!(at_end <= 51, "{at_end} reads of 50 tasks");
}

#[tokio::test(start_paused = true)]
async fn deliveries_do_not_delay_the_deadline() {
    use kling_omni::webhook::{Secret, WebhookReceiver};
    let service = FakeService::start(s(6000), |_, asked| match asked {
        Request::Read(..) => ResponseOverride {
            after: Duration::from_millis(1500),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let task = make(&client, 1).await.remove(0);
    let receiver = WebhookReceiver::new(Secret::new(crate::webhook::SECRET).unwrap());
    let said = receiver.clone();
    let id = task.id().to_owned();
    let saying = tokio::spawn(async move {
        let now = unix_seconds();
        for n in 0..200 {
            tokio::time::sleep(s(1)).await;
            let body = crate::webhook::task(&id, "IN_PROGRESS", &[]);
            let headers = crate::webhook::signed(&n.to_string(), now, &body);
            said.receive(&headers, None, body.as_bytes()).unwrap();
        }
    });
    let error = task
        .wait()
        .webhook(&receiver)
        .timeout(s(20))
        .await
        .unwrap_err();
    saying.abort();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(service.elapsed() < s(30), "{:?}", service.elapsed());
}
