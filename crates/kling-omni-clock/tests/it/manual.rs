//! The clock that a test moves.

use std::task::{Context, Waker};
use std::time::{Duration, UNIX_EPOCH};

use kling_omni_clock::{Clock, ManualClock, Sleep};

const MINUTE: Duration = Duration::from_secs(60);

fn is_complete(sleep: &mut Sleep<'_>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    sleep.as_mut().poll(&mut context).is_ready()
}

#[test]
fn advance_changes_all_readings_of_all_clones() {
    let clock = ManualClock::new(UNIX_EPOCH + MINUTE);
    let shared = clock.clone();
    let (now, boot) = (clock.now(), clock.boot_time());
    clock.advance(MINUTE);
    assert_eq!(shared.now(), now + MINUTE);
    assert_eq!(shared.system_time(), UNIX_EPOCH + 2 * MINUTE);
    assert_eq!(shared.boot_time().since(&boot), Some(MINUTE));
}

#[test]
fn advance_wakes_sleeps_whose_deadline_has_passed() {
    let clock = ManualClock::new(UNIX_EPOCH);
    let mut short = clock.sleep(MINUTE);
    let mut long = clock.sleep_until(clock.now() + 2 * MINUTE);
    assert!(!is_complete(&mut short));
    clock.advance(MINUTE);
    assert_eq!(
        (is_complete(&mut short), is_complete(&mut long)),
        (true, false)
    );
    clock.advance(MINUTE);
    assert!(is_complete(&mut long));
}

#[test]
fn sleep_counts_from_the_call_and_completes_for_past_deadlines() {
    let clock = ManualClock::new(UNIX_EPOCH);
    let start = clock.now();
    let mut sleep = clock.sleep(MINUTE);
    clock.advance(MINUTE);
    assert!(is_complete(&mut sleep));
    assert!(is_complete(&mut clock.sleep_until(start)));
    assert!(!is_complete(&mut clock.sleep(Duration::MAX)));
}

#[test]
fn set_system_time_changes_nothing_else() {
    let clock = ManualClock::new(UNIX_EPOCH + MINUTE);
    let (now, boot) = (clock.now(), clock.boot_time());
    let mut sleep = clock.sleep(MINUTE);
    clock.set_system_time(UNIX_EPOCH + 5 * MINUTE);
    assert_eq!((clock.now(), clock.boot_time()), (now, boot));
    assert!(!is_complete(&mut sleep));
    clock.set_system_time(UNIX_EPOCH);
    clock.advance(MINUTE);
    assert_eq!(clock.system_time(), UNIX_EPOCH + MINUTE);
    assert!(is_complete(&mut sleep));
}

#[test]
fn boot_times_of_two_clocks_cannot_be_compared() {
    let one = ManualClock::new(UNIX_EPOCH).boot_time();
    assert_eq!(ManualClock::new(UNIX_EPOCH).boot_time().since(&one), None);
}

#[test]
fn boot_times_saturate() {
    let reading = ManualClock::new(UNIX_EPOCH).boot_time();
    let last = reading.saturating_add(Duration::MAX);
    assert_eq!(last.saturating_add(MINUTE), last);
    assert_eq!(reading.since(&last), Some(Duration::ZERO));
    let text = serde_json::to_string(&last).unwrap();
    assert_eq!(
        serde_json::from_str::<kling_omni_clock::BootTime>(&text).unwrap(),
        last
    );
}
