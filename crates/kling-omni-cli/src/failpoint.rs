//! Failpoints, at which tests kill the program to check crash recovery. In debug builds only.

/// Blocks if `KLING_OMNI_FAILPOINT` names this failpoint, until the test kills the program or creates the file that
/// `KLING_OMNI_FAILPOINT_RELEASE` names.
#[cfg(debug_assertions)]
pub(crate) fn block_at(name: &str) {
    if std::env::var("KLING_OMNI_FAILPOINT").is_ok_and(|enabled| enabled == name) {
        crate::report::say(format_args!("stopped at {name}"));
        let release =
            std::env::var_os("KLING_OMNI_FAILPOINT_RELEASE").map(std::path::PathBuf::from);
        while !release.as_deref().is_some_and(std::path::Path::exists) {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn block_at(_: &str) {}

/// The failpoints before and after each record of a journal.
pub(crate) fn block_at_record(step: kling_omni::journal::Step<'_>) {
    use kling_omni::journal::Step;
    match step {
        Step::Writing(record) => block_at(&format!("before {record}")),
        Step::Written(record) => block_at(&format!("after {record}")),
    }
}
