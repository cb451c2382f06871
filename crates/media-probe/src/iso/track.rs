//! A track: what it shows, how, and how long.

use super::boxes::{Child, Name, i32_at, shown, u32_at, u64_at};
use super::chunks::Chunks;
use super::edits::{Edits, Length, Media};
use super::entry::Entry;
use super::timing::Timing;
use crate::media_info::Rotation;
use crate::problem::{Code, Problems};

/// Nanoseconds, of which there may be more than a file can mean.
pub(super) type Nanos = u128;

const SECOND: Nanos = 1_000_000_000;

/// A `trak`.
#[derive(Clone, Debug, Default)]
pub(super) struct Track<'a> {
    pub(super) id: u32,
    pub(super) is_enabled: bool,
    pub(super) handler: Name,
    pub(super) matrix: Matrix,
    /// Width and height for the screen in parts of 65536.
    pub(super) header_size: Option<(u32, u32)>,
    /// The ticks of its clock in a second, never 0.
    pub(super) scale: Option<u32>,
    /// The length that the media claim, in ticks.
    claimed: Option<u64>,
    /// The length that the track's header claims, in ticks of the movie.
    header_length: Option<u64>,
    /// The runs of `stts`: how long frames are.
    lengths: &'a [u8],
    /// The runs of `ctts`: by how much frames are shown later than decoded.
    shifts: &'a [u8],
    pub(super) timing: Timing,
    /// When the last frame ends, in ticks.
    end: u128,
    pub(super) entry: Option<Entry>,
    edits: Option<Edits<'a>>,
    /// Where in the file the frames end.
    pub(super) frames_end: Option<u64>,
}

/// The linear part of a transformation, 65536 meaning 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matrix {
    a: i64,
    b: i64,
    c: i64,
    d: i64,
}

/// What the headers of a file claim about the length of a track, in ticks of the track.
#[derive(Clone, Copy)]
struct Claims {
    media: Option<u128>,
    others: [Option<u128>; 2],
}

/// From here on, the length of a frame is a negative number. The limit is that of ffmpeg; no clock is so slow that a frame
/// would last as long.
const SURELY_NEGATIVE: u32 = u32::MAX - 480_000;

/// A run in a list: a count and a value.
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
                        child.is_too_short(problems);
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
                missing(name, track, problems);
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

    /// Whether it says what it is.
    pub(super) fn is_known(&self) -> bool {
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
                    match clock(child.body) {
                        None => child.is_too_short(problems),
                        Some((0, _)) => stands_still(&child, problems),
                        Some((scale, length)) => (self.scale, self.claimed) = (Some(scale), length),
                    }
                }
                b"hdlr" => {
                    has_handler = true;
                    match child.body.get(8..).and_then(|rest| rest.first_chunk()) {
                        None => child.is_too_short(problems),
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
                missing(name, media, problems);
            }
        }
    }

    fn read_samples(&mut self, table: &Child<'a>, problems: &mut Problems) {
        let mut chunks = Chunks::default();
        let mut children = table.children(problems);
        while let Some((child, problems)) = children.next() {
            match &child.name {
                // The handler comes before.
                b"stsd" if self.is_video() => self.entry = Entry::read(&child, problems),
                b"stts" => self.lengths = counted(&child, RUN, problems).unwrap_or_default(),
                b"ctts" => self.shifts = counted(&child, RUN, problems).unwrap_or_default(),
                _ => chunks.take(&child),
            }
        }
        self.frames_end = chunks.end();
    }

    /// Settles how long the frames are, where the parts of the file disagree: by what most of them say. `movie` is the clock
    /// of the movie and the length that its header claims.
    pub(super) fn settle(&mut self, movie: Option<(u32, Option<Nanos>)>, problems: &mut Problems) {
        let claims = Claims::of(self, movie);
        let frames = || runs(self.lengths);
        let plain = Timing::of(frames().map(|(count, length)| (count, signed(length))));
        let is_high = |(_, length): (u32, u32)| length > i32::MAX.cast_unsigned();
        let is_negative = |(_, length): (u32, u32)| signed(length) < 0;
        let has_negative =
            frames().any(is_negative) || frames().any(is_high) && !claims.agree_with(plain.ticks());
        let length = |length: u32| match has_negative {
            true => i64::from(length.cast_signed()),
            false => i64::from(length),
        };
        self.timing = Timing::of(frames().map(|(count, ticks)| (count, length(ticks))));
        self.end = end(self.lengths, self.shifts, length, self.timing.ticks());
        if has_negative {
            problems.unusual(
                Code::WrongValue,
                None,
                "frames of a track have negative lengths (`stts`), which are taken as corrections",
            );
        }
        let ticks = self.timing.ticks();
        if let Some(media) = claims.agreed_against(ticks) {
            let seconds = |ticks: u128| ticks / u128::from(self.scale.unwrap_or(1));
            problems.unusual(
                Code::Inconsistent,
                None,
                format!(
                    "the frames of a track add up to {} s, and its headers say {} s, which is taken",
                    seconds(ticks),
                    seconds(media)
                ),
            );
            self.timing.correct(media);
            self.end = media;
        }
    }

    /// How long the track is, on a movie with a clock of so many ticks. None if nothing says it.
    pub(super) fn length(&self, movie_scale: Option<u32>) -> Option<Length> {
        // What the frames say counts more than what the media claim.
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
        // What is behind it has to be there as well.
        i32_at(body, at + 32)?;
        let read = Self {
            a: a?,
            b: b?,
            c: c?,
            d: d?,
        };
        // Nothing at all is what careless programs write for "as it is".
        let is_nothing = [read.a, read.b, read.c, read.d] == [0; 4];
        Some(if is_nothing { Self::default() } else { read })
    }

    /// This one, and then the other.
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

    /// The quarters that it turns by, mirrored or not; none for something in between.
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

