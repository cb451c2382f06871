//! The index of a file: its tracks, and the tracks in fragments.

use super::boxes::{Child, u32_at, u64_at};
use super::edits::Length;
use super::entry::Entry;
use super::fragment::{FragmentedTrack, Fragments};
use super::timing::Timing;
use super::track::{Matrix, Nanos, Track, nanos, report_missing, report_zero_timescale, timescale};
use crate::problem::{Code, Problems};

/// A `moov`.
#[derive(Clone, Debug, Default)]
pub(super) struct Movie {
    /// A compressed index is not parsed further.
    pub(super) is_compressed: bool,
    /// Missing values may be due to damage.
    pub(super) is_damaged: bool,
    /// The first enabled video track, or the first one.
    pub(super) video: Option<VideoTrack>,
    pub(super) video_tracks: u64,
    pub(super) has_audio: bool,
    /// The duration of the longest video or audio track.
    pub(super) length: Option<Nanos>,
    /// The end of the last video or audio frame in the file, if every track has it.
    pub(super) frames_end: Option<u64>,
    /// Set for a fragmented file.
    pub(super) fragments: Option<Fragments>,
}

/// The kept properties of a video track.
#[derive(Clone, Debug)]
pub(super) struct VideoTrack {
    pub(super) scale: Option<u32>,
    pub(super) entry: Option<Entry>,
    pub(super) matrix: Matrix,
    pub(super) header_size: Option<(u32, u32)>,
    pub(super) timing: Timing,
    pub(super) length: Option<Length>,
}

/// The best track of its kind so far, and its problems.
struct Chosen<'a> {
    track: Track<'a>,
    problems: Problems,
}

/// The duration and the end of the tracks that a player plays.
#[derive(Default)]
struct PlayedRange {
    length: Option<Nanos>,
    /// The end of the last frame; `None` of a track without positions of frames.
    frames: Option<Option<u64>>,
}

/// An `mvhd`.
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
                "the index of the file is compressed (`cmov`), which is not supported",
            );
            return Self {
                is_compressed: true,
                ..Self::default()
            };
        }
        let header = match find(movie, b"mvhd") {
            Some(header) => MovieHeader::read(&header, problems),
            None => {
                report_missing("mvhd", movie, problems);
                MovieHeader::default()
            }
        };
        let mut all = Self::default();
        let clock = header.scale.map(|scale| (scale, header.length));
        let (mut video, mut sound): (Option<Chosen<'_>>, Option<Chosen<'_>>) = (None, None);
        // Problems of tracks of unknown type.
        let mut untyped = Problems::default();
        let mut played = PlayedRange::default();
        let mut children = movie.children(problems);
        while let Some((child, problems)) = children.next() {
            if child.name != *b"trak" {
                continue;
            }
            let mut own = Problems::default();
            let mut track = Track::read(&child, &mut own);
            track.reconcile_lengths(clock, &mut own);
            let track = Chosen {
                track,
                problems: own,
            };
            all.video_tracks += u64::from(track.track.is_video());
            all.has_audio |= track.track.is_sound();
            match (track.track.is_video(), track.track.is_sound()) {
                (true, _) => {
                    if !track.problems.has_damage() {
                        played.add_length(&track.track, header.scale);
                    }
                    if let Some(other) = keep_better(&mut video, track) {
                        problems.append(other.problems, false);
                    }
                }
                (_, true) => {
                    played.add_track(&track.track, header.scale);
                    problems.append(track.problems.clone(), true);
                    keep_better(&mut sound, track);
                }
                _ if track.track.has_type() => problems.append(track.problems, false),
                _ => untyped.append(track.problems, true),
            }
        }
        if let Some(video) = &video {
            played.add_track(&video.track, header.scale);
            problems.append(video.problems.clone(), true);
        }
        // One of them may be the video.
        let has_untyped_damage = untyped.has_damage();
        problems.append(untyped, video.is_none());
        let [video, sound] = [video, sound].map(|chosen| chosen.map(|chosen| chosen.track));
        all.is_damaged = has_untyped_damage || problems.has_damage();
        all.length = played.length;
        all.frames_end = played.frames_end().filter(|_| !all.is_damaged);
        all.length = all.length.or(header.length);
        all.fragments = find(movie, b"mvex").map(|extends| Fragments {
            declared: declared(&extends, header.scale),
            tracks: [&video, &sound]
                .into_iter()
                .flatten()
                .filter_map(|track| fragmented_track(&extends, track))
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

impl PlayedRange {
    fn add_track(&mut self, track: &Track<'_>, scale: Option<u32>) {
        self.add_length(track, scale);
        if track.timing.frames > 0 {
            let end = track.frames_end;
            self.frames = Some(match self.frames {
                None => end,
                Some(known) => known.zip(end).map(|(one, other)| one.max(other)),
            });
        }
    }

    fn add_length(&mut self, track: &Track<'_>, scale: Option<u32>) {
        let length = track.length(scale).map(|length| length.until);
        self.length = self.length.max(length);
    }

    fn frames_end(&self) -> Option<u64> {
        self.frames.flatten()
    }
}

/// Keeps the keep_better of two tracks, and returns the other: one without damage, then an enabled one, then the first one.
fn keep_better<'a>(chosen: &mut Option<Chosen<'a>>, track: Chosen<'a>) -> Option<Chosen<'a>> {
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
        match timescale(header.body).zip(Matrix::read(header.body, matrix)) {
            None => header.report_too_short(problems),
            Some(((0, _), _)) => report_zero_timescale(header, problems),
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

/// The first box of this name. Damage is reported where all boxes are read.
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

/// The declared duration of a fragmented file.
fn declared(extends: &Child<'_>, scale: Option<u32>) -> Option<Nanos> {
    let header = find(extends, b"mehd")?;
    let length = match header.body.first()? {
        1 => u64_at(header.body, 4)?,
        _ => u32_at(header.body, 4)?.into(),
    };
    let length = nanos(length.into(), scale?)?;
    (length > 0).then_some(length)
}

/// `None` for a track without a timescale.
fn fragmented_track(extends: &Child<'_>, track: &Track<'_>) -> Option<FragmentedTrack> {
    let mut unheard = Problems::default();
    let mut children = extends.children(&mut unheard);
    let mut default_length = None;
    while let Some((child, _)) = children.next() {
        if child.name == *b"trex" && u32_at(child.body, 4) == Some(track.id) {
            default_length = u32_at(child.body, 12);
        }
    }
    Some(FragmentedTrack {
        track: track.id,
        scale: track.scale?,
        is_video: track.is_video(),
        default_length,
        ticks: track.timing.ticks(),
        timing: track.timing.clone(),
        ..FragmentedTrack::default()
    })
}
