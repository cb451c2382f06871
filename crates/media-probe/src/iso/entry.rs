//! The sample description of a track.

use super::boxes::{Child, Children, Name, u16_at, u32_at};
use crate::media_info::Size;
use crate::problem::Problems;

/// The first sample entry of a video track.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) is_encrypted: bool,
    /// `None` if it is 0.
    pub(super) coded: Option<Size>,
    /// The clean aperture, or the coded size without one.
    aperture: Option<Size>,
    /// The width and height of a pixel.
    pixel: Option<(u32, u32)>,
}

/// The offset of the boxes in a sample entry, after the fields of all video entries.
const BOXES: usize = 78;
/// Pixels with a larger aspect ratio are an error of the writer.
const MAX_PIXEL_ASPECT: u32 = 100;

impl Entry {
    /// Reads the first entry of an `stsd`.
    pub(super) fn read(list: &Child<'_>, problems: &mut Problems) -> Option<Self> {
        let Some(entries) = list.body.get(8..) else {
            list.report_too_short(problems);
            return None;
        };
        let entries = Children::new(entries, list.body_at + 8, problems);
        let (entry, problems) = entries.first()?;
        let sides = u16_at(entry.body, 24).zip(u16_at(entry.body, 26));
        let (Some((width, height)), Some(boxes)) = (sides, entry.body.get(BOXES..)) else {
            entry.report_too_short(problems);
            return None;
        };
        let coded = (width > 0 && height > 0).then(|| Size {
            width: width.into(),
            height: height.into(),
        });
        let mut all = Self {
            name: entry.name,
            is_encrypted: entry.name == *b"encv",
            coded,
            aperture: coded,
            pixel: None,
        };
        let boxes_at = entry.body_at + BOXES as u64;
        let mut boxes = Children::new(boxes, boxes_at, problems);
        while let Some((child, problems)) = boxes.next() {
            match &child.name {
                b"pasp" => all.pixel = pixel(child.body),
                b"clap" => all.aperture = aperture(child.body, coded),
                b"sinf" if all.is_encrypted => {
                    let mut parts = child.children(problems);
                    while let Some((part, _)) = parts.next() {
                        if let (b"frma", Some(name)) = (&part.name, part.body.first_chunk()) {
                            all.name = *name;
                        }
                    }
                }
                _ => {}
            }
        }
        Some(all)
    }

    /// The display size before rotation. `header` is the size in the track header, in units of 1/65536. Only its aspect
    /// ratio is used, and only if the entry has no pixel aspect ratio.
    pub(super) fn display(&self, header: Option<(u32, u32)>) -> Option<Size> {
        let size = self.aperture?;
        let is_cut = self.aperture != self.coded;
        let (numerator, denominator) = match (self.pixel, header) {
            (Some((width, height)), _) => {
                (u64::from(size.width) * u64::from(width), u64::from(height))
            }
            (None, Some((width, height))) if !is_cut && width > 0 && height > 0 => {
                (u64::from(size.height) * u64::from(width), u64::from(height))
            }
            _ => return Some(size),
        };
        let width = (numerator + denominator / 2) / denominator;
        match u32::try_from(width) {
            Ok(width @ 1..) if width / MAX_PIXEL_ASPECT <= size.width => {
                Some(Size { width, ..size })
            }
            _ => Some(size),
        }
    }
}

fn pixel(body: &[u8]) -> Option<(u32, u32)> {
    let (width, height) = (u32_at(body, 0)?, u32_at(body, 4)?);
    let is_sane = width > 0
        && height > 0
        && width / MAX_PIXEL_ASPECT <= height
        && height / MAX_PIXEL_ASPECT <= width;
    is_sane.then_some((width, height))
}

/// The clean aperture if it is valid, otherwise the coded size.
fn aperture(body: &[u8], coded: Option<Size>) -> Option<Size> {
    let coded = coded?;
    let side = |at: usize, most: u32| {
        let (numerator, denominator) = (u32_at(body, at)?, u32_at(body, at + 4)?);
        let side =
            (u64::from(numerator) + u64::from(denominator) / 2).checked_div(denominator.into())?;
        u32::try_from(side)
            .ok()
            .filter(|side| (1..=most).contains(side))
    };
    match side(0, coded.width).zip(side(8, coded.height)) {
        Some((width, height)) => Some(Size { width, height }),
        None => Some(coded),
    }
}