impl Claims {
    fn of(track: &Track<'_>, movie: Option<(u32, Option<Nanos>)>) -> Self {
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

    /// Whether one of the headers says about the same.
    fn agree_with(self, ticks: u128) -> bool {
        let claims = [self.media, self.others[0], self.others[1]];
        claims
            .into_iter()
            .flatten()
            .any(|claim| is_about(claim, ticks))
    }

    /// What two headers say about the media that is quite different from what its frames add up to.
    fn agreed_against(self, ticks: u128) -> Option<u128> {
        let media = self.media?;
        let is_agreed = |other: &Option<u128>| other.is_some_and(|other| is_about(other, media));
        let is_other = ticks > 0 && !self.agree_with(ticks) && !is_about(ticks, media);
        (is_other && self.others.iter().any(is_agreed)).then_some(media)
    }
}

/// Whether one is less than twice the other, which it may be where an edit list leaves out a part.
fn is_about(one: u128, other: u128) -> bool {
    one.max(other) / 2 < one.min(other).max(1)
}

/// The runs of a list: how many frames have the same value, and that value.
fn runs(list: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    list.chunks_exact(RUN)
        .filter_map(|run| u32_at(run, 0).zip(u32_at(run, 4)))
}

/// When the frame ends that is shown last, given how long frames are and by how much they are shown later than decoded.
/// No shift that is longer than all frames together is meant.
fn end(lengths: &[u8], shifts: &[u8], signed: impl Fn(u32) -> i64, most: u128) -> u128 {
    let mut shifts = runs(shifts);
    let (mut shifted, mut shift) = (0, 0);
    let (mut decoded, mut end) = (0_i128, 0_i128);
    for (mut frames, length) in runs(lengths) {
        while frames > 0 {
            while shifted == 0 {
                // Frames that the list does not have are not shifted.
                (shifted, shift) = shifts.next().unwrap_or((u32::MAX, 0));
            }
            let part = frames.min(shifted);
            frames -= part;
            shifted -= part;
            decoded = decoded.saturating_add(i128::from(part) * i128::from(signed(length)));
            let shift = Some(i128::from(shift.cast_signed()));
            let shift = shift.filter(|shift| shift.unsigned_abs() <= most);
            end = end.max(decoded.saturating_add(shift.unwrap_or_default()));
        }
    }
    u128::try_from(end).unwrap_or_default()
}

/// A length of a frame, which is unsigned unless it would be absurd.
pub(super) fn signed(length: u32) -> i64 {
    match length >= SURELY_NEGATIVE {
        true => length.cast_signed().into(),
        false => length.into(),
    }
}

/// So many ticks of a clock.
pub(super) fn nanos(ticks: u128, scale: u32) -> Option<Nanos> {
    let scale = Nanos::from(scale);
    let all = ticks.checked_mul(SECOND)?.checked_add(scale / 2)?;
    all.checked_div(scale)
}

/// The ticks a second and the length of an `mdhd` or `mvhd`; no length if it says nothing.
pub(super) fn clock(body: &[u8]) -> Option<(u32, Option<u64>)> {
    Some(match body.first()? {
        1 => (u32_at(body, 20)?, known_length(u64_at(body, 24)?)),
        _ => (u32_at(body, 12)?, known_short_length(u32_at(body, 16)?)),
    })
}

/// A length of a header. 0 and the greatest number say nothing.
fn known_length(length: u64) -> Option<u64> {
    (!matches!(length, 0 | u64::MAX)).then_some(length)
}

fn known_short_length(length: u32) -> Option<u64> {
    (!matches!(length, 0 | u32::MAX)).then_some(length.into())
}

/// The entries of a list that says in front of them how many there are. The count is believed only as far as there are bytes.
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
        list.is_too_short(problems);
    }
    found
}

pub(super) fn stands_still(clock: &Child<'_>, problems: &mut Problems) {
    let (name, at) = (shown(clock.name), clock.at);
    problems.corrupt(
        Code::WrongValue,
        at,
        format!("the clock in the box `{name}` at byte {at} has 0 ticks a second (timescale 0)"),
    );
}

pub(super) fn missing(name: &str, parent: &Child<'_>, problems: &mut Problems) {
    // What is damaged may be what is missing.
    if problems.has_damage() {
        return;
    }
    let (parent, at) = (shown(parent.name), parent.at);
    problems.corrupt(
        Code::MissingPart,
        at,
        format!("the box `{parent}` at byte {at} lacks its box `{name}`"),
    );
}
