//! What a set of known tasks remembers of one list: its beginning, and whether it has the newest tasks first.

use serde::{Deserialize, Serialize};

use crate::engine::operations::ListOperation;

/// The facts about one list, as of its last reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ListFacts {
    pub(super) list: &'static ListOperation,
    /// Whether the list exists. The service returns 404 for an account without tasks.
    pub(super) exists: bool,
    /// Whether the set has all tasks that the list had.
    pub(super) is_complete: bool,
    /// The tasks of the first page in their order, each by the position of its first entry.
    #[serde(with = "runs")]
    pub(super) head: Vec<usize>,
    /// The odds that new tasks are listed first. The position of a new task in a list of `n` that is sorted by anything
    /// else would be the first by chance only, one to `n`.
    pub(super) odds: u64,
    /// The number of entries at the end of the reading.
    pub(super) read_at: usize,
    /// The number of tasks on the list.
    pub(super) length: usize,
}

/// The beginning of a list, compared with its beginning at the last reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadMatch {
    /// It begins with this many tasks, and then as at the last reading.
    After(usize),
    /// More tasks are needed to compare it.
    TooShort,
    /// It differs otherwise, or the order is not proven.
    Differs,
}

impl ListFacts {
    /// The odds that count as a proof.
    pub(super) const PROOF: u64 = 10_000;
    /// How many tasks of the last reading must be found again, if it had so many.
    const MIN_OVERLAP: usize = 50;

    /// Whether the order is proven, or one more task may prove it.
    pub(super) fn may_prove_order(&self) -> bool {
        !self.head.is_empty() && self.odds_with_own_in_front() >= Self::PROOF
    }

    /// The odds after a new task of the set was listed in front of all others.
    pub(super) fn odds_with_own_in_front(&self) -> u64 {
        let length = u64::try_from(self.length).unwrap_or(u64::MAX);
        self.odds.saturating_mul(length.saturating_add(1))
    }

    /// Compares the beginning of the list with the last reading. `positions` are those of the first entries of its tasks.
    pub(super) fn match_head(&self, positions: &[Option<usize>]) -> HeadMatch {
        if self.head.is_empty() {
            return HeadMatch::Differs;
        }
        let is_in_head = |at: &Option<usize>| at.is_some_and(|at| self.head.contains(&at));
        let Some(new) = positions.iter().position(is_in_head) else {
            return HeadMatch::TooShort;
        };
        let same = positions[new..].iter().zip(&self.head);
        let overlap = same.len();
        if !same.into_iter().all(|(now, before)| *now == Some(*before)) {
            HeadMatch::Differs
        } else if overlap < self.head.len().min(Self::MIN_OVERLAP) {
            HeadMatch::TooShort
        } else {
            HeadMatch::After(new)
        }
    }
}

/// Serialises positions as text, with a range such as `90-1` for numbers that descend by one.
mod runs {
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Limits what damaged facts can allocate. A page has far fewer tasks.
    const MAX: usize = 10_000;

    pub(super) fn serialize<S: Serializer>(positions: &[usize], to: S) -> Result<S::Ok, S::Error> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for position in positions {
            match ranges.last_mut() {
                Some((_, last)) if *last == position + 1 => *last = *position,
                _ => ranges.push((*position, *position)),
            }
        }
        let ranges = ranges.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        to.serialize_str(&ranges.collect::<Vec<_>>().join(","))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<usize>, D::Error> {
        let text = String::deserialize(from)?;
        let mut positions = Vec::new();
        for range in text.split(',').filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let first: usize = first.parse().map_err(de::Error::custom)?;
            let last: usize = last.parse().map_err(de::Error::custom)?;
            if last > first || first - last + positions.len() >= MAX {
                return Err(de::Error::custom("invalid range of positions"));
            }
            positions.extend((last..=first).rev());
        }
        Ok(positions)
    }
}
