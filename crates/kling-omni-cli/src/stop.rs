//! Where tests end the program without warning, to see what it makes of that when it is started again.

/// Says where it is and goes no further, if that is the place that the environment names. A released program has no such
/// places.
#[cfg(debug_assertions)]
pub(crate) fn at(place: &str) {
    if std::env::var("KLING_OMNI_STOP_AT").is_ok_and(|wanted| wanted == place) {
        crate::report::say(format_args!("stopped at {place}"));
        loop {
            std::thread::park();
        }
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn at(_: &str) {}

/// The same around each record of a journal.
pub(crate) fn around(step: kling_omni::journal::Step<'_>) {
    use kling_omni::journal::Step;
    match step {
        Step::Writing(record) => at(&format!("before {record}")),
        Step::Written(record) => at(&format!("after {record}")),
    }
}
