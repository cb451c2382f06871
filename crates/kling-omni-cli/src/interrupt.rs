use std::future::pending;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Takes Ctrl-C over from the system, from its making on: none gets lost, even when nobody waits for it just then.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    signal: Option<Signal>,
    #[cfg(windows)]
    signal: Option<tokio::signal::windows::CtrlC>,
}

impl Interrupts {
    /// Starts to listen. Where that is not possible, Ctrl-C goes on to end the process.
    pub(crate) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signal: signal(SignalKind::interrupt()).ok(),
            #[cfg(windows)]
            signal: tokio::signal::windows::ctrl_c().ok(),
        }
    }

    /// Completes at the next Ctrl-C, or at once if there was one that nobody has waited for.
    pub(crate) async fn next(&mut self) {
        #[cfg(any(unix, windows))]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        pending().await
    }
}

/// Takes the wish of a service manager over that the process ends.
pub(crate) struct Termination {
    #[cfg(unix)]
    signal: Option<Signal>,
}

impl Termination {
    pub(crate) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signal: signal(SignalKind::terminate()).ok(),
        }
    }

    /// Completes when the process is to end.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        pending().await
    }
}
