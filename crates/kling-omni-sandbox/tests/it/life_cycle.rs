//! The life cycle of a task: its statuses over time, its script and its outcome.

use std::collections::BTreeSet;
use std::time::Duration;

use kling_omni_api::enums::TaskStatus;
use kling_omni_sandbox::{Sandbox, TaskOutcome, TaskScript};
use serde_json::{Value, json};

use crate::harness::{
    Bench, PRO, STATUS, TASK_TIME, VIDEO_REFERENCE, path_of, request_body, request_body_with,
};

/// Reads the statuses of a task from its creation, each with the second of its first occurrence.
async fn read_statuses(bench: &Bench, body: &Value) -> (Vec<(u64, String)>, Value) {
    let id = bench.create(PRO, body).await;
    let mut seen: Vec<(u64, String)> = vec![];
    for second in 0..=TASK_TIME.as_secs() + 10 {
        let response = bench.get(&path_of(STATUS, &id)).await.data();
        let status = response["status"].as_str().unwrap();
        if seen.last().is_none_or(|(_, last)| last != status) {
            seen.push((second, status.to_owned()));
        }
        bench.clock.advance(Duration::from_secs(1));
    }
    (seen, bench.task(&id).await)
}

#[tokio::test]
async fn statuses_follow_the_script() {
    let queued = || TaskStatus::Unknown("QUEUED".to_owned());
    let failure = json!("The sandbox was asked to fail this task");
    type Case = (
        &'static str,
        Option<TaskScript>,
        &'static [(u64, &'static str)],
        Option<usize>,
        Option<Value>,
    );
    // prompt, script, statuses, number of results, error
    let cases: [Case; 9] = [
        (
            "a cat",
            None,
            &[(0, "CREATED"), (20, "IN_PROGRESS"), (100, "COMPLETED")],
            Some(1),
            None,
        ),
        (
            "[sandbox:fail]",
            None,
            &[(0, "CREATED"), (20, "IN_PROGRESS"), (100, "FAILED")],
            Some(0),
            Some(failure.clone()),
        ),
        (
            "[sandbox:fail=no light] a cat",
            None,
            &[(0, "CREATED"), (20, "IN_PROGRESS"), (100, "FAILED")],
            Some(0),
            Some(json!("no light")),
        ),
        (
            "[sandbox:empty]",
            None,
            &[(0, "CREATED"), (20, "IN_PROGRESS"), (100, "COMPLETED")],
            Some(0),
            None,
        ),
        (
            "[sandbox:status=QUEUED]",
            None,
            &[
                (0, "CREATED"),
                (20, "QUEUED"),
                (60, "IN_PROGRESS"),
                (100, "COMPLETED"),
            ],
            Some(1),
            None,
        ),
        (
            "a cat",
            Some(TaskScript::failed()),
            &[(0, "CREATED"), (20, "IN_PROGRESS"), (100, "FAILED")],
            Some(0),
            Some(failure),
        ),
        (
            "a cat",
            Some(TaskScript::new(TaskOutcome::CompletedEmpty)),
            &[(0, "CREATED"), (20, "IN_PROGRESS"), (100, "COMPLETED")],
            Some(0),
            None,
        ),
        (
            "a cat",
            Some(TaskScript::failed().via(queued())),
            &[
                (0, "CREATED"),
                (20, "QUEUED"),
                (60, "IN_PROGRESS"),
                (100, "FAILED"),
            ],
            Some(0),
            None,
        ),
        (
            "a cat",
            Some(TaskScript::default().via(TaskStatus::Completed)),
            &[
                (0, "CREATED"),
                (20, "COMPLETED"),
                (60, "IN_PROGRESS"),
                (100, "COMPLETED"),
            ],
            Some(1),
            None,
        ),
    ];
    let bench = Bench::with(|builder| builder.rate_limit(u32::MAX)).await;
    for (n, (prompt, script, expected, results, error)) in cases.into_iter().enumerate() {
        if let Some(script) = script {
            bench.sandbox.script_next(script);
        }
        let (seen, last) = read_statuses(&bench, &request_body_with("prompt", prompt)).await;
        let seen: Vec<_> = seen
            .iter()
            .map(|(second, status)| (*second, status.as_str()))
            .collect();
        assert_eq!(seen, expected, "case {n}");
        let generated = last["generated"].as_array().unwrap();
        assert_eq!(Some(generated.len()), results, "case {n}");
        if let Some(error) = error {
            assert_eq!(last["error"], error, "case {n}");
        }
        if last["status"] != "FAILED" {
            assert!(last.get("error").is_none(), "case {n}");
        }
    }
    assert_eq!(bench.sandbox.charges(), 9);
}

#[tokio::test]
async fn result_is_visible_after_completion() {
    let bench = Bench::start().await;
    let id = bench.create(VIDEO_REFERENCE, &request_body()).await;
    bench.clock.advance(TASK_TIME - Duration::from_millis(1));
    let expected = json!({"task_id": id, "status": "IN_PROGRESS", "generated": []});
    assert_eq!(bench.task(&id).await, expected);
    bench.clock.advance(Duration::from_millis(1));
    let task = bench.task(&id).await;
    assert_eq!(task["status"], "COMPLETED");
    assert_eq!(task.as_object().unwrap().len(), 3);
    assert_eq!(task["generated"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn fail_next_skips_tasks_with_directives() {
    let bench = Bench::start().await;
    bench.sandbox.fail_next(2);
    for prompt in ["a", "[sandbox:empty]", "b", "c"] {
        bench
            .create(PRO, &request_body_with("prompt", prompt))
            .await;
    }
    bench.clock.advance(TASK_TIME);
    let statuses: Vec<_> = bench
        .sandbox
        .tasks()
        .iter()
        .map(|task| task.status().to_string())
        .collect();
    assert_eq!(statuses, ["FAILED", "COMPLETED", "FAILED", "COMPLETED"]);
    assert_eq!(bench.sandbox.charges(), 4);
}

#[tokio::test]
async fn zero_task_time_completes_before_the_first_read() {
    let bench = Bench::with(|builder| builder.task_time(Duration::ZERO)).await;
    let response = bench.post(PRO, &request_body()).await.data();
    assert_eq!(response["status"], "CREATED");
    let id = response["task_id"].as_str().unwrap();
    assert_eq!(bench.task(id).await["status"], "COMPLETED");
}

#[tokio::test]
async fn jitter_is_bounded_and_follows_the_seed() {
    let mut runs = vec![];
    for seed in [7, 7, 8] {
        let bench = Bench::with(|builder| builder.seed(seed).jitter(0.5)).await;
        assert_eq!(bench.sandbox.seed(), seed);
        for n in 0..40 {
            bench.create(PRO, &request_body()).await;
            // Reads do not change the random numbers of tasks.
            if seed == 7 && runs.is_empty() && n % 3 == 0 {
                bench.get(&path_of(STATUS, "x")).await;
            }
        }
        let run: Vec<_> = bench
            .sandbox
            .tasks()
            .iter()
            .map(|task| {
                let time = task.ends_at().duration_since(task.created_at()).unwrap();
                assert!((50..=150).contains(&time.as_secs()), "{time:?}");
                (task.id().to_owned(), time)
            })
            .collect();
        let times: BTreeSet<_> = run.iter().map(|(_, time)| *time).collect();
        assert!(times.first().unwrap().as_secs() < 75 && times.last().unwrap().as_secs() > 125);
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);

    let (one, other) = (
        Sandbox::builder().start().await.unwrap(),
        Sandbox::builder().start().await.unwrap(),
    );
    assert_ne!(one.seed(), other.seed());
}
