//! A track: what it shows, how, and how long.

use super::boxes::{Child, Name, i32_at, shown, u32_at, u64_at};
use super::edits::{Edits, Length, Media};
use super::entry::Entry;
use super::timing::Timing;
use crate::probed::Rotation;
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
    pub(super) timing: Timing,
    /// When the last frame ends, in ticks.
    end: u128,
    pub(super) entry: Option<Entry>,
    edits: Option<Edits<'a>>,
}

/// The linear part of a transformation, 65536 meaning 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Matrix {
    a: i64,
    b: i64,
    c: i64,
    d: i64,
}

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

    fn read_header(&mut self, body: &[u8]) -> Option<()> {
        let is_long = *body.first()? == 1;
        let (id, matrix) = if is_long { (20, 52) } else { (12, 40) };
        self.is_enabled = body.get(3)? & 1 == 1;
        self.id = u32_at(body, id)?;
        self.matrix = Matrix::read(body, matrix)?;
        self.header_size = Some((u32_at(body, matrix + 36)?, u32_at(body, matrix + 40)?));
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
        let (mut lengths, mut shifts): (&[u8], &[u8]) = (&[], &[]);
        let mut children = table.children(problems);
        while let Some((child, problems)) = children.next() {
            match &child.name {
                // The handler comes before.
                b"stsd" if self.is_video() => self.entry = Entry::read(&child, problems),
                b"stts" => lengths = counted(&child, RUN, problems).unwrap_or_default(),
                b"ctts" => shifts = counted(&child, RUN, problems).unwrap_or_default(),
                _ => {}
            }
        }
        self.timing = Timing::default();
        for (count, length) in runs(lengths) {
            self.timing.push(count, length);
        }
        self.end = end(lengths, shifts);
    }

    /// How long the track is, on a movie with a clock of so many ticks. None if nothing says it.
    pub(super) fn length(&self, movie_scale: Option<u32>) -> Option<Length> {
        // What the frames say counts more than what the media claim.
        let claimed = self.claimed.map(u128::from);
        let ticks = Some(self.timing.ticks)
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

/// The runs of a list: how many frames have the same value, and that value.
fn runs(list: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    list.chunks_exact(RUN)
        .filter_map(|run| u32_at(run, 0).zip(u32_at(run, 4)))
}

/// When the frame ends that is shown last, given how long frames are and by how much they are shown later than decoded.
fn end(lengths: &[u8], shifts: &[u8]) -> u128 {
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
            decoded = decoded.saturating_add(i128::from(part) * i128::from(length));
            end = end.max(decoded.saturating_add(shift.cast_signed().into()));
        }
    }
    u128::try_from(end).unwrap_or_default()
}

/// So many ticks of a clock.
pub(super) fn nanos(ticks: u128, scale: u32) -> Option<Nanos> {
    let scale = Nanos::from(scale);
    let all = ticks.checked_mul(SECOND)?.checked_add(scale / 2)?;
    all.checked_div(scale)
}

/// The ticks a second and the length of an `mdhd` or `mvhd`; no length if it says 0 or nothing.
pub(super) fn clock(body: &[u8]) -> Option<(u32, Option<u64>)> {
    let (scale, length) = match body.first()? {
        1 => (u32_at(body, 20)?, u64_at(body, 24)?),
        _ => {
            let length = u32_at(body, 16)?;
            let is_unknown = length == u32::MAX;
            (
                u32_at(body, 12)?,
                if is_unknown { 0 } else { length.into() },
            )
        }
    };
    let is_known = length != 0 && length != u64::MAX;
    Some((scale, is_known.then_some(length)))
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
    problems.broken(
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
    problems.broken(
        Code::MissingPart,
        at,
        format!("the box `{parent}` at byte {at} lacks its box `{name}`"),
    );
}
