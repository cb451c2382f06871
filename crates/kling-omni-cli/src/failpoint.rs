//! Where tests end the program without warning, to see what it makes of that when it is started again.

/// Says where it is and stops, if that is the place that `KLING_OMNI_STOP_AT` names: until the test kills it, or until the
/// file `KLING_OMNI_GO_ON` is there. A released program has no such places.
#[cfg(debug_assertions)]
pub(crate) fn at(place: &str) {
    if std::env::var("KLING_OMNI_STOP_AT").is_ok_and(|wanted| wanted == place) {
        crate::report::say(format_args!("stopped at {place}"));
        let go_on = std::env::var_os("KLING_OMNI_GO_ON").map(std::path::PathBuf::from);
        while !go_on.as_deref().is_some_and(std::path::Path::exists) {
            std::thread::sleep(std::time::Duration::from_millis(10));
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
