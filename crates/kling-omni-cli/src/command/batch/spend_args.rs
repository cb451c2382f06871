//! The options that limit what a batch may cost.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use kling_omni::spend::{Amount, PriceTable, SpendGuard, Spent};

use crate::failure::Failure;
use crate::input;
use crate::next::CommandOption;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cost")]
pub(super) struct SpendArgs {
    /// Create nothing more after this many tasks of the batch, earlier runs included
    #[arg(long, visible_alias = "budget", value_name = "N")]
    pub(super) max_tasks: Option<u64>,

    /// Create nothing more after this many seconds of video, earlier runs included; a video whose length is not known in
    /// advance counts with the maximum of its mode
    #[arg(long, value_name = "N")]
    pub(super) max_seconds: Option<u64>,

    /// Your prices, as JSON: currency, valid_until, and for each mode and tier per_second or per_task; a row without a
    /// price is an error
    #[arg(long, value_name = "FILE", value_parser = input::file())]
    pub(super) price_table: Option<PathBuf>,

    /// Create nothing more after this much money, in the currency of the price table, earlier runs included
    #[arg(long, value_name = "AMOUNT", requires = "price_table")]
    pub(super) max_spend: Option<Amount>,
}

impl SpendArgs {
    /// Reads the price table, and returns the guard of a batch that has spent nothing.
    pub(super) fn limit(&self) -> Result<SpendLimit, Failure> {
        let mut guard = SpendGuard::new();
        let mut currency = None;
        if let Some(max) = self.max_tasks {
            guard = guard.max_tasks(max);
        }
        if let Some(max) = self.max_seconds {
            guard = guard.max_seconds(max);
        }
        if let Some(path) = &self.price_table {
            let text = input::read(path, input::MAX_TEXT_SIZE)?.text()?;
            let prices: PriceTable = text.parse().map_err(Failure::from)?;
            // Otherwise, a run would ask, and the first create would be refused.
            prices.check_date(SystemTime::now())?;
            currency = Some(prices.currency().to_owned());
            // Without a limit the prices only tell what a batch costs.
            let max = self.max_spend.unwrap_or(Amount::from_micros(u64::MAX));
            guard = guard.max_money(max, prices);
        }
        Ok(SpendLimit { guard, currency })
    }

    /// Returns the options that set the same limits.
    pub(super) fn options(&self) -> Vec<CommandOption> {
        let text = |number: Option<u64>| number.map(|number| number.to_string().into());
        [
            ("--max-tasks", text(self.max_tasks)),
            ("--max-seconds", text(self.max_seconds)),
            ("--price-table", self.price_table.clone().map(Into::into)),
            (
                "--max-spend",
                self.max_spend.map(|amount| amount.to_string().into()),
            ),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// The guard of a batch, and the currency of its prices.
#[derive(Clone, Debug)]
pub(super) struct SpendLimit {
    pub(super) guard: SpendGuard,
    pub(super) currency: Option<String>,
}

impl SpendLimit {
    /// Describes a cost, such as `3 tasks, 15 s of video, 1.5 EUR`.
    pub(super) fn describe(&self, cost: Spent) -> String {
        let mut text = format!("{}, {} s of video", count(cost.tasks, "task"), cost.seconds);
        if let Some(currency) = &self.currency {
            text.push_str(&format!(", {} {currency}", cost.money));
        }
        text
    }
}

/// Returns a number with a noun, such as `1 task`.
pub(super) fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
