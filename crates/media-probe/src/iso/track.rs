//! A track: its type, format and duration.

use super::boxes::{Child, Name, escape_name, i32_at, u32_at, u64_at};
use super::chunks::Chunks;
use super::edits::{Edits, Length, Media};
use super::entry::Entry;
use super::timing::Timing;
use crate::media_info::Rotation;
use crate::problem::{Code, Problems};

/// Nanoseconds. A file may declare more than 64 bits of them.
pub(super) type Nanos = u128;

const SECOND: Nanos = 1_000_000_000;

/// A `trak`.
#[derive(Clone, Debug, Default)]
pub(super) struct Track<'a> {
    pub(super) id: u32,
    pub(super) is_enabled: bool,
    pub(super) handler: Name,
    pub(super) matrix: Matrix,
    /// The display width and height, in units of 1/65536.
    pub(super) header_size: Option<(u32, u32)>,
    /// The timescale: ticks per second, never 0.
    pub(super) scale: Option<u32>,
    /// The declared duration of the media, in ticks.
    claimed: Option<u64>,
    /// The duration in the track header, in ticks of the movie.
    header_length: Option<u64>,
    /// The runs of `stts`: the durations of frames.
    lengths: &'a [u8],
    /// The runs of `ctts`: the composition offsets.
    shifts: &'a [u8],
    pub(super) timing: Timing,
    /// The end of the last frame, in ticks.
    end: u128,
    pub(super) entry: Option<Entry>,
    edits: Option<Edits<'a>>,
    /// The end of the frames in the file.
    pub(super) frames_end: Option<u64>,
}

/// The linear part of a transformation, in units of 1/65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matrix {
    a: i64,
    b: i64,
    c: i64,
    d: i64,
}

/// The declared durations of a track, in its ticks.
#[derive(Clone, Copy)]
struct DeclaredLengths {
    media: Option<u128>,
    others: [Option<u128>; 2],
}

/// From this value on, the duration of a frame is a negative number. The limit is that of ffmpeg; no timescale is so
/// low that a frame would last as long.
const MIN_NEGATIVE: u32 = u32::MAX - 480_000;

/// The length of an entry of a list: a count and a value.
const RUN: usize = 8;

const VIDEO: Name = *b"vide";
const SOUND: Name = *b"soun";

impl<'a> Track<'a> {
    pub(super) fn read(track: &Child<'a>, problems: &mut Problems) -> Self {
        let mut all = Self::default();
        let mut has_header = false;
        let mut has_media = false;
        let mut children = track.children(problems);
        while let Some((child, problems)) = children.next() {
            match &child.name {
                b"tkhd" => {
                    has_header = true;
                    if all.read_header(child.body).is_none() {
                        child.report_too_short(problems);
                    }
                }
                b"edts" => {
                    let mut parts = child.children(problems);
                    while let Some((part, problems)) = parts.next() {
                        if part.name == *b"elst" {
                            all.edits = Edits::read(&part, problems);
                        }
                    }
                }
                b"mdia" => {
                    has_media = true;
                    all.read_media(&child, problems);
                }
                _ => {}
            }
        }
        for (is_there, name) in [(has_header, "tkhd"), (has_media, "mdia")] {
            if !is_there {
                report_missing(name, track, problems);
            }
        }
        all
    }

    pub(super) fn is_video(&self) -> bool {
        self.handler == VIDEO
    }

    pub(super) fn is_sound(&self) -> bool {
        self.handler == SOUND
    }

    /// Whether the type of the track is declared.
    pub(super) fn has_type(&self) -> bool {
        self.handler != Name::default()
    }

    fn read_header(&mut self, body: &[u8]) -> Option<()> {
        let is_long = *body.first()? == 1;
        let (id, matrix) = if is_long { (20, 52) } else { (12, 40) };
        self.is_enabled = body.get(3)? & 1 == 1;
        self.id = u32_at(body, id)?;
        self.matrix = Matrix::read(body, matrix)?;
        self.header_size = Some((u32_at(body, matrix + 36)?, u32_at(body, matrix + 40)?));
        self.header_length = match is_long {
            true => known_length(u64_at(body, id + 8)?),
            false => known_short_length(u32_at(body, id + 8)?),
        };
        Some(())
    }

