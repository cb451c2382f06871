//! Limits what the creates of a client may cost together.
//!
//! ```
//! use kling_omni::spend::{PriceTable, SpendGuard};
//! use kling_omni::{ApiKey, Client};
//!
//! let prices: PriceTable = r#"{
//!     "currency": "EUR",
//!     "valid_until": "2099-12-31",
//!     "prices": [{"mode": "text", "tier": "pro", "per_second": "0.10"}]
//! }"#.parse()?;
//! let guard = SpendGuard::new().max_tasks(500).max_money("25".parse()?, prices);
//! let client = Client::builder()
//!     .api_key(ApiKey::new("FPSX-secret")?)
//!     .spend_guard(guard.clone())
//!     .build()?;
//! assert_eq!(guard.spent().tasks, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod price_table;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::engine::limits::spend::{Amount, InvalidAmount, Spent};
pub use crate::spend::price_table::PriceTable;

use crate::engine::error::Result;
use crate::engine::limits::spend::{Reserve, SpendCount, SpendLimits};
use crate::request::Request;
use crate::request::length::max_seconds;
use crate::route::{Mode, Tier};

/// Limits how many tasks, how many seconds of video and how much money the creates of a client may use together.
///
/// Pass it to [`ClientBuilder::spend_guard`](crate::ClientBuilder::spend_guard). A create that does not fit within the
/// limits is not sent, and fails with [`ErrorKind::SpendLimit`](crate::ErrorKind::SpendLimit). Clones of a guard share
/// the count, and so do all clients that have one of them: creates at the same time never exceed a limit together.
///
/// A create is counted immediately before it is sent. It stays counted if it made a task or may have made one, and is
/// subtracted if it certainly made none. The seconds of a create are its `duration`; where the request does not
/// determine the length of the video, the maximum of its mode. See [`Request::max_seconds`].
///
/// It is serialized as its limits and prices, without the count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "SpendGuardFields", into = "SpendGuardFields")]
#[must_use = "a guard does nothing until a client has it"]
pub struct SpendGuard {
    limits: SpendLimits,
    prices: Option<Arc<PriceTable>>,
    count: SpendCount,
}

/// A guard as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpendGuardFields {
    max_tasks: Option<u64>,
    max_seconds: Option<u64>,
    max_money: Option<Amount>,
    prices: Option<PriceTable>,
}

impl From<SpendGuard> for SpendGuardFields {
    fn from(guard: SpendGuard) -> Self {
        Self {
            max_tasks: guard.limits.tasks,
            max_seconds: guard.limits.seconds,
            max_money: guard.limits.money.map(|(max, _)| max),
            prices: guard.prices.map(Arc::unwrap_or_clone),
        }
    }
}

impl From<SpendGuardFields> for SpendGuard {
    fn from(fields: SpendGuardFields) -> Self {
        let mut guard = Self::new();
        guard.limits.tasks = fields.max_tasks;
        guard.limits.seconds = fields.max_seconds;
        match (fields.max_money, fields.prices) {
            (Some(max), Some(prices)) => guard.max_money(max, prices),
            _ => guard,
        }
    }
}

impl SpendGuard {
    /// Creates a guard that counts creates and limits nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the number of tasks.
    pub fn max_tasks(mut self, max: u64) -> Self {
        self.limits.tasks = Some(max);
        self
    }

    /// Limits the length of all videos together, in seconds.
    pub fn max_seconds(mut self, max: u64) -> Self {
        self.limits.seconds = Some(max);
        self
    }

    /// Limits the money that all tasks cost together, by the given prices. A create that has no price is refused, and
    /// every create is refused after the last day of the table.
    pub fn max_money(mut self, max: Amount, prices: PriceTable) -> Self {
        self.limits.money = Some((max, prices.currency().into()));
        self.prices = Some(Arc::new(prices));
        self
    }

    /// Sets what was spent before, such as a count that an earlier process stored. Replaces the count of all clones.
    pub fn with_spent(self, spent: Spent) -> Self {
        self.count.set(spent);
        self
    }

    /// Returns what the creates have used, including those in progress and those whose outcome is unknown.
    pub fn spent(&self) -> Spent {
        self.count.get()
    }

    /// Subtracts the [cost](Self::cost) of a create that stayed counted because its outcome was unknown, after
    /// [`Client::reconcile`](crate::Client::reconcile) has returned `NotCreated`.
    pub fn give_back(&self, cost: Spent) {
        self.count.subtract(cost);
    }

    /// Returns what a create of this request would be counted as: one task, its seconds, and its price. Does not count
    /// it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpendLimit`](crate::ErrorKind::SpendLimit) if the price table has no price for the request.
    pub fn cost(&self, request: &Request) -> Result<Spent> {
        self.cost_of(request.mode(), request.tier(), request.body())
    }

    fn cost_of(&self, mode: Mode, tier: Tier, body: &Value) -> Result<Spent> {
        let seconds = max_seconds(mode, body);
        let money = match &self.prices {
            Some(prices) => prices.price_of(mode, tier, body, seconds)?,
            None => Amount::default(),
        };
        Ok(Spent {
            tasks: 1,
            seconds: seconds.into(),
            money,
        })
    }

    /// Returns the function that counts a create when it is about to be sent.
    pub(crate) fn reserve(&self, mode: Mode, tier: Tier, body: &Value) -> Reserve {
        let (guard, cost) = (self.clone(), self.cost_of(mode, tier, body));
        Box::new(move |now| {
            if let Some(prices) = &guard.prices {
                prices.check_date(now)?;
            }
            guard.count.reserve(cost?, &guard.limits)
        })
    }
}
