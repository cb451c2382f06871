//! The prices of a user, by mode and tier.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::engine::limits::spend::Amount;
use crate::media_field::MediaField;
use crate::route::{Mode, Tier};

/// Your prices, by mode and tier. This crate has none built in, because prices change and differ between accounts.
///
/// It is parsed from JSON, or deserialised from any format:
///
/// ```
/// use kling_omni::spend::PriceTable;
///
/// let prices: PriceTable = r#"{
///     "currency": "credits",
///     "valid_until": "2099-12-31",
///     "prices": [
///         {"mode": "text", "tier": "pro", "per_second": 10},
///         {"mode": "reference", "tier": "pro", "per_second": 10},
///         {"mode": "reference", "tier": "pro", "reference_video": true, "per_second": 15, "per_task": "0.5"}
///     ]
/// }"#.parse()?;
/// assert_eq!(prices.currency(), "credits");
/// # Ok::<(), kling_omni::Error>(())
/// ```
///
/// * `valid_until` is the last day on which the prices apply, in UTC.
/// * `per_second` is the price of a second of video, `per_task` that of a task. A price has one of them or both, each an
///   [`Amount`].
/// * A price with `reference_video` applies only to requests with a reference video, or only to those without, and takes
///   precedence over one without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PriceTableFields", into = "PriceTableFields")]
pub struct PriceTable {
    fields: PriceTableFields,
    /// The first moment at which the prices no longer apply.
    ends_at: SystemTime,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceTableFields {
    currency: String,
    valid_until: String,
    prices: Vec<Price>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    mode: Mode,
    tier: Tier,
    reference_video: Option<bool>,
    per_second: Option<Amount>,
    per_task: Option<Amount>,
}

impl Price {
    fn applies_to(&self) -> (Mode, Tier, Option<bool>) {
        (self.mode, self.tier, self.reference_video)
    }
}

impl From<PriceTable> for PriceTableFields {
    fn from(table: PriceTable) -> Self {
        table.fields
    }
}

const DAY: Duration = Duration::from_secs(86_400);

impl PriceTable {
    /// The name of the currency, or of the unit of the prices.
    pub fn currency(&self) -> &str {
        &self.fields.currency
    }

    /// The last day on which the prices apply, as `YYYY-MM-DD` in UTC.
    pub fn valid_until(&self) -> &str {
        &self.fields.valid_until
    }

    /// Fails after the last day of the table, as every create with it does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpendLimit`].
    pub fn check_date(&self, now: SystemTime) -> Result<()> {
        match now < self.ends_at {
            true => Ok(()),
            false => Err(Error::uncharged(
                ErrorKind::SpendLimit,
                format!("the price table was valid until {}", self.valid_until()),
            )
            .with_help("use a table with current prices")),
        }
    }

    /// The price of a task whose video has this length; `None` if the table has no price for it.
    ///
    /// ```
    /// use kling_omni::spend::PriceTable;
    /// use kling_omni::{Mode, Tier};
    ///
    /// let prices: PriceTable = r#"{
    ///     "currency": "EUR",
    ///     "valid_until": "2099-12-31",
    ///     "prices": [{"mode": "text", "tier": "pro", "per_second": "0.10"}]
    /// }"#.parse()?;
    /// let price = prices.price(Mode::Text, Tier::Pro, false, 8);
    /// assert_eq!(price.map(|price| price.to_string()).as_deref(), Some("0.8"));
    /// # Ok::<(), kling_omni::Error>(())
    /// ```
    pub fn price(
        &self,
        mode: Mode,
        tier: Tier,
        has_reference_video: bool,
        seconds: u32,
    ) -> Option<Amount> {
        let find = |reference_video| {
            let mut prices = self.fields.prices.iter();
            prices.find(|price| price.applies_to() == (mode, tier, reference_video))
        };
        let price = find(Some(has_reference_video)).or_else(|| find(None))?;
        let seconds = price.per_second.unwrap_or_default().times(seconds.into());
        Some(seconds + price.per_task.unwrap_or_default())
    }

    /// The price of a create.
    pub(super) fn price_of(
        &self,
        mode: Mode,
        tier: Tier,
        body: &Value,
        seconds: u32,
    ) -> Result<Amount> {
        let has_video = MediaField::ReferenceVideo
            .value(body)
            .is_some_and(|video| !video.is_null());
        self.price(mode, tier, has_video, seconds).ok_or_else(|| {
            let video = if has_video { "with" } else { "without" };
            Error::uncharged(
                ErrorKind::SpendLimit,
                format!(
                    "the price table has no price for the mode {mode} and the tier {tier} {video} a reference video"
                ),
            )
            .with_help("add the price to the table")
        })
    }
}

impl TryFrom<PriceTableFields> for PriceTable {
    type Error = String;

    fn try_from(fields: PriceTableFields) -> Result<Self, String> {
        let is_valid_name =
            !fields.currency.trim().is_empty() && !fields.currency.chars().any(char::is_control);
        if !is_valid_name {
            return Err("currency is empty or has control characters".to_owned());
        }
        let date = &fields.valid_until;
        let start = match date.len() == "YYYY-MM-DD".len() {
            true => humantime::parse_rfc3339(&format!("{date}T00:00:00Z")).ok(),
            false => None,
        };
        let ends_at = start.and_then(|start| start.checked_add(DAY));
        let ends_at = ends_at
            .ok_or_else(|| format!("valid_until {date:?} is not a date such as 2027-12-31"))?;
        for (index, price) in fields.prices.iter().enumerate() {
            if price.per_second.is_none() && price.per_task.is_none() {
                return Err(format!(
                    "prices[{index}] has neither per_second nor per_task"
                ));
            }
            let mut earlier = fields.prices[..index].iter();
            if let Some(first) = earlier.position(|one| one.applies_to() == price.applies_to()) {
                return Err(format!(
                    "prices[{index}] applies to the same creates as prices[{first}]"
                ));
            }
        }
        Ok(Self { fields, ends_at })
    }
}

/// Parses JSON.
impl FromStr for PriceTable {
    type Err = Error;

    fn from_str(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| {
            Error::uncharged(
                ErrorKind::Configuration,
                format!("invalid price table: {error}"),
            )
        })
    }
}