    fn read_media(&mut self, media: &Child<'a>, problems: &mut Problems) {
        let mut children = media.children(problems);
        let (mut has_clock, mut has_handler) = (false, false);
        while let Some((child, problems)) = children.next() {
            match &child.name {
                b"mdhd" => {
                    has_clock = true;
                    match timescale(child.body) {
                        None => child.report_too_short(problems),
                        Some((0, _)) => report_zero_timescale(&child, problems),
                        Some((scale, length)) => (self.scale, self.claimed) = (Some(scale), length),
                    }
                }
                b"hdlr" => {
                    has_handler = true;
                    match child.body.get(8..).and_then(|rest| rest.first_chunk()) {
                        None => child.report_too_short(problems),
                        Some(handler) => self.handler = *handler,
                    }
                }
                b"minf" => {
                    let mut parts = child.children(problems);
                    while let Some((part, problems)) = parts.next() {
                        if part.name == *b"stbl" {
                            self.read_samples(&part, problems);
                        }
                    }
                }
                _ => {}
            }
        }
        for (is_there, name) in [(has_clock, "mdhd"), (has_handler, "hdlr")] {
            if !is_there {
                report_missing(name, media, problems);
            }
        }
    }

    fn read_samples(&mut self, table: &Child<'a>, problems: &mut Problems) {
        let mut chunks = Chunks::default();
        let mut children = table.children(problems);
        while let Some((child, problems)) = children.next() {
            match &child.name {
                // The handler precedes it.
                b"stsd" if self.is_video() => self.entry = Entry::read(&child, problems),
                b"stts" => self.lengths = counted(&child, RUN, problems).unwrap_or_default(),
                b"ctts" => self.shifts = counted(&child, RUN, problems).unwrap_or_default(),
                _ => chunks.read_box(&child),
            }
        }
        self.frames_end = chunks.end();
    }

    /// Determines the durations of frames if parts of the file disagree: by majority. `movie` is the timescale and the
    /// declared duration of the movie.
    pub(super) fn reconcile_lengths(
        &mut self,
        movie: Option<(u32, Option<Nanos>)>,
        problems: &mut Problems,
    ) {
        let declared = DeclaredLengths::read(self, movie);
        let frames = || runs(self.lengths);
        let plain = Timing::from_runs(frames().map(|(count, length)| (count, signed(length))));
        let is_high = |(_, length): (u32, u32)| length > i32::MAX.cast_unsigned();
        let is_negative = |(_, length): (u32, u32)| signed(length) < 0;
        let has_negative = frames().any(is_negative)
            || frames().any(is_high) && !declared.agree_with(plain.ticks());
        let length = |length: u32| match has_negative {
            true => i64::from(length.cast_signed()),
            false => i64::from(length),
        };
        self.timing = Timing::from_runs(frames().map(|(count, ticks)| (count, length(ticks))));
        self.end = end(self.lengths, self.shifts, length, self.timing.ticks());
        if has_negative {
            problems.unusual(
                Code::WrongValue,
                None,
                "frames of a track have negative durations (`stts`), which are read as corrections",
            );
        }
        let ticks = self.timing.ticks();
        if let Some(media) = declared.agreed_instead_of(ticks) {
            let seconds = |ticks: u128| ticks / u128::from(self.scale.unwrap_or(1));
            problems.unusual(
                Code::Inconsistent,
                None,
                format!(
                    "the frames of a track last {} s in total, but its headers declare {} s, which is used",
                    seconds(ticks),
                    seconds(media)
                ),
            );
            self.timing.correct(media);
            self.end = media;
        }
    }

