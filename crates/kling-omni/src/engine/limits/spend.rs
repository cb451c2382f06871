//! The spend limit: how many tasks, how many seconds of video and how much money the creates of a client may use together.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::error::{Error, ErrorKind, Result};

/// The decimals of an [`Amount`].
const DECIMALS: usize = 6;
const MICROS_PER_UNIT: u64 = 1_000_000;

/// An amount of money, exact to six decimals. It has no currency of its own.
///
/// It is written as digits with an optional fraction, without a sign or an exponent. It deserialises from a string or a
/// number, and serialises as a string.
///
/// ```
/// use kling_omni::spend::Amount;
///
/// let amount: Amount = "12.50".parse()?;
/// assert_eq!(amount.micros(), 12_500_000);
/// assert_eq!(amount.to_string(), "12.5");
/// assert!("1,50".parse::<Amount>().is_err());
/// # Ok::<(), kling_omni::spend::InvalidAmount>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

impl Amount {
    /// Creates an amount from millionths of a unit.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The amount in millionths of a unit.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// The amount times `factor`, saturating.
    pub(crate) fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

/// Saturates.
impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, micros) = (self.0 / MICROS_PER_UNIT, self.0 % MICROS_PER_UNIT);
        let text = format!("{units}.{micros:0DECIMALS$}");
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl FromStr for Amount {
    type Err = InvalidAmount;

    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let fraction = decimals.trim_end_matches('0');
        if !is_number(units) || !is_number(decimals) || fraction.len() > DECIMALS {
            return Err(InvalidAmount);
        }
        let units = units.parse::<u64>().ok();
        let micros = units.and_then(|units| units.checked_mul(MICROS_PER_UNIT));
        let fraction = format!("{fraction:0<DECIMALS$}").parse().ok();
        let micros = micros
            .zip(fraction)
            .and_then(|(all, part)| all.checked_add(part));
        micros.map(Self).ok_or(InvalidAmount)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

/// The decimal digits that a floating-point number represents exactly.
const EXACT_DIGITS: usize = 15;

impl Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount such as \"12.50\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Amount, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, units: u64) -> Result<Amount, E> {
        self.visit_str(&units.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, units: i64) -> Result<Amount, E> {
        self.visit_str(&units.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Amount, E> {
        // The shortest text of a number is the text in the file, up to this many digits.
        let text = number.to_string();
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        match digits > EXACT_DIGITS {
            true => Err(E::custom(format_args!(
                "an amount of more than {EXACT_DIGITS} digits must be a string"
            ))),
            false => self.visit_str(&text),
        }
    }
}

/// A text that is not an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidAmount;

impl fmt::Display for InvalidAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid amount: expected digits with at most {DECIMALS} decimals, such as 12.50"
        )
    }
}

impl std::error::Error for InvalidAmount {}

/// What creates have used, or what one create may use at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spent {
    /// The number of tasks.
    pub tasks: u64,
    /// The length of their videos, in seconds.
    pub seconds: u64,
    /// What they cost by the price table; zero without one.
    pub money: Amount,
}

impl Spent {
    fn without(self, other: Self) -> Self {
        Self {
            tasks: self.tasks.saturating_sub(other.tasks),
            seconds: self.seconds.saturating_sub(other.seconds),
            money: Amount(self.money.0.saturating_sub(other.money.0)),
        }
    }
}

/// Saturates.
impl Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            tasks: self.tasks.saturating_add(other.tasks),
            seconds: self.seconds.saturating_add(other.seconds),
            money: self.money + other.money,
        }
    }
}

/// The maximum of each count; `None` for no limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpendLimits {
    pub(crate) tasks: Option<u64>,
    pub(crate) seconds: Option<u64>,
    /// With the name of the currency.
    pub(crate) money: Option<(Amount, Box<str>)>,
}

impl SpendLimits {
    /// Fails if `cost` does not fit beside what was spent.
    fn check(&self, spent: Spent, cost: Spent) -> Result<()> {
        let total = spent + cost;
        let exceeded = if let Some(max) = self.tasks.filter(|max| total.tasks > *max) {
            format!("{} of {max} tasks", spent.tasks)
        } else if let Some(max) = self.seconds.filter(|max| total.seconds > *max) {
            let (used, more) = (spent.seconds, cost.seconds);
            format!("{used} of {max} seconds of video, {more} more needed")
        } else if let Some((max, currency)) =
            self.money.as_ref().filter(|(max, _)| total.money > *max)
        {
            let (used, more) = (spent.money, cost.money);
            format!("{used} of {max} {currency}, {more} more needed")
        } else {
            return Ok(());
        };
        Err(Error::uncharged(
            ErrorKind::SpendLimit,
            format!("spend limit reached: {exceeded}"),
        )
        .with_help("raise the limit of the spend guard to create more"))
    }
}

/// What the creates that share a limit have used.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpendCount(Arc<Mutex<Spent>>);

impl SpendCount {
    pub(crate) fn get(&self) -> Spent {
        *self.lock()
    }

    pub(crate) fn set(&self, spent: Spent) {
        *self.lock() = spent;
    }

    pub(crate) fn subtract(&self, cost: Spent) {
        let mut spent = self.lock();
        *spent = spent.without(cost);
    }

    /// Counts a create before it is sent.
    pub(crate) fn reserve(&self, cost: Spent, limits: &SpendLimits) -> Result<SpendReservation> {
        let mut spent = self.lock();
        limits.check(*spent, cost)?;
        *spent = *spent + cost;
        Ok(SpendReservation {
            count: self.clone(),
            cost,
            is_kept: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Spent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reserves what one create may cost, judged at the given time, or refuses the create.
pub(crate) type Reserve = Box<dyn FnOnce(SystemTime) -> Result<SpendReservation> + Send>;

/// What one create may cost. Dropping it subtracts the cost unless it is kept.
#[derive(Debug)]
pub(crate) struct SpendReservation {
    count: SpendCount,
    cost: Spent,
    is_kept: bool,
}

impl SpendReservation {
    /// Sets whether the cost stays counted when the reservation is dropped.
    pub(crate) fn keep(&mut self, keep: bool) {
        self.is_kept = keep;
    }
}

impl Drop for SpendReservation {
    fn drop(&mut self) {
        if !self.is_kept {
            self.count.subtract(self.cost);
        }
    }
}
