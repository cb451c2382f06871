//! The runtime of all blocking calls, in a background thread.

use std::future::{Future, pending};
use std::io;
use std::sync::OnceLock;
use std::thread;

use tokio::runtime::{Builder, Handle};

use crate::engine::error::{Error, ErrorKind, Result};

/// Waits for a future of this crate, for what the blocking API does not wrap.
///
/// ```no_run
/// use kling_omni::blocking::block_on;
/// use kling_omni::download::Destination;
///
/// block_on(Destination::new("puppet.mp4").check())??;
/// # Ok::<(), kling_omni::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::InvalidState`] on a thread that belongs to a Tokio runtime, or that is ending: in the destructor of a
/// thread-local value. [`ErrorKind::Configuration`] if the operating system refuses the thread of the runtime.
pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let (problem, help) = match Handle::try_current() {
        Ok(_) => (
            "a blocking call is not possible on a thread of an async runtime",
            "use the async API there, or make the call on a thread of its own",
        ),
        // Tokio would panic, which aborts the process in the destructor of a thread-local value.
        Err(error) if error.is_thread_local_destroyed() => (
            "a blocking call is not possible on a thread that is ending",
            "make the call before, or on a thread of its own",
        ),
        Err(_) => return Ok(handle()?.block_on(future)),
    };
    Err(Error::uncharged(ErrorKind::InvalidState, problem).with_help(help))
}

fn handle() -> Result<&'static Handle> {
    static RUNTIME: OnceLock<io::Result<Handle>> = OnceLock::new();
    RUNTIME.get_or_init(start).as_ref().map_err(|error| {
        Error::uncharged(
            ErrorKind::Configuration,
            format!("the runtime of blocking calls could not be started: {error}"),
        )
    })
}

/// Starts the thread that drives the runtime until the process ends.
fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let drive = move || runtime.block_on(pending::<()>());
    thread::Builder::new()
        .name("kling-omni-blocking".to_owned())
        .spawn(drive)?;
    Ok(handle)
}
