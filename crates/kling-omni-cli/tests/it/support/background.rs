//! A server that runs while a test waits for the program.

use std::ops::Deref;
use std::sync::mpsc;
use std::thread;

use tokio::runtime;
use tokio::sync::oneshot;

/// A server on its own thread, which stops on drop.
pub struct Background<T> {
    server: T,
    /// The thread stops when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl<T: Send + 'static> Background<T> {
    pub fn start(start: impl Future<Output = T> + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (started, server) = mpsc::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let _ = started.send(start.await);
                let _ = stopped.await;
            });
        });
        Self {
            server: server.recv().unwrap(),
            _stop: stop,
        }
    }
}

impl<T> Deref for Background<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.server
    }
}
