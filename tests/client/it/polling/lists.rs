//! The cost and the limits of list polling.

use std::future::IntoFuture as _;

use futures_util::StreamExt as _;
use kling_omni::ErrorKind;
use kling_omni::polling::PollSchedule;
use kling_omni::request::Route;

use super::{Duration, FakeService, Request, ResponseOverride, make, make_text, s, well_behaved};
use crate::list_polling::client_of;

#[tokio::test(start_paused = true)]
async fn listed_task_is_read_at_its_own_path() {
    // Tasks of the older route are listed, but read at another path.
    let service = FakeService::start(s(90), |_, asked| match asked {
        Request::Read("reference-to-video", _) => ResponseOverride {
            status: Some(404),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = client_of(service.base_url())
        .route(Route::VideoReference)
        .build()
        .unwrap();
    for (count, name) in [(1, "alone"), (20, "with others")] {
        let tasks = make(&client, count).await;
        let videos = client.watch(&tasks).timeout(s(900)).wait_all().await;
        let errors: Vec<_> = videos
            .iter()
            .filter_map(|video| video.as_ref().err())
            .collect();
        assert!(
            errors.is_empty(),
            "{name}: {} errors, such as {}",
            errors.len(),
            errors[0]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn list_cost_estimate_adapts() {
    let service = FakeService::start(s(90), well_behaved).await;
    let (one, other) = (service.client(), service.client());
    let many = make(&one, 950).await;
    service.max_detection_delay(&one, &many).await;
    tokio::time::sleep(s(24 * 3600)).await;
    let mut counts = Vec::new();
    for client in [&other, &one] {
        let before = (service.lists().len(), service.reads().len());
        let few = make(client, 15).await;
        service.max_detection_delay(client, &few).await;
        counts.push((
            service.lists().len() - before.0,
            service.reads().len() - before.1,
        ));
    }
    assert!(counts[1].0 > 0, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn growing_schedule_applies_with_list_polling() {
    let service = FakeService::start(s(170), well_behaved).await;
    let client = service.client();
    let tasks = make(&client, 20).await;
    let schedule = PollSchedule::growing(Duration::from_millis(500), 2.0, s(60));
    let alone = client.watch(&tasks[..1]).schedule(schedule.clone());
    alone.wait_all().await;
    let alone = service.requests().len() - 20;
    let tasks = make(&client, 20).await;
    let before = service.lists().len();
    client.watch(&tasks).schedule(schedule).wait_all().await;
    let lists = service.lists().len() - before;
    assert!(
        lists < 20,
        "{lists} lists for 20 tasks, {alone} requests for one alone"
    );
}

#[tokio::test(start_paused = true)]
async fn list_with_premature_completions_backs_off() {
    let mut counts = Vec::new();
    for says in [None, Some("COMPLETED")] {
        let service = FakeService::start(s(120), move |_, asked| match asked {
            Request::List(..) => ResponseOverride {
                says,
                ..ResponseOverride::default()
            },
            _ => ResponseOverride::default(),
        })
        .await;
        let client = service.client();
        let tasks = make(&client, 300).await;
        service.max_detection_delay(&client, &tasks).await;
        counts.push((service.lists().len(), service.reads().len()));
    }
    assert!(counts[1].0 < 6, "(lists, reads): {counts:?}");
}

#[tokio::test(start_paused = true)]
async fn deadline_of_one_wait_does_not_affect_others() {
    let mut counts = Vec::new();
    for short in [0, 8_u64] {
        let service = FakeService::start(s(170), |_, asked| match asked {
            Request::List(..) => ResponseOverride {
                after: Duration::from_millis(300),
                ..ResponseOverride::default()
            },
            _ => ResponseOverride::default(),
        })
        .await;
        let client = service.client();
        let tasks = make(&client, 100).await;
        for n in 0..short {
            let wait = tasks[n as usize]
                .wait()
                .timeout(s(60 + 11 * n))
                .into_future();
            tokio::spawn(wait);
        }
        service.max_detection_delay(&client, &tasks).await;
        counts.push((service.lists().len(), service.reads().len()));
    }
    assert!(counts[1].1 < counts[0].1 + 60, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn list_is_not_read_without_waits() {
    let service = FakeService::start(s(600), |_, asked| match asked {
        Request::List(..) => ResponseOverride {
            after: s(1),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let maker = service.client();
    let ids: Vec<_> = make(&maker, 900)
        .await
        .iter()
        .map(|task| task.id().to_owned())
        .collect();
    let mut watch = client.watch(&ids);
    assert!(
        tokio::time::timeout(Duration::from_millis(500), watch.next())
            .await
            .is_err()
    );
    drop(watch);
    tokio::time::sleep(s(30)).await;
    let lists = service.lists();
    assert_eq!(lists.len(), 1, "{lists:?}");
}

#[tokio::test(start_paused = true)]
async fn lists_are_polled_independently() {
    let mut counts = Vec::new();
    for after in [Duration::ZERO, s(30)] {
        let service = FakeService::start(s(170), move |_, asked| match asked {
            Request::List("reference-to-video", _) => ResponseOverride {
                after,
                ..ResponseOverride::default()
            },
            _ => ResponseOverride::default(),
        })
        .await;
        let client = service.client();
        let texts = make_text(&client, 100).await;
        let others = make(&client, 100).await;
        let reads = |family| {
            service
                .reads()
                .iter()
                .filter(|(_, asked)| matches!(asked, Request::Read(at, _) if *at == family))
                .count()
        };
        let all: Vec<_> = texts.into_iter().chain(others).collect();
        service.max_detection_delay(&client, &all).await;
        let lists = |family| {
            service
                .lists()
                .iter()
                .filter(|(_, asked)| matches!(asked, Request::List(at, _) if *at == family))
                .count()
        };
        counts.push((
            lists("video"),
            reads("video"),
            lists("reference-to-video"),
            reads("reference-to-video"),
        ));
    }
    assert!(counts[1].1 < counts[0].1 + 50, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn hanging_list_delays_by_at_most_five_seconds() {
    let service = FakeService::start(s(90), |_, asked| match asked {
        Request::List(..) => ResponseOverride {
            after: s(600),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let tasks = make(&client, 60).await;
    let longest = service.max_detection_delay(&client, &tasks).await;
    let before = service.elapsed();
    let other = make(&client, 60).await;
    tokio::time::sleep(s(600)).await;
    let ids: Vec<_> = other.iter().map(|task| task.id().to_owned()).collect();
    client.watch(ids).wait_all().await;
    let late = service.elapsed() - before - s(600);
    assert!(longest <= s(8), "{longest:?}");
    assert!(late <= s(5), "detected after {late:?}");
}

#[tokio::test(start_paused = true)]
async fn unreadable_task_fails_only_its_wait() {
    for count in [1, 20] {
        let service = FakeService::start(s(60), |now, asked| match asked {
            Request::Read(..) if now > s(50) => ResponseOverride {
                status: Some(404),
                ..ResponseOverride::default()
            },
            _ => ResponseOverride::default(),
        })
        .await;
        let client = service.client();
        let tasks = make(&client, count).await;
        for task in &tasks {
            task.refresh().await.unwrap();
        }
        let videos = client.watch(&tasks).timeout(s(3600)).wait_all().await;
        let error = videos[0].as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{count}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_mode_has_its_own_list() {
    let mut counts = Vec::new();
    for _ in 0..8 {
        let service = FakeService::start(s(170), well_behaved).await;
        let client = service.client();
        let texts = make_text(&client, 100).await;
        let others = make(&client, 100).await;
        let all: Vec<_> = texts.into_iter().chain(others).collect();
        service.max_detection_delay(&client, &all).await;
        counts.push(service.reads().len());
    }
    assert!(
        counts.iter().all(|reads| *reads < 300),
        "reads of 200 tasks: {counts:?}"
    );
}