    /// The duration of the track, with the timescale of the movie; `None` if it is not declared.
    pub(super) fn length(&self, movie_scale: Option<u32>) -> Option<Length> {
        // The durations of frames take precedence over the declared one.
        let claimed = self.claimed.map(u128::from);
        let ticks = Some(self.timing.ticks())
            .filter(|ticks| *ticks > 0)
            .or(claimed);
        let media = ticks.zip(self.scale).map(|(ticks, scale)| Media {
            end: ticks.max(self.end),
            scale,
        });
        let edited = movie_scale
            .zip(self.edits)
            .and_then(|(scale, edits)| edits.length(scale, media));
        edited.or_else(|| {
            let shown = nanos(ticks?, self.scale?)?;
            Some(Length {
                shown,
                until: shown,
            })
        })
    }
}

impl Matrix {
    pub(super) fn read(body: &[u8], at: usize) -> Option<Self> {
        let [a, b, c, d] = [0, 4, 12, 16].map(|part| i32_at(body, at + part).map(i64::from));
        // The fields after it must exist, too.
        i32_at(body, at + 32)?;
        let read = Self {
            a: a?,
            b: b?,
            c: c?,
            d: d?,
        };
        // Some programs write zeros instead of the identity.
        let is_nothing = [read.a, read.b, read.c, read.d] == [0; 4];
        Some(if is_nothing { Self::default() } else { read })
    }

    /// The composition of this matrix and the next.
    pub(super) fn then(self, next: Self) -> Self {
        let (one, two) = (self, next);
        let sum = |x: i64, y: i64, z: i64, w: i64| {
            let products = i128::from(x) * i128::from(y) + i128::from(z) * i128::from(w);
            i64::try_from(products >> 16).unwrap_or(i64::MAX)
        };
        Self {
            a: sum(one.a, two.a, one.b, two.c),
            b: sum(one.a, two.b, one.b, two.d),
            c: sum(one.c, two.a, one.d, two.c),
            d: sum(one.c, two.b, one.d, two.d),
        }
    }

    /// The rotation, mirrored or not; `None` if it is not a multiple of 90 degrees.
    pub(super) fn rotation(self) -> Option<Rotation> {
        let [a, b, c, d] = [self.a, self.b, self.c, self.d].map(i64::unsigned_abs);
        let is_nothing = |part: u64, of: u64| part <= of / 1000;
        let upright = a.min(d);
        let turned = b.min(c);
        if upright > 0 && is_nothing(b.max(c), upright) {
            return Some(match self.a < 0 && self.d < 0 {
                true => Rotation::Half,
                false => Rotation::None,
            });
        }
        if turned > 0 && is_nothing(a.max(d), turned) {
            return Some(match self.b > 0 {
                true => Rotation::Quarter,
                false => Rotation::ThreeQuarters,
            });
        }
        None
    }
}

impl Default for Matrix {
    fn default() -> Self {
        Self {
            a: 1 << 16,
            b: 0,
            c: 0,
            d: 1 << 16,
        }
    }
}

impl DeclaredLengths {
    fn read(track: &Track<'_>, movie: Option<(u32, Option<Nanos>)>) -> Self {
        let own = |length: Nanos| {
            let ticks = length.checked_mul(track.scale?.into())?;
            Some(ticks / SECOND)
        };
        let (header, movie) = match movie {
            Some((scale, length)) => (
                track
                    .header_length
                    .and_then(|length| nanos(length.into(), scale)),
                length,
            ),
            None => (None, None),
        };
        Self {
            media: track.claimed.map(u128::from),
            others: [header.and_then(own), movie.and_then(own)],
        }
    }

    /// Whether a header declares about the same.
    fn agree_with(self, ticks: u128) -> bool {
        let declared = [self.media, self.others[0], self.others[1]];
        declared
            .into_iter()
            .flatten()
            .any(|claim| is_about(claim, ticks))
    }

    /// The duration that two headers declare, if it differs much from the sum of the frames.
    fn agreed_instead_of(self, ticks: u128) -> Option<u128> {
        let media = self.media?;
        let is_agreed = |other: &Option<u128>| other.is_some_and(|other| is_about(other, media));
        let is_other = ticks > 0 && !self.agree_with(ticks) && !is_about(ticks, media);
        (is_other && self.others.iter().any(is_agreed)).then_some(media)
    }
}

