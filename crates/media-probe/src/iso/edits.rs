//! Edit lists: the part of a track's media that is shown, and when.

use super::boxes::{Child, i32_at, u32_at, u64_at};
use super::track::{Nanos, counted, nanos, signed};
use crate::problem::Problems;

/// The entries of an `elst`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edits<'a> {
    entries: &'a [u8],
    is_long: bool,
}

/// The end of the last frame of the media, in ticks of the track's timescale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Media {
    pub(super) end: u128,
    pub(super) scale: u32,
}

/// The duration of a track.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Length {
    /// The time in which it shows something.
    pub(super) shown: Nanos,
    /// Its end, from the start of the movie.
    pub(super) until: Nanos,
}

/// An edit.
struct Edit {
    /// In ticks of the movie; 0 for the rest of the media.
    length: u64,
    /// In ticks of the media; negative for an empty edit.
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

    /// The sum of all edits, with the timescale of the movie; `None` without edits, or if one is unknown.
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
                        // An edit cannot show more than the media.
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
            // An empty edit in the middle counts, one at the start does not.
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

/// A missing or negative length means the rest of the media.
fn short_length(length: u32) -> u64 {
    u64::try_from(signed(length)).unwrap_or_default()
}
