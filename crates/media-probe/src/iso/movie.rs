//! The index of a file: its tracks, and what is to be known of those in fragments.

use super::boxes::{Child, u32_at, u64_at};
use super::edits::Length;
use super::entry::Entry;
use super::fragment::{Fragments, InFragments};
use super::timing::Timing;
use super::track::{Matrix, Nanos, Track, clock, missing, nanos, stands_still};
use crate::problem::{Code, Problems};

/// A `moov`.
#[derive(Clone, Debug, Default)]
pub(super) struct Movie {
    /// Nothing else is known then.
    pub(super) is_compressed: bool,
    /// What is not there may have been.
    pub(super) is_damaged: bool,
    /// The first video track that is switched on, or the first one.
    pub(super) video: Option<VideoTrack>,
    pub(super) video_tracks: u64,
    pub(super) has_audio: bool,
    /// How long the longest track of pictures or sound is.
    pub(super) length: Option<Nanos>,
    /// Where in the file the last frame and the last bit of sound end, if every track of them says it.
    pub(super) frames_end: Option<u64>,
    /// There for a file in fragments.
    pub(super) fragments: Option<Fragments>,
}

/// What is kept of a video track.
#[derive(Clone, Debug)]
pub(super) struct VideoTrack {
    pub(super) scale: Option<u32>,
    pub(super) entry: Option<Entry>,
    pub(super) matrix: Matrix,
    pub(super) header_size: Option<(u32, u32)>,
    pub(super) timing: Timing,
    pub(super) length: Option<Length>,
}

/// The best track of its kind so far, and what is wrong with it.
struct Chosen<'a> {
    track: Track<'a>,
    problems: Problems,
}

/// How far the tracks reach that a player plays.
#[derive(Default)]
struct Until {
    length: Option<Nanos>,
    /// The end of the last frame; none of a track whose frames are nowhere.
    frames: Option<Option<u64>>,
}

/// What an `mvhd` says.
#[derive(Clone, Copy, Default)]
struct MovieHeader {
    scale: Option<u32>,
    length: Option<Nanos>,
    matrix: Matrix,
}

impl Movie {
    pub(super) fn read(movie: &Child<'_>, problems: &mut Problems) -> Self {
        if find(movie, b"cmov").is_some() {
            problems.unknown(
                Code::NotSaid,
                "the index of the file is compressed (`cmov`), which is not read",
            );
            return Self {
                is_compressed: true,
                ..Self::default()
            };
        }
        let header = match find(movie, b"mvhd") {
            Some(header) => MovieHeader::read(&header, problems),
            None => {
                missing("mvhd", movie, problems);
                MovieHeader::default()
            }
        };
        let mut all = Self::default();
        let clock = header.scale.map(|scale| (scale, header.length));
        let (mut video, mut sound): (Option<Chosen<'_>>, Option<Chosen<'_>>) = (None, None);
        // Of tracks that do not say what they are.
        let mut unclear = Problems::default();
        let mut until = Until::default();
        let mut children = movie.children(problems);
        while let Some((child, problems)) = children.next() {
            if child.name != *b"trak" {
                continue;
            }
            let mut own = Problems::default();
            let mut track = Track::read(&child, &mut own);
            track.settle(clock, &mut own);
            let track = Chosen {
                track,
                problems: own,
            };
            all.video_tracks += u64::from(track.track.is_video());
            all.has_audio |= track.track.is_sound();
            match (track.track.is_video(), track.track.is_sound()) {
                (true, _) => {
                    if !track.problems.has_damage() {
                        until.take_length(&track.track, header.scale);
                    }
                    if let Some(other) = better(&mut video, track) {
                        problems.take(other.problems, false);
                    }
                }
                (_, true) => {
                    until.take(&track.track, header.scale);
                    problems.take(track.problems.clone(), true);
                    better(&mut sound, track);
                }
                _ if track.track.is_known() => problems.take(track.problems, false),
                _ => unclear.take(track.problems, true),
            }
        }
        if let Some(video) = &video {
            until.take(&video.track, header.scale);
            problems.take(video.problems.clone(), true);
        }
        // Among them may be the video.
        let has_unclear = unclear.has_damage();
        problems.take(unclear, video.is_none());
        let [video, sound] = [video, sound].map(|chosen| chosen.map(|chosen| chosen.track));
        all.is_damaged = has_unclear || problems.has_damage();
        all.length = until.length;
        all.frames_end = until.frames_end().filter(|_| !all.is_damaged);
        all.length = all.length.or(header.length);
        all.fragments = find(movie, b"mvex").map(|extends| Fragments {
            declared: declared(&extends, header.scale),
            tracks: [&video, &sound]
                .into_iter()
                .flatten()
                .filter_map(|track| in_fragments(&extends, track))
                .collect(),
            has_skipped: false,
        });
        all.video = video.map(|track| VideoTrack {
            length: track.length(header.scale),
            scale: track.scale,
            entry: track.entry,
            matrix: track.matrix.then(header.matrix),
            header_size: track.header_size,
            timing: track.timing,
        });
        all
    }
}

