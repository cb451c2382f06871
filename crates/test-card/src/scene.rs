//! The layout of a card, and its changes from frame to frame.
//!
//! Positions are in macroblocks. Text is placed to change as few of them as possible per line.

use super::picture::{Colour, Picture};
use super::text::{DIGIT_HEIGHT, DIGIT_WIDTH, Face, Mask, digit, printable, shorten, wrap};
use super::{FRAME_RATE, TestCard};

const PAPER: Colour = Colour::rgb(0x12161D);
const TITLE: Colour = Colour::rgb(0xFFFFFF);
const TEXT: Colour = Colour::rgb(0xE3E8EF);
const MUTED: Colour = Colour::rgb(0x8793A5);
const ACCENT: Colour = Colour::rgb(0x2FD3B6);
const TRACK: Colour = Colour::rgb(0x2A323E);
/// The strip at the left edge, from top to bottom.
const STRIP: [Colour; 5] = [
    ACCENT,
    Colour::rgb(0x3B9CF0),
    Colour::rgb(0x8B6BF2),
    Colour::rgb(0xE5599B),
    Colour::rgb(0xF5A143),
];

const MB: usize = 16;
/// Blank columns on either side. The strip is in the left one.
const MARGIN: usize = 4;
const LINE_PITCH: usize = 2;
const TITLE_ROW: usize = 3;
const NOTE_ROW: usize = 7;
const DETAILS_ROW: usize = 10;
const LABEL_COLUMNS: usize = 10;
const MAX_DETAILS: usize = 6;
const VALUE_COLUMNS: usize = 40;
/// The minimum space for text in every format, in characters.
const TEXT_CHARACTERS: usize = 320;
/// The rows of the progress bar and the clock, from the bottom edge.
const BAR_RISE: usize = 5;
const CLOCK_RISE: usize = 11;

/// The minimum sides, in macroblocks: a column between the margins, and space for the clock.
pub(super) const MIN_WIDTH: u16 = 2 * MARGIN as u16 + 1;
pub(super) const MIN_HEIGHT: u16 = CLOCK_RISE as u16;

/// The offset of a line of body text above its macroblock row, so capitals fill that row.
const BODY_RISE: usize = 4;

/// A card during rendering: the picture, and its moving parts.
pub(super) struct Scene {
    picture: Picture,
    frames: u32,
    bar: Bar,
    clock: Clock,
}

struct Bar {
    row: usize,
    width: usize,
    filled: usize,
}

struct Clock {
    row: usize,
    shown: String,
    glyphs: Vec<(char, Mask)>,
}

impl Scene {
    pub(super) fn new(card: &TestCard) -> Self {
        let wide = usize::from(card.size.mbs_wide);
        let high = usize::from(card.size.mbs_high);
        let mut picture = Picture::new(card.size, PAPER);

        let step = high.div_ceil(STRIP.len());
        for (n, colour) in STRIP.into_iter().enumerate() {
            picture.fill_mbs(0, n * step, 1, step, colour);
        }

        let mut page = Page {
            picture: &mut picture,
            columns: (wide - 2 * MARGIN) * MB / Face::BODY.advance(),
        };
        page.title(&card.title);
        page.note(&card.note);
        let mut row = DETAILS_ROW;
        for (label, value) in card.details.iter().take(MAX_DETAILS) {
            page.detail(row, label, value);
            row += LINE_PITCH;
        }
        row += LINE_PITCH / 2;
        let room = (high - CLOCK_RISE).saturating_sub(row + 1) / LINE_PITCH;
        page.text(row, &card.text, room);

        let clock = Clock {
            row: high - CLOCK_RISE,
            shown: String::new(),
            glyphs: "0123456789:.".chars().map(|c| (c, digit(c))).collect(),
        };
        clock.draw_total(&mut picture, card.seconds);
        let bar = Bar {
            row: high - BAR_RISE,
            width: (wide - 2 * MARGIN) * MB,
            filled: 0,
        };
        picture.fill_mbs(MARGIN, bar.row, wide - 2 * MARGIN, 1, TRACK);
        Self {
            picture,
            frames: card.seconds * FRAME_RATE,
            bar,
            clock,
        }
    }

