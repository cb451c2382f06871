//! An 8-bit 4:2:0 picture, stored by macroblock in the order of I_PCM.

use super::FrameSize;
use super::text::Mask;

const LUMA: usize = 256;
const CHROMA: usize = 64;

/// The samples of one macroblock: 16×16 luma, then 8×8 Cb, then 8×8 Cr.
pub(super) type Samples = [u8; LUMA + 2 * CHROMA];

/// A colour in limited-range BT.709.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour {
    y: u8,
    cb: u8,
    cr: u8,
}

impl Colour {
    /// A colour from `0xRRGGBB`.
    pub(super) const fn rgb(hex: u32) -> Self {
        let r = (hex >> 16 & 0xFF) as i32;
        let g = (hex >> 8 & 0xFF) as i32;
        let b = (hex & 0xFF) as i32;
        // With 8 fractional bits the sums stay within 16..=235 and 16..=240.
        Self {
            y: (16 + ((47 * r + 157 * g + 16 * b + 128) >> 8)) as u8,
            cb: (128 + ((-26 * r - 86 * g + 112 * b + 128) >> 8)) as u8,
            cr: (128 + ((112 * r - 102 * g - 10 * b + 128) >> 8)) as u8,
        }
    }
}

/// Read access to the planes of a macroblock.
#[derive(Clone, Copy)]
pub(super) struct Macroblock<'a>(pub(super) &'a Samples);

impl<'a> Macroblock<'a> {
    pub(super) fn luma(self) -> &'a [u8] {
        &self.0[..LUMA]
    }

    pub(super) fn cb(self) -> &'a [u8] {
        &self.0[LUMA..LUMA + CHROMA]
    }

    pub(super) fn cr(self) -> &'a [u8] {
        &self.0[LUMA + CHROMA..]
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    mbs_wide: usize,
    mbs: Vec<Samples>,
}

impl Picture {
    pub(super) fn new(size: FrameSize, paper: Colour) -> Self {
        let mbs_wide = usize::from(size.mbs_wide);
        Self {
            mbs_wide,
            mbs: vec![flat(paper); mbs_wide * usize::from(size.mbs_high)],
        }
    }

    /// The macroblocks in raster order.
    pub(super) fn mbs(&self) -> &[Samples] {
        &self.mbs
    }

    pub(super) fn mbs_mut(&mut self) -> &mut [Samples] {
        &mut self.mbs
    }

    pub(super) fn mbs_wide(&self) -> usize {
        self.mbs_wide
    }

    /// Fills a rectangle of macroblocks; coordinates and sizes are in macroblocks.
    pub(super) fn fill_mbs(&mut self, x: usize, y: usize, wide: usize, high: usize, ink: Colour) {
        let columns = x.min(self.mbs_wide)..(x + wide).min(self.mbs_wide);
        for row in self.mbs.chunks_exact_mut(self.mbs_wide).skip(y).take(high) {
            row[columns.clone()].fill(flat(ink));
        }
    }

    /// Fills a rectangle of pixels; all four numbers are even.
    pub(super) fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, ink: Colour) {
        for cy in y / 2..(y + height) / 2 {
            for cx in x / 2..(x + width) / 2 {
                self.set_quad(cx, cy, [ink.y; 4], ink.cb, ink.cr);
            }
        }
    }

    /// Draws a mask in `ink` on `paper` with its corner at even `x`, `y`. Uncovered pixels do not change; parts outside
    /// of the picture are dropped.
    pub(super) fn stamp(&mut self, mask: &Mask, x: usize, y: usize, ink: Colour, paper: Colour) {
        for qy in 0..mask.height().div_ceil(2) {
            for qx in 0..mask.width().div_ceil(2) {
                let cover = mask.quad(qx, qy);
                if cover == [0; 4] {
                    continue;
                }
                let mean = cover.iter().map(|&c| u32::from(c)).sum::<u32>().div_ceil(4);
                let luma = cover.map(|c| mix(paper.y, ink.y, u32::from(c)));
                let cb = mix(paper.cb, ink.cb, mean);
                let cr = mix(paper.cr, ink.cr, mean);
                self.set_quad(x / 2 + qx, y / 2 + qy, luma, cb, cr);
            }
        }
    }

    /// Sets the 2×2 luma samples of the chroma sample (`cx`, `cy`).
    fn set_quad(&mut self, cx: usize, cy: usize, luma: [u8; 4], cb: u8, cr: u8) {
        let (mb_x, mb_y) = (cx / 8, cy / 8);
        if mb_x >= self.mbs_wide {
            return;
        }
        let Some(mb) = self.mbs.get_mut(mb_y * self.mbs_wide + mb_x) else {
            return;
        };
        let (x, y) = (cx % 8, cy % 8);
        let top = y * 32 + x * 2;
        mb[top] = luma[0];
        mb[top + 1] = luma[1];
        mb[top + 16] = luma[2];
        mb[top + 17] = luma[3];
        mb[LUMA + y * 8 + x] = cb;
        mb[LUMA + CHROMA + y * 8 + x] = cr;
    }
}

fn flat(ink: Colour) -> Samples {
    let mut samples = [ink.y; LUMA + 2 * CHROMA];
    samples[LUMA..LUMA + CHROMA].fill(ink.cb);
    samples[LUMA + CHROMA..].fill(ink.cr);
    samples
}

/// Blends two values: `cover` 255 is `ink`, 0 is `paper`.
fn mix(paper: u8, ink: u8, cover: u32) -> u8 {
    ((u32::from(paper) * (255 - cover) + u32::from(ink) * cover + 127) / 255) as u8
}