impl Until {
    fn take(&mut self, track: &Track<'_>, scale: Option<u32>) {
        self.take_length(track, scale);
        if track.timing.frames > 0 {
            let end = track.frames_end;
            self.frames = Some(match self.frames {
                None => end,
                Some(known) => known.zip(end).map(|(one, other)| one.max(other)),
            });
        }
    }

    fn take_length(&mut self, track: &Track<'_>, scale: Option<u32>) {
        let length = track.length(scale).map(|length| length.until);
        self.length = self.length.max(length);
    }

    fn frames_end(&self) -> Option<u64> {
        self.frames.flatten()
    }
}

/// Keeps the better one of two: one without damage, then one that is switched on, then the first one. Returns the other.
fn better<'a>(chosen: &mut Option<Chosen<'a>>, track: Chosen<'a>) -> Option<Chosen<'a>> {
    let rank = |chosen: &Chosen<'_>| (!chosen.problems.has_damage(), chosen.track.is_enabled);
    match chosen {
        Some(before) if rank(before) >= rank(&track) => Some(track),
        chosen => chosen.replace(track),
    }
}

impl MovieHeader {
    fn read(header: &Child<'_>, problems: &mut Problems) -> Self {
        let matrix = if header.body.first() == Some(&1) {
            48
        } else {
            36
        };
        match clock(header.body).zip(Matrix::read(header.body, matrix)) {
            None => header.is_too_short(problems),
            Some(((0, _), _)) => stands_still(header, problems),
            Some(((scale, length), matrix)) => {
                return Self {
                    scale: Some(scale),
                    length: length.and_then(|length| nanos(length.into(), scale)),
                    matrix,
                };
            }
        }
        Self::default()
    }
}

/// The first box of this name. What is damaged is told by whoever reads them all.
fn find<'a>(parent: &Child<'a>, name: &[u8; 4]) -> Option<Child<'a>> {
    let mut unheard = Problems::default();
    let mut children = parent.children(&mut unheard);
    while let Some((child, _)) = children.next() {
        if child.name == *name {
            return Some(child);
        }
    }
    None
}

/// The length that a file in fragments claims, on a clock of so many ticks.
fn declared(extends: &Child<'_>, scale: Option<u32>) -> Option<Nanos> {
    let header = find(extends, b"mehd")?;
    let length = match header.body.first()? {
        1 => u64_at(header.body, 4)?,
        _ => u32_at(header.body, 4)?.into(),
    };
    let length = nanos(length.into(), scale?)?;
    (length > 0).then_some(length)
}

/// None for a track without a clock.
fn in_fragments(extends: &Child<'_>, track: &Track<'_>) -> Option<InFragments> {
    let mut unheard = Problems::default();
    let mut children = extends.children(&mut unheard);
    let mut default_length = None;
    while let Some((child, _)) = children.next() {
        if child.name == *b"trex" && u32_at(child.body, 4) == Some(track.id) {
            default_length = u32_at(child.body, 12);
        }
    }
    Some(InFragments {
        track: track.id,
        scale: track.scale?,
        is_video: track.is_video(),
        default_length,
        ticks: track.timing.ticks(),
        timing: track.timing.clone(),
        ..InFragments::default()
    })
}