    /// The picture of frame `n`. Frames are requested in order.
    pub(super) fn frame(&mut self, n: u32) -> &Picture {
        self.clock.draw_time(&mut self.picture, n);
        self.bar.fill_to(&mut self.picture, n + 1, self.frames);
        &self.picture
    }
}

impl Bar {
    fn fill_to(&mut self, picture: &mut Picture, done: u32, total: u32) {
        // Even, because a chroma sample must not span the edge.
        let filled = (self.width * done as usize / total.max(1) as usize) & !1;
        let x = MARGIN * MB + self.filled;
        let added = filled.saturating_sub(self.filled);
        picture.fill(x, self.row * MB, added, MB, ACCENT);
        self.filled = filled;
    }
}

impl Clock {
    /// Draws the start time of frame `n` to a tenth of a second. Redraws only the changed characters.
    fn draw_time(&mut self, picture: &mut Picture, n: u32) {
        let tenths = n * 10 / FRAME_RATE;
        let now = format!(
            "{:02}:{:02}.{}",
            tenths / 600,
            tenths / 10 % 60,
            tenths % 10
        );
        let before = self.shown.chars().map(Some).chain(std::iter::repeat(None));
        for (place, (new, old)) in now.chars().zip(before).enumerate() {
            if Some(new) == old {
                continue;
            }
            let wide = DIGIT_WIDTH / MB;
            let x = MARGIN + place * wide;
            picture.fill_mbs(x, self.row, wide, DIGIT_HEIGHT / MB, PAPER);
            if let Some((_, mask)) = self.glyphs.iter().find(|(c, _)| *c == new) {
                picture.stamp(mask, x * MB, self.row * MB, TITLE, PAPER);
            }
        }
        self.shown = now;
    }

    fn draw_total(&self, picture: &mut Picture, seconds: u32) {
        let x = (MARGIN + 7 * DIGIT_WIDTH / MB + 1) * MB;
        let y = (self.row + DIGIT_HEIGHT / MB - 1) * MB - BODY_RISE;
        let text = format!("/ {:02}:{:02}.0", seconds / 60, seconds % 60);
        picture.stamp(&Mask::line(&text, Face::BODY), x, y, MUTED, PAPER);
    }
}

/// Draws the static part of the card.
struct Page<'a> {
    picture: &'a mut Picture,
    /// The number of body characters in a line.
    columns: usize,
}

impl Page<'_> {
    fn title(&mut self, text: &str) {
        // Enlarged by 1¾ from the top of an ascender on, which fills exactly two rows of macroblocks.
        let enlarged = |width: usize| width * 7 / 4;
        let room = self.columns * Face::BODY.advance() / enlarged(Face::LARGE.advance());
        let mask = Mask::line(&shorten(&printable(text), room), Face::LARGE);
        let mask = mask.enlarge(7, 24, enlarged(mask.width()), 42);
        self.picture
            .stamp(&mask, MARGIN * MB, TITLE_ROW * MB, TITLE, PAPER);
    }

    fn note(&mut self, text: &str) {
        let text = shorten(&printable(text), self.columns);
        self.line(NOTE_ROW, 0, &text, MUTED);
    }

    fn line(&mut self, row: usize, indent: usize, text: &str, ink: Colour) {
        // An odd number of columns is an odd number of pixels, where a stamp cannot start.
        let x = (MARGIN * MB + indent * Face::BODY.advance()) & !1;
        let mask = Mask::line(text, Face::BODY);
        self.picture
            .stamp(&mask, x, row * MB - BODY_RISE, ink, PAPER);
    }

    fn detail(&mut self, row: usize, label: &str, value: &str) {
        let label = shorten(&printable(label), LABEL_COLUMNS - 1);
        self.line(row, 0, &label, MUTED);
        let room = VALUE_COLUMNS.min(self.columns.saturating_sub(LABEL_COLUMNS));
        let value = shorten(&printable(value), room);
        self.line(row, LABEL_COLUMNS, &value, TEXT);
    }

    fn text(&mut self, row: usize, text: &str, room: usize) {
        let max_lines = room.min(TEXT_CHARACTERS / self.columns);
        let lines = wrap(&printable(text), self.columns, max_lines);
        for (n, line) in lines.iter().enumerate() {
            self.line(row + n * LINE_PITCH, 0, line, TEXT);
        }
    }
}
