//! The options with which a page compares what was paid for.

use std::path::PathBuf;

use clap::Args;
use kling_omni::spend::{Amount, SpendGuard};

use super::spend_args::SpendArgs;
use crate::failure::Failure;
use crate::input;

#[derive(Args, Clone, Debug)]
pub(super) struct ReportLimitArgs {
    /// The limit of tasks to compare with [default: that of the workers]
    #[arg(long, visible_alias = "budget", value_name = "N")]
    max_tasks: Option<u64>,

    /// The limit of seconds of video to compare with
    #[arg(long, value_name = "N")]
    max_seconds: Option<u64>,

    /// Your prices, as JSON, for the cost of each item
    #[arg(long, value_name = "FILE", value_parser = input::file())]
    price_table: Option<PathBuf>,

    /// The limit of money to compare with
    #[arg(long, value_name = "AMOUNT", requires = "price_table")]
    max_spend: Option<Amount>,
}

impl ReportLimitArgs {
    /// Returns the name of an option that is given.
    pub(super) fn first_option(&self) -> Option<&'static str> {
        let all = [
            ("--max-tasks", self.max_tasks.is_some()),
            ("--max-seconds", self.max_seconds.is_some()),
            ("--price-table", self.price_table.is_some()),
            ("--max-spend", self.max_spend.is_some()),
        ];
        all.iter()
            .find(|(_, is_given)| *is_given)
            .map(|(name, _)| *name)
    }

    /// Reads the price table.
    pub(super) fn guard(&self) -> Result<SpendGuard, Failure> {
        let args = SpendArgs {
            max_tasks: self.max_tasks,
            max_seconds: self.max_seconds,
            price_table: self.price_table.clone(),
            max_spend: self.max_spend,
        };
        Ok(args.limit()?.guard)
    }
}
