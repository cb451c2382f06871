//! The clock of the machine.

use std::time::{Duration, SystemTime};

use kling_omni_clock::{Clock, SystemClock};

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn wall_clock_is_the_machines_outside_of_a_runtime() {
    let (before, read, after) = (
        SystemTime::now(),
        SystemClock.system_time(),
        SystemTime::now(),
    );
    assert!(before - DAY < read && read < after + DAY);
    assert!(
        SystemClock
            .boot_time()
            .since(&SystemClock.boot_time())
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn readings_follow_a_paused_runtime() {
    let clock = SystemClock;
    let (now, wall, boot) = (clock.now(), clock.system_time(), clock.boot_time());
    clock.sleep(DAY).await;
    assert_eq!(clock.now() - now, DAY);
    let second = Duration::from_secs(1);
    for passed in [
        clock.system_time().duration_since(wall).unwrap(),
        clock.boot_time().since(&boot).unwrap(),
    ] {
        assert!(passed > DAY - second && passed < DAY + second, "{passed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sleeps_use_the_time_of_the_runtime() {
    let clock = SystemClock;
    let deadline = clock.now() + DAY;
    clock.sleep_until(deadline).await;
    assert_eq!(clock.now(), deadline);
}
