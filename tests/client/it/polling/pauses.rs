//! Delays between polls: of the service, of the caller, and to spread requests.

use futures_util::future::join_all;
use kling_omni::polling::PollSchedule;

use super::{Duration, FakeService, Request, ResponseOverride, make, s, well_behaved};
use crate::list_polling::client_of;

#[tokio::test(start_paused = true)]
async fn failed_polls_observe_the_minimum_interval() {
    let service = FakeService::start(s(600), |now, asked| match asked {
        Request::Read(..) if now < s(500) => ResponseOverride {
            status: Some(500),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let task = make(&client, 1).await.remove(0);
    let schedule = PollSchedule::adaptive().min_interval(s(60));
    task.wait().schedule(schedule).await.unwrap();
    let reads: Vec<_> = service
        .reads()
        .iter()
        .map(|(at, _)| at.as_secs_f64())
        .collect();
    let shortest = reads
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .fold(f64::MAX, f64::min);
    assert!(
        shortest >= 59.9,
        "{shortest} {} reads {reads:?}",
        reads.len()
    );
}

#[tokio::test(start_paused = true)]
async fn retry_after_observes_the_minimum_interval() {
    let service = FakeService::start(s(300), |_, asked| match asked {
        Request::Read(..) | Request::Create => ResponseOverride {
            retry_after: Some(0),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let task = make(&client, 1).await.remove(0);
    let schedule = PollSchedule::adaptive().min_interval(s(30));
    task.wait().schedule(schedule).await.unwrap();
    let reads = service.reads().len();
    assert!(reads <= 11, "{reads} reads in 300 s");
}

#[tokio::test(start_paused = true)]
async fn list_does_not_shorten_a_retry_after() {
    let mut all = Vec::new();
    for status in [None, Some(503)] {
        let service = FakeService::start(s(300), move |now, asked| match asked {
            Request::Read(_, 0) if now < s(20) => ResponseOverride {
                status,
                retry_after: Some(100),
                ..ResponseOverride::default()
            },
            _ => ResponseOverride::default(),
        })
        .await;
        let client = service.client();
        let tasks = make(&client, 12).await;
        let first = client.task(tasks[0].id());
        // The others are polled every three seconds, by list.
        let others = client
            .watch(&tasks[1..])
            .schedule(PollSchedule::fixed(s(3)));
        let held = first
            .wait()
            .no_timeout()
            .schedule(PollSchedule::fixed(s(3)));
        let held = tokio::spawn(held.into_future());
        let others = tokio::spawn(async move { others.wait_all().await.len() });
        tokio::time::sleep(s(95)).await;
        held.abort();
        others.abort();
        let reads: Vec<_> = service
            .reads()
            .into_iter()
            .filter(|(_, asked)| *asked == Request::Read("reference-to-video", 0))
            .map(|(at, _)| at)
            .collect();
        all.push(reads);
    }
    assert!(all.iter().all(|reads| reads.len() == 1), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn rate_limited_read_does_not_back_off_the_list() {
    let service = FakeService::start(s(300), |now, asked| match asked {
        Request::Read(..) if now > s(60) && now < s(62) => ResponseOverride {
            status: Some(429),
            retry_after: Some(40),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let tasks = make(&client, 200).await;
    let other = client.clone();
    let id = tasks[0].id().to_owned();
    tokio::spawn(async move {
        tokio::time::sleep(s(61)).await;
        let _ = other.task(id).refresh().await;
    });
    tokio::time::timeout(s(200), service.max_detection_delay(&client, &tasks))
        .await
        .unwrap_err();
    let after = |asked: &[(Duration, Request)]| {
        asked
            .iter()
            .filter(|(at, _)| *at >= s(101) && *at < s(150))
            .count()
    };
    let reads = service.reads();
    assert!(after(&reads) < 30, "{} reads", after(&reads));
}

#[tokio::test(start_paused = true)]
async fn list_observes_its_retry_after() {
    let service = FakeService::start(s(170), |_, asked| match asked {
        Request::List(..) => ResponseOverride {
            status: Some(503),
            retry_after: Some(110),
            ..ResponseOverride::default()
        },
        _ => ResponseOverride::default(),
    })
    .await;
    let client = service.client();
    let tasks = make(&client, 60).await;
    service.max_detection_delay(&client, &tasks).await;
    let lists: Vec<_> = service
        .lists()
        .iter()
        .map(|(at, _)| at.as_secs_f64())
        .collect();
    assert!(
        lists.windows(2).all(|pair| pair[1] - pair[0] >= 110.0),
        "{lists:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn budget_of_one_poll_is_not_delayed() {
    let service = FakeService::start(s(105), well_behaved).await;
    let client = service.client();
    let task = make(&client, 1).await.remove(0);
    let schedule = PollSchedule::adaptive().request_budget(1);
    task.wait().schedule(schedule).await.unwrap();
    assert!(service.elapsed() < s(400), "{:?}", service.elapsed());
}

#[tokio::test(start_paused = true)]
async fn reads_of_long_tasks_are_spread() {
    let service = FakeService::start(s(420), well_behaved).await;
    let client = service.client();
    let tasks = make(&client, 300).await;
    let early = tokio::time::timeout(s(410), service.max_detection_delay(&client, &tasks)).await;
    assert!(early.is_err());
    let mut per_second = std::collections::BTreeMap::<u64, usize>::new();
    for (at, _) in service.reads() {
        *per_second.entry(at.as_secs()).or_default() += 1;
    }
    assert!(
        per_second.values().all(|reads| *reads <= 32),
        "{per_second:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn rate_limiter_leaves_slots_for_the_list() {
    let mut means = Vec::new();
    for rate in [1000.0, 3.0] {
        let service = FakeService::start(s(120), well_behaved).await;
        let maker = service.client();
        let client = client_of(service.base_url())
            .requests_per_second(rate)
            .build()
            .unwrap();
        let mut waits = Vec::new();
        for _ in 0..300 {
            let task = make(&maker, 1).await.remove(0);
            let task = client.task(task.id());
            let end = service.end(&task);
            let service = service.clone();
            waits.push(tokio::spawn(async move {
                task.wait().no_timeout().await.unwrap();
                service.elapsed().saturating_sub(end)
            }));
            tokio::time::sleep(s(1)).await;
        }
        let delays: Vec<_> = join_all(waits)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let mean = delays.iter().sum::<Duration>() / 300;
        means.push(mean);
    }
    assert!(means[1] < means[0] + s(5), "{means:?}");
}
