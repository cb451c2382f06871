//! Ctrl-C, and a service manager's wish that the process ends.

use std::future::pending;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Takes Ctrl-C over from the system, and with it a service manager's wish that the process ends (SIGTERM): from its
/// making on none gets lost, even when nobody waits for it just then.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    signals: [Option<Signal>; 2],
    #[cfg(windows)]
    signal: Option<tokio::signal::windows::CtrlC>,
}

impl Interrupts {
    /// Starts to listen. Where that is not possible, the signals go on to end the process.
    pub(crate) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signals: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| {
                // A shell starts a background job with SIGINT ignored; taking the signal over would make it heard again.
                let is_ignored = is_ignored(kind.as_raw_value());
                (!is_ignored).then(|| signal(kind).ok()).flatten()
            }),
            #[cfg(windows)]
            signal: tokio::signal::windows::ctrl_c().ok(),
        }
    }

    /// Completes at the next Ctrl-C, or at once if there was one that nobody has waited for.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                () = heard(interrupt) => {}
                () = heard(terminate) => {}
            }
        }
        #[cfg(windows)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        #[cfg(not(unix))]
        pending().await
    }
}

/// Whether this process was started with a signal ignored. Only Linux shows it without a system call of ours, which would be
/// unsafe code.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    use std::sync::OnceLock;

    // Before any handler is installed, since that changes it.
    static IGNORED: OnceLock<u64> = OnceLock::new();
    let ignored = IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or_default()
    });
    (1..=64).contains(&signal) && ignored >> (signal - 1) & 1 == 1
}

/// Makes a file that grows beyond the limit of `ulimit -f` an error of the write like any other (`EFBIG`). By default,
/// the signal ends the process: in the middle of a download, or with a task that was just paid for.
pub(crate) fn survive_file_limit() {
    #[cfg(unix)]
    {
        let limit = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        // The handler stays for as long as the process; who listens does not matter.
        let _ = signal(limit);
    }
}

#[cfg(unix)]
async fn heard(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    pending().await
}