/// Whether the values differ by less than a factor of two, as they may if an edit list omits a part.
fn is_about(one: u128, other: u128) -> bool {
    one.max(other) / 2 < one.min(other).max(1)
}

/// The runs of a list: the number of frames with the same value, and that value.
fn runs(list: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    list.chunks_exact(RUN)
        .filter_map(|run| u32_at(run, 0).zip(u32_at(run, 4)))
}

/// The end of the frame that is shown last, from the durations and the composition offsets. Offsets longer than all
/// frames together are ignored.
fn end(lengths: &[u8], shifts: &[u8], signed: impl Fn(u32) -> i64, max: u128) -> u128 {
    let mut shifts = runs(shifts);
    let (mut shifted, mut shift) = (0, 0);
    let (mut decoded, mut end) = (0_i128, 0_i128);
    for (mut frames, length) in runs(lengths) {
        while frames > 0 {
            while shifted == 0 {
                // Frames beyond the list have no offset.
                (shifted, shift) = shifts.next().unwrap_or((u32::MAX, 0));
            }
            let part = frames.min(shifted);
            frames -= part;
            shifted -= part;
            decoded = decoded.saturating_add(i128::from(part) * i128::from(signed(length)));
            let shift = Some(i128::from(shift.cast_signed()));
            let shift = shift.filter(|shift| shift.unsigned_abs() <= max);
            end = end.max(decoded.saturating_add(shift.unwrap_or_default()));
        }
    }
    u128::try_from(end).unwrap_or_default()
}

/// The duration of a frame, which is unsigned unless that is implausible.
pub(super) fn signed(length: u32) -> i64 {
    match length >= MIN_NEGATIVE {
        true => length.cast_signed().into(),
        false => length.into(),
    }
}

/// Converts ticks of a timescale.
pub(super) fn nanos(ticks: u128, scale: u32) -> Option<Nanos> {
    let scale = Nanos::from(scale);
    let all = ticks.checked_mul(SECOND)?.checked_add(scale / 2)?;
    all.checked_div(scale)
}

/// The timescale and the duration of an `mdhd` or `mvhd`, if they are declared.
pub(super) fn timescale(body: &[u8]) -> Option<(u32, Option<u64>)> {
    Some(match body.first()? {
        1 => (u32_at(body, 20)?, known_length(u64_at(body, 24)?)),
        _ => (u32_at(body, 12)?, known_short_length(u32_at(body, 16)?)),
    })
}

/// A declared duration. 0 and the maximum mean that it is unknown.
fn known_length(length: u64) -> Option<u64> {
    (!matches!(length, 0 | u64::MAX)).then_some(length)
}

fn known_short_length(length: u32) -> Option<u64> {
    (!matches!(length, 0 | u32::MAX)).then_some(length.into())
}

/// The entries of a list that begins with their number. Entries beyond the available bytes are ignored.
pub(super) fn counted<'a>(
    list: &Child<'a>,
    entry: usize,
    problems: &mut Problems,
) -> Option<&'a [u8]> {
    let length =
        u32_at(list.body, 4).and_then(|count| usize::try_from(count).ok()?.checked_mul(entry));
    let entries = list.body.get(8..);
    let found = entries
        .zip(length)
        .and_then(|(entries, length)| entries.get(..length));
    if found.is_none() {
        list.report_too_short(problems);
    }
    found
}

pub(super) fn report_zero_timescale(timescale: &Child<'_>, problems: &mut Problems) {
    let (name, at) = (escape_name(timescale.name), timescale.at);
    problems.corrupt(
        Code::WrongValue,
        at,
        format!("the timescale in the box `{name}` at byte {at} is 0"),
    );
}

pub(super) fn report_missing(name: &str, parent: &Child<'_>, problems: &mut Problems) {
    // A damaged box may be the missing one.
    if problems.has_damage() {
        return;
    }
    let (parent, at) = (escape_name(parent.name), parent.at);
    problems.corrupt(
        Code::MissingPart,
        at,
        format!("the box `{parent}` at byte {at} lacks its box `{name}`"),
    );
}
