//! Learning task durations from several tasks.

use futures_util::{FutureExt as _, StreamExt as _};
use kling_omni::Client;

use super::{FakeService, make, s, unix_seconds, well_behaved};
use kling_omni_test_support::setup::valid_request;

#[tokio::test(start_paused = true)]
async fn unknown_kind_uses_the_durations_of_others() {
    let service = FakeService::start(s(20), well_behaved).await;
    let (early, late) = (service.client(), service.client());
    let other = async |client: &Client| {
        client
            .create(valid_request().duration(10).build().unwrap())
            .await
            .unwrap()
    };
    let before = other(&early).await.expected_duration();
    for client in [&early, &late] {
        for _ in 0..20 {
            make(client, 1).await.remove(0).wait().await.unwrap();
        }
    }
    let (one, two) = (
        other(&early).await.expected_duration(),
        other(&late).await.expected_duration(),
    );
    assert!(one.abs_diff(two) < s(5), "before: {before:?}");
}

#[tokio::test(start_paused = true)]
async fn late_delivery_counts_from_its_arrival() {
    use kling_omni::webhook::{Secret, WebhookReceiver};
    let service = FakeService::start(s(600), well_behaved).await;
    let client = service.client();
    let task = make(&client, 1).await.remove(0);
    let receiver = WebhookReceiver::new(Secret::new(crate::webhook::SECRET).unwrap());
    let mut updates = task.wait().webhook(&receiver).updates();
    assert!(updates.next().await.is_some());
    tokio::time::sleep(s(2)).await;
    assert!(updates.next().now_or_never().is_none());
    tokio::time::sleep(s(38)).await;
    let body = crate::webhook::task(task.id(), "COMPLETED", &["https://result.example/a.mp4"]);
    let now = unix_seconds();
    receiver
        .receive(
            &crate::webhook::signed("1", now, &body),
            None,
            body.as_bytes(),
        )
        .unwrap();
    // The program is busy.
    tokio::time::sleep(s(400)).await;
    assert!(updates.next().await.is_some());
    let learnt = serde_json::to_value(client.task_durations()).unwrap();
    let seconds = learnt["reference/pro/5/without-image"][0].as_f64();
    assert!(seconds.is_none_or(|seconds| seconds < 60.0), "{learnt}");
}
