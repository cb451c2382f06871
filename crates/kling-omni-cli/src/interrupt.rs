//! Handles Ctrl-C (SIGINT) and SIGTERM.

use std::future::pending;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Receives Ctrl-C and SIGTERM. A signal that arrives while no call of [`next`](Self::next) is pending is not lost.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    signals: [Option<Signal>; 2],
    #[cfg(windows)]
    signal: Option<tokio::signal::windows::CtrlC>,
}

impl Interrupts {
    /// Starts to listen. A signal that cannot be handled keeps its default action.
    pub(crate) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signals: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| {
                // A shell starts a background job with SIGINT ignored, and a handler would undo that.
                let is_ignored = is_ignored(kind.as_raw_value());
                (!is_ignored).then(|| signal(kind).ok()).flatten()
            }),
            #[cfg(windows)]
            signal: tokio::signal::windows::ctrl_c().ok(),
        }
    }

    /// Completes at the next signal, or immediately if one is pending.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate] = &mut self.signals;
            tokio::select! {
                () = receive(interrupt) => {}
                () = receive(terminate) => {}
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

/// Returns whether this process was started with a signal ignored. Only Linux reports it without unsafe code.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    use std::sync::OnceLock;

    // Read once, before a handler is installed, which changes it.
    static IGNORED: OnceLock<u64> = OnceLock::new();
    let ignored = IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or_default()
    });
    (1..=64).contains(&signal) && ignored >> (signal - 1) & 1 == 1
}

/// Handles SIGXFSZ, so a write beyond the limit of `ulimit -f` fails with `EFBIG`. By default, the signal kills the
/// process, possibly just after a task was paid for.
pub(crate) fn ignore_file_size_signal() {
    #[cfg(unix)]
    {
        let limit = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        // The handler stays installed after the receiver is dropped.
        let _ = signal(limit);
    }
}

#[cfg(unix)]
async fn receive(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    pending().await
}
