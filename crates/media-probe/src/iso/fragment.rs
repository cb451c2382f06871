//! The fragments of a file, and segment indexes.

use super::boxes::{Child, u16_at, u32_at, u64_at};
use super::timing::Timing;
use super::track::{Nanos, nanos, signed};
use crate::problem::Problems;

/// The fragments of a file that were read.
#[derive(Clone, Debug)]
pub(super) struct Fragments {
    /// The declared duration of the file, if there is one.
    pub(super) declared: Option<Nanos>,
    /// The shown video track, and the first audio track.
    pub(super) tracks: Vec<FragmentedTrack>,
    /// Whether fragments were skipped.
    pub(super) has_skipped: bool,
}

/// A fragmented track.
#[derive(Clone, Debug, Default)]
pub(super) struct FragmentedTrack {
    pub(super) track: u32,
    pub(super) scale: u32,
    pub(super) is_video: bool,
    /// The default duration of a frame.
    pub(super) default_length: Option<u32>,
    /// The frames in the index and in the parsed fragments.
    pub(super) timing: Timing,
    /// The ticks of the frames outside of segment indexes.
    pub(super) ticks: u128,
    /// The duration covered by segment indexes, and the end of the last of them.
    pub(super) segment_index: Nanos,
    pub(super) listed_until: u64,
}

const DEFAULT_LENGTH: u32 = 0x8;
/// The fields of a `tfhd` before the default duration: flag and length.
const BEFORE_LENGTH: [(u32, usize); 2] = [(0x1, 8), (0x2, 4)];
const FRAME_LENGTH: u32 = 0x100;
/// The fields of a `trun` for each frame.
const OF_FRAMES: [u32; 4] = [FRAME_LENGTH, 0x200, 0x400, 0x800];
/// The fields of a `trun` before its frames.
const BEFORE_FRAMES: [u32; 2] = [0x1, 0x4];

impl Fragments {
    /// The offset at which to continue: after all fragments in segment indexes, once the frame rate is known.
    pub(super) fn resume(&mut self, at: u64) -> u64 {
        let is_seen = |track: &FragmentedTrack| track.timing.frames > 0 || !track.is_video;
        let until = self.tracks.iter().map(|track| track.listed_until).min();
        match until {
            Some(until) if until > at && self.tracks.iter().all(is_seen) => {
                self.has_skipped = true;
                until
            }
            _ => at,
        }
    }

    pub(super) fn video(&self) -> Option<&FragmentedTrack> {
        self.tracks.iter().find(|track| track.is_video)
    }

    /// Reads a `sidx`. Its fragments follow it.
    pub(super) fn read_segment_index(&mut self, list: &Child<'_>, problems: &mut Problems) {
        let Some((track, length, size)) = segment_index(list.body) else {
            list.report_too_short(problems);
            return;
        };
        let behind = list.body_at.saturating_add(list.body.len() as u64);
        for known in &mut self.tracks {
            // An index within the range of another one has no new information.
            if known.track == track && behind >= known.listed_until {
                known.segment_index = known.segment_index.saturating_add(length);
                known.listed_until = behind.saturating_add(size);
            }
        }
    }

    /// Reads a `moof`.
    pub(super) fn read_fragment(&mut self, fragment: &Child<'_>, problems: &mut Problems) {
        let mut parts = fragment.children(problems);
        while let Some((part, problems)) = parts.next() {
            if part.name == *b"traf" {
                self.read_track(&part, fragment.at, problems);
            }
        }
    }

    fn read_track(&mut self, part: &Child<'_>, at: u64, problems: &mut Problems) {
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
                    track.read_run(child.body, length.or(track.default_length), at)
                }
                _ => continue,
            };
            if is_read.is_none() {
                child.report_too_short(problems);
            }
        }
    }
}

impl FragmentedTrack {
    /// The duration of all frames that were read.
    pub(super) fn length(&self) -> Option<Nanos> {
        let all = self
            .segment_index
            .checked_add(nanos(self.ticks, self.scale)?)?;
        (all > 0).then_some(all)
    }

    /// Reads a `trun`; `None` if it is too short.
    fn read_run(&mut self, body: &[u8], length: Option<u32>, at: u64) -> Option<()> {
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

/// The track of a `tfhd`, and its default duration of a frame.
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

/// The track of a `sidx`, its duration, and its end, from the end of the box.
fn segment_index(body: &[u8]) -> Option<(u32, Nanos, u64)> {
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
