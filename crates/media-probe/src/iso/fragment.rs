//! What the fragments of a file say, and the index of some of them.

use super::boxes::{Child, u16_at, u32_at, u64_at};
use super::timing::Timing;
use super::track::{Nanos, nanos, signed};
use crate::problem::Problems;

/// The fragments of a file, as far as they were seen.
#[derive(Clone, Debug)]
pub(super) struct Fragments {
    /// The length of all of the file, if it says it beforehand.
    pub(super) declared: Option<Nanos>,
    /// The video that is shown, and the first sound.
    pub(super) tracks: Vec<InFragments>,
    /// Whether fragments were passed over.
    pub(super) has_skipped: bool,
}

/// One track of those in fragments.
#[derive(Clone, Debug, Default)]
pub(super) struct InFragments {
    pub(super) track: u32,
    pub(super) scale: u32,
    pub(super) is_video: bool,
    /// The length of a frame that does not say its own.
    pub(super) default_length: Option<u32>,
    /// The frames of the index and of the fragments that were looked into.
    pub(super) timing: Timing,
    /// The ticks of those that no list of fragments covers.
    pub(super) ticks: u128,
    /// The length of those that one covers, and where the last of them ends.
    pub(super) listed: Nanos,
    pub(super) listed_until: u64,
}

const DEFAULT_LENGTH: u32 = 0x8;
/// What stands in a `tfhd` before the default length, each a number of bytes behind a flag.
const BEFORE_LENGTH: [(u32, usize); 2] = [(0x1, 8), (0x2, 4)];
const FRAME_LENGTH: u32 = 0x100;
/// What a `trun` says of each frame.
const OF_FRAMES: [u32; 4] = [FRAME_LENGTH, 0x200, 0x400, 0x800];
/// What stands in a `trun` before its frames.
const BEFORE_FRAMES: [u32; 2] = [0x1, 0x4];

impl Fragments {
    /// Where to go on: behind all fragments that lists cover, once the rate of frames is known.
    pub(super) fn resume(&mut self, at: u64) -> u64 {
        let is_seen = |track: &InFragments| track.timing.frames > 0 || !track.is_video;
        let until = self.tracks.iter().map(|track| track.listed_until).min();
        match until {
            Some(until) if until > at && self.tracks.iter().all(is_seen) => {
                self.has_skipped = true;
                until
            }
            _ => at,
        }
    }

    pub(super) fn video(&self) -> Option<&InFragments> {
        self.tracks.iter().find(|track| track.is_video)
    }

    /// Takes a `sidx`, behind which what it lists begins.
    pub(super) fn take_list(&mut self, list: &Child<'_>, problems: &mut Problems) {
        let Some((track, length, size)) = listed(list.body) else {
            list.is_too_short(problems);
            return;
        };
        let behind = list.body_at.saturating_add(list.body.len() as u64);
        for known in &mut self.tracks {
            // One within what another one lists says nothing new.
            if known.track == track && behind >= known.listed_until {
                known.listed = known.listed.saturating_add(length);
                known.listed_until = behind.saturating_add(size);
            }
        }
    }

    /// Takes a `moof`.
    pub(super) fn take(&mut self, fragment: &Child<'_>, problems: &mut Problems) {
        let mut parts = fragment.children(problems);
        while let Some((part, problems)) = parts.next() {
            if part.name == *b"traf" {
                self.take_track(&part, fragment.at, problems);
            }
        }
    }

    fn take_track(&mut self, part: &Child<'_>, at: u64, problems: &mut Problems) {
        let mut ours = None;
        let mut children = part.children(problems);
        while let Some((child, problems)) = children.next() {
            let is_read = match (&child.name, ours) {
                (b"tfhd", None) => track_header(child.body).map(|(id, length)| {
                    let known = self.tracks.iter().position(|track| track.track == id);
                    ours = known.map(|known| (known, length));
                }),
                (b"trun", Some((known, length))) => {
                    let track = &mut self.tracks[known];
                    track.take_run(child.body, length.or(track.default_length), at)
                }
                _ => continue,
            };
            if is_read.is_none() {
                child.is_too_short(problems);
            }
        }
    }
}

impl InFragments {
    /// How long all that was seen is.
    pub(super) fn length(&self) -> Option<Nanos> {
        let all = self.listed.checked_add(nanos(self.ticks, self.scale)?)?;
        (all > 0).then_some(all)
    }

    /// None if it is too short.
    fn take_run(&mut self, body: &[u8], length: Option<u32>, at: u64) -> Option<()> {
        let flags = u32_at(body, 0)?;
        let count = u32_at(body, 4)?;
        let fields = |all: &[u32]| 4 * all.iter().filter(|flag| flags & **flag != 0).count();
        let frames = body.get(8 + fields(&BEFORE_FRAMES)..)?;
        let frame = fields(&OF_FRAMES);
        let frames = frames.get(..usize::try_from(count).ok()?.checked_mul(frame)?)?;
        let before = self.timing.ticks();
        if flags & FRAME_LENGTH == 0 {
            self.timing.push(count, signed(length.unwrap_or_default()));
        } else {
            for frame in frames.chunks_exact(frame) {
                self.timing.push(1, signed(u32_at(frame, 0)?));
            }
        }
        if at >= self.listed_until {
            let more = self.timing.ticks().saturating_sub(before);
            self.ticks = self.ticks.saturating_add(more);
        }
        Some(())
    }
}

/// The track of a `tfhd`, and how long its frames are that do not say it.
fn track_header(body: &[u8]) -> Option<(u32, Option<u32>)> {
    let flags = u32_at(body, 0)?;
    let track = u32_at(body, 4)?;
    if flags & DEFAULT_LENGTH == 0 {
        return Some((track, None));
    }
    let before = BEFORE_LENGTH.iter().filter(|(flag, _)| flags & flag != 0);
    let at = 8 + before.map(|(_, bytes)| bytes).sum::<usize>();
    Some((track, Some(u32_at(body, at)?)))
}

/// The track of a `sidx`, how long what it lists is, and where that ends, counted from the end of the box.
fn listed(body: &[u8]) -> Option<(u32, Nanos, u64)> {
    let is_long = *body.first()? == 1;
    let (track, scale) = (u32_at(body, 4)?, u32_at(body, 8)?);
    let (first, list) = match is_long {
        true => (u64_at(body, 20)?, 28),
        false => (u32_at(body, 16)?.into(), 20),
    };
    let count = usize::from(u16_at(body, list + 2)?);
    let entries = body.get(list + 4..)?.get(..count * 12)?;
    let (mut ticks, mut size) = (0_u128, first);
    for entry in entries.chunks_exact(12) {
        size = size.saturating_add(u64::from(u32_at(entry, 0)? & 0x7fff_ffff));
        ticks += u128::from(u32_at(entry, 4)?);
    }
    Some((track, nanos(ticks, scale)?, size))
}
