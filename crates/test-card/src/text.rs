//! Text as coverage masks, in one font.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

/// The maximum number of processed characters; no card has space for more.
const MAX_CHARACTERS: usize = 2000;
const ELLIPSIS: &str = "...";

/// Multiples of macroblocks, so a changed digit does not affect its neighbours.
pub(super) const DIGIT_WIDTH: usize = 48;
pub(super) const DIGIT_HEIGHT: usize = 64;

/// A weight and a size of the font.
#[derive(Clone, Copy)]
pub(super) struct Face {
    weight: FontWeight,
    size: RasterHeight,
}

impl Face {
    pub(super) const BODY: Self = Self {
        weight: FontWeight::Regular,
        size: RasterHeight::Size24,
    };
    pub(super) const LARGE: Self = Self {
        weight: FontWeight::Bold,
        size: RasterHeight::Size32,
    };

    /// The width of a character in pixels.
    pub(super) fn advance(self) -> usize {
        get_raster_width(self.weight, self.size)
    }
}

/// Coverage of pixels, 0 to 255.
pub(super) struct Mask {
    width: usize,
    height: usize,
    coverage: Vec<u8>,
}

impl Mask {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            coverage: vec![0; width * height],
        }
    }

    /// Draws one line of [`printable`] text.
    pub(super) fn line(text: &str, face: Face) -> Self {
        let advance = face.advance();
        let mut mask = Self::new(text.chars().count() * advance, face.size.val());
        for (column, c) in text.chars().enumerate() {
            let Some(glyph) = get_raster(c, face.weight, face.size) else {
                continue;
            };
            for (y, row) in glyph.rows().enumerate() {
                let start = y * mask.width + column * advance;
                mask.coverage[start..start + advance].copy_from_slice(row);
            }
        }
        mask
    }

    /// Scales `rows` rows of the mask, from `first_row` on, smoothly to `width`×`height`.
    pub(super) fn enlarge(
        &self,
        first_row: usize,
        rows: usize,
        width: usize,
        height: usize,
    ) -> Self {
        let mut mask = Self::new(width, height);
        // Scaling blurs edges; a steeper slope around the midpoint sharpens them.
        let steep = |value: usize| {
            let off_centre = (value as i32 - 128) * (height * 4) as i32 / (rows * 5) as i32;
            (off_centre + 128).clamp(0, 255) as u8
        };
        // Sample positions are pixel centres, in units of half a pixel of the scaled mask.
        let (unit_x, unit_y) = (2 * width, 2 * height);
        for y in 0..height {
            let from_y = ((2 * y + 1) * rows + first_row * unit_y).saturating_sub(height);
            let (row, down) = (from_y / unit_y, from_y % unit_y);
            for x in 0..width {
                let from_x = ((2 * x + 1) * self.width).saturating_sub(width);
                let (column, right) = (from_x / unit_x, from_x % unit_x);
                let across = |row| {
                    usize::from(self.at(column, row)) * (unit_x - right)
                        + usize::from(self.at(column + 1, row)) * right
                };
                let sum = across(row) * (unit_y - down) + across(row + 1) * down;
                mask.coverage[y * width + x] = steep(sum / (unit_x * unit_y));
            }
        }
        mask
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    fn at(&self, x: usize, y: usize) -> u8 {
        if x < self.width && y < self.height {
            self.coverage[y * self.width + x]
        } else {
            0
        }
    }

    /// The coverage of the 2×2 pixels at (2`x`, 2`y`), row by row.
    pub(super) fn quad(&self, x: usize, y: usize) -> [u8; 4] {
        let (x, y) = (2 * x, 2 * y);
        [
            self.at(x, y),
            self.at(x + 1, y),
            self.at(x, y + 1),
            self.at(x + 1, y + 1),
        ]
    }
}

/// A digit, colon or point of the clock.
pub(super) fn digit(c: char) -> Mask {
    Mask::line(c.encode_utf8(&mut [0; 4]), Face::LARGE).enlarge(8, 17, DIGIT_WIDTH, DIGIT_HEIGHT)
}

/// Reduces text to single-spaced characters of the font.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(MAX_CHARACTERS) {
        if c.is_whitespace() || c.is_control() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
            continue;
        }
        match c {
            '\u{2018}' | '\u{2019}' => out.push('\''),
            '\u{201C}' | '\u{201D}' => out.push('"'),
            '\u{2010}'..='\u{2015}' => out.push('-'),
            '\u{2026}' => out.push_str(ELLIPSIS),
            // Marks, joiners, direction controls and variation selectors have no width.
            '\u{AD}' | '\u{300}'..='\u{36F}' | '\u{200B}'..='\u{200F}' => {}
            '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' => {}
            '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{1F3FB}'..='\u{1F3FF}' => {}
            c if get_raster(c, Face::BODY.weight, Face::BODY.size).is_some() => out.push(c),
            _ => out.push('?'),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Wraps [`printable`] text into at most `max_lines` lines of at most `columns` characters.
pub(super) fn wrap(text: &str, columns: usize, max_lines: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let word: Vec<char> = word.chars().collect();
        let used = line.chars().count();
        if used > 0 && used + 1 + word.len() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        // A word longer than a line is split; its last part stays open for the next word.
        for piece in word.chunks(columns) {
            if piece.len() + line.chars().count() > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.extend(piece);
        }
    }
    lines.push(line);
    if lines.len() > max_lines {
        lines.truncate(max_lines);
        if let Some(last) = lines.last_mut() {
            last.push_str(ELLIPSIS);
            *last = shorten(last, columns);
        }
    }
    lines
}

/// Truncates text to `columns` characters, with an ellipsis if necessary.
pub(super) fn shorten(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text
        .chars()
        .take(columns.saturating_sub(ELLIPSIS.len()))
        .collect();
    kept.trim_end().to_owned() + ELLIPSIS
}
