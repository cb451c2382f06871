use super::{ImageReader, Seen, exif};
use crate::problem::{Code, Problems};

/// Where the first chunk begins: behind the signature.
pub(super) const FIRST: u64 = 8;
/// The name of the last chunk, and its checksum, which is always the same.
pub(super) const END: &[u8] = b"IEND\xae\x42\x60\x82";

/// Around the content of a chunk: length and name before it, a checksum behind it.
const FRAME: u64 = 12;
const MOST_EXIF: u64 = 1 << 20;

impl ImageReader {
    pub(super) fn png_chunk(&mut self, rest: &[u8], problems: &mut Problems) -> Seen {
        let Some((&[a, b, c, d, ref name @ ..], content)) = rest.split_first_chunk::<8>() else {
            return Seen::More(8);
        };
        let length = u32::from_be_bytes([a, b, c, d]);
        let end = self.at + FRAME + u64::from(length);
        match name {
            b"IHDR" if self.at == FIRST => {
                let &[a, b, c, d, e, f, g, h, ..] = content else {
                    return Seen::More(16);
                };
                let [width, height] = [[a, b, c, d], [e, f, g, h]].map(u32::from_be_bytes);
                self.sized(width, height, end, problems)
            }
            _ if self.at == FIRST => {
                self.lacks("it does not begin with its header `IHDR`", problems)
            }
            b"IDAT" => Seen::Pixels,
            b"IEND" => self.lacks(
                "it ends without a chunk `IDAT`, so without pixels",
                problems,
            ),
            b"eXIf" if u64::from(length) <= MOST_EXIF => {
                let Some(block) = content.get(..length as usize) else {
                    return Seen::More(8 + u64::from(length));
                };
                self.orientation = exif::orientation(block);
                Seen::Segment(end)
            }
            _ => Seen::Segment(end),
        }
    }

    fn lacks(&self, what: &str, problems: &mut Problems) -> Seen {
        problems.corrupt(
            Code::MissingPart,
            self.at,
            format!("the PNG is damaged at byte {}: {what}", self.at),
        );
        Seen::Lost
    }
}
