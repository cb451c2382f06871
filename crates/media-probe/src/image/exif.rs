//! The orientation in a block of EXIF.

use crate::media_info::Orientation;

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// The orientation in a block in the form of TIFF: that of its first directory, if it has a valid one.
pub(super) fn orientation(block: &[u8]) -> Option<Orientation> {
    let is_little = match block.first_chunk()? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |bytes: [u8; 2]| match is_little {
        true => u16::from_le_bytes(bytes),
        false => u16::from_be_bytes(bytes),
    };
    let &[_, _, a, b, c, d, e, f, ..] = block else {
        return None;
    };
    if short([a, b]) != 42 {
        return None;
    }
    let offset = match is_little {
        true => u32::from_le_bytes([c, d, e, f]),
        false => u32::from_be_bytes([c, d, e, f]),
    };
    let directory = block.get(usize::try_from(offset).ok()?..)?;
    let (count, entries) = directory.split_first_chunk()?;
    let mut entries = entries.chunks_exact(12).take(short(*count).into());
    let entry = entries.find(|entry| short([entry[0], entry[1]]) == ORIENTATION)?;
    let (kind, value) = (short([entry[2], entry[3]]), short([entry[8], entry[9]]));
    (kind == SHORT).then(|| Orientation::new(value)).flatten()
}
