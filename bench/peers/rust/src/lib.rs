//! What the drivers share: the command line, and that all tasks are under way at once.

use std::future::Future;

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;

/// Where to make how many tasks.
pub struct Load {
    /// The mock server.
    pub base_url: String,
    /// The key by which the mock server tells its clients apart.
    pub key: String,
    tasks: usize,
}

impl Load {
    /// As `run.py` gives it to all drivers: base URL, key, number of tasks.
    pub fn from_arguments() -> Result<Self> {
        let mut arguments = std::env::args().skip(1);
        let mut next = || arguments.next().context("usage: BASE_URL KEY TASKS");
        Ok(Self {
            base_url: next()?,
            key: next()?,
            tasks: next()?.parse().context("TASKS is not a number")?,
        })
    }

    /// Makes and awaits all tasks at the same time. The first failure is that of the whole.
    pub async fn run<F>(&self, task: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        try_join_all((0..self.tasks).map(|_| task())).await?;
        Ok(())
    }
}
