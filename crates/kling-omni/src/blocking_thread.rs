//! Blocking work on the blocking threads of the runtime.

/// Runs blocking work on a blocking thread. If it panics, so does the caller.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    match tokio::task::spawn_blocking(work)
        .await
        .map_err(tokio::task::JoinError::try_into_panic)
    {
        Ok(value) => value,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime is shutting down: the work was not begun, and nothing polls the caller again.
        Err(Err(_)) => std::future::pending().await,
    }
}
