//! How a process names itself as the holder of an account.

/// Names this process and its machine, for people who look for who holds an account. `work` is what it does.
pub(crate) fn holder_of(work: &str) -> String {
    let process = std::process::id();
    match host() {
        Some(host) => format!("process {process} on {host}, {work}"),
        None => format!("process {process}, {work}"),
    }
}

#[cfg(unix)]
fn host() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(not(unix))]
fn host() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}
