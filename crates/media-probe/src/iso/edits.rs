//! Edit lists: which part of a track's media is shown, and when.

use super::boxes::{Child, i32_at, u32_at, u64_at};
use super::track::{Nanos, counted, nanos, signed};
use crate::problem::Problems;

/// The entries of an `elst`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edits<'a> {
    entries: &'a [u8],
    is_long: bool,
}

/// What there is to show: ticks of a track's clock at which the last frame ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Media {
    pub(super) end: u128,
    pub(super) scale: u32,
}

/// How long a track is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Length {
    /// How long it shows something.
    pub(super) shown: Nanos,
    /// How long until that ends, counted from the beginning of the movie.
    pub(super) until: Nanos,
}

/// One edit.
struct Edit {
    /// In ticks of the movie; 0 for all there is.
    length: u64,
    /// In ticks of the media; negative if nothing is shown.
    start: i64,
    stands_still: bool,
}

const LONG_EDIT: usize = 20;
const SHORT_EDIT: usize = 12;

impl<'a> Edits<'a> {
    pub(super) fn read(list: &Child<'a>, problems: &mut Problems) -> Option<Self> {
        let is_long = list.body.first() == Some(&1);
        let edit = if is_long { LONG_EDIT } else { SHORT_EDIT };
        let entries = counted(list, edit, problems)?;
        Some(Self { entries, is_long })
    }

    /// The sum of all edits, on a movie's clock of so many ticks; none if there is none, or one cannot be known.
    pub(super) fn length(self, scale: u32, media: Option<Media>) -> Option<Length> {
        let mut sum = Length::default();
        for entry in self.entries.chunks_exact(self.entry()) {
            let edit = self.edit(entry)?;
            let length = nanos(edit.length.into(), scale)?;
            let shown = match u128::try_from(edit.start) {
                Err(_) => 0,
                Ok(_) if edit.stands_still => length,
                Ok(start) => match media {
                    Some(media) => {
                        let left = nanos(media.end.saturating_sub(start), media.scale)?;
                        let is_rounded = length.abs_diff(left) <= nanos(1, scale)?;
                        // No edit shows more than there is.
                        match edit.length == 0 || is_rounded {
                            true => left,
                            false => length.min(left),
                        }
                    }
                    None if edit.length == 0 => return None,
                    None => length,
                },
            };
            let taken = if edit.start < 0 { length } else { shown };
            // A pause in the middle is shown, one at the beginning is not.
            if sum.shown > 0 || edit.start >= 0 {
                sum.shown = sum.shown.checked_add(taken)?;
            }
            sum.until = sum.until.checked_add(taken)?;
        }
        (sum.shown > 0).then_some(sum)
    }

    fn entry(self) -> usize {
        if self.is_long { LONG_EDIT } else { SHORT_EDIT }
    }

    fn edit(self, entry: &[u8]) -> Option<Edit> {
        let (length, start, rate) = match self.is_long {
            true => (u64_at(entry, 0)?, u64_at(entry, 8)?.cast_signed(), 16),
            false => (short_length(u32_at(entry, 0)?), i32_at(entry, 4)?.into(), 8),
        };
        Some(Edit {
            length: if length == u64::MAX { 0 } else { length },
            start,
            stands_still: i32_at(entry, rate)? == 0,
        })
    }
}

/// A length that is not said, or negative, stands for all there is.
fn short_length(length: u32) -> u64 {
    u64::try_from(signed(length)).unwrap_or_default()
}
