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
            signals: [SignalKind::interrupt(), SignalKind::terminate()]
                .map(|kind| signal(kind).ok()),
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

#[cfg(unix)]
async fn heard(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    pending().await
}
