//! The positions of frames in a file.

use super::boxes::{Child, Name, u32_at, u64_at};
use super::track::counted;
use crate::problem::Problems;

/// The boxes of a track with the positions of its frames.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chunks<'a> {
    /// An `stsz` or `stz2`.
    sizes: Option<Sizes<'a>>,
    /// The entries of an `stsc`: the first chunk, and the number of frames in each.
    runs: Option<&'a [u8]>,
    /// The entries of an `stco` or `co64`.
    places: Option<ChunkOffsets<'a>>,
}

#[derive(Clone, Copy, Debug)]
enum Sizes<'a> {
    /// A number of frames, and the size of each in bytes.
    Equal(u32, u32),
    /// The sizes of frames, and their length in bits.
    Each(u32, usize, &'a [u8]),
}

#[derive(Clone, Copy, Debug)]
enum ChunkOffsets<'a> {
    Short(&'a [u8]),
    Long(&'a [u8]),
}

/// The length of an entry of an `stsc`.
const RUN: usize = 12;

impl<'a> Chunks<'a> {
    /// Reads a box if it is one of these. An incomplete list is ignored.
    pub(super) fn read_box(&mut self, child: &Child<'a>) {
        let list = |entry| counted(child, entry, &mut Problems::default());
        match &child.name {
            b"stsc" => self.runs = list(RUN),
            b"stco" => self.places = list(4).map(ChunkOffsets::Short),
            b"co64" => self.places = list(8).map(ChunkOffsets::Long),
            b"stsz" | b"stz2" => self.sizes = Sizes::read(child.name, child.body),
            _ => {}
        }
    }

    /// The end of the last frame; `None` without frames, or if the boxes disagree.
    pub(super) fn end(&self) -> Option<u64> {
        let (sizes, places) = (self.sizes?, self.places?);
        let mut runs = self.runs?.chunks_exact(RUN).peekable();
        let mut per_chunk = 0;
        let (mut frame, mut end) = (0_u32, None);
        for (chunk, place) in (1_u32..).zip(places.all()) {
            while let Some(run) = runs.next_if(|run| u32_at(run, 0).is_some_and(|of| of <= chunk)) {
                per_chunk = u32_at(run, 4)?;
            }
            let count = per_chunk.min(sizes.count() - frame);
            if count == 0 {
                continue;
            }
            let chunk_end = place.checked_add(sizes.sum(frame, count)?)?;
            frame += count;
            end = end.max(Some(chunk_end));
        }
        end.filter(|_| frame == sizes.count())
    }
}

impl<'a> Sizes<'a> {
    fn read(name: Name, body: &'a [u8]) -> Option<Self> {
        let (size, count) = (u32_at(body, 4)?, u32_at(body, 8)?);
        let bits = match (&name, size) {
            (b"stz2", bits @ (4 | 8 | 16)) => bits as usize,
            (b"stz2", _) => return None,
            (_, 0) => 32,
            // QuickTime writes this for uncompressed audio, regardless of the sizes of its frames.
            (_, 1) => return None,
            (_, size) => return Some(Self::Equal(count, size)),
        };
        let bytes = usize::try_from(count).ok()?.checked_mul(bits)?.div_ceil(8);
        Some(Self::Each(count, bits, body.get(12..)?.get(..bytes)?))
    }

    fn count(self) -> u32 {
        match self {
            Self::Equal(count, _) | Self::Each(count, ..) => count,
        }
    }

    /// The total size of this number of frames from `first` on.
    fn sum(self, first: u32, count: u32) -> Option<u64> {
        match self {
            Self::Equal(_, size) => u64::from(size).checked_mul(count.into()),
            Self::Each(_, bits, sizes) => {
                let first = usize::try_from(first).ok()?;
                let frames = first..first.checked_add(usize::try_from(count).ok()?)?;
                frames.map(|frame| size(sizes, bits, frame)).sum()
            }
        }
    }
}

/// The size of a frame, stored in `bits` bits.
fn size(sizes: &[u8], bits: usize, frame: usize) -> Option<u64> {
    let at = frame.checked_mul(bits)? / 8;
    let bytes = sizes.get(at..at.checked_add(bits.div_ceil(8))?)?;
    let number = bytes
        .iter()
        .fold(0, |all, byte| all << 8 | u64::from(*byte));
    Some(match (bits, frame % 2) {
        (4, 0) => number >> 4,
        (4, _) => number & 0xf,
        _ => number,
    })
}

impl<'a> ChunkOffsets<'a> {
    fn all(self) -> impl Iterator<Item = u64> + 'a {
        let (list, entry) = match self {
            Self::Short(list) => (list, 4),
            Self::Long(list) => (list, 8),
        };
        list.chunks_exact(entry)
            .filter_map(move |place| match entry {
                4 => u32_at(place, 0).map(u64::from),
                _ => u64_at(place, 0),
            })
    }
}
