//! Videos and images that are what a test wants them to be, without pictures in them.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::clip::boxed;

/// A video.
#[derive(Clone, Copy, Debug)]
pub struct Film {
    /// Width and height in pixels.
    pub size: (u16, u16),
    /// Frames.
    pub frames: u32,
    /// Ticks of a frame.
    pub ticks: u32,
    /// Ticks of a second.
    pub clock: u32,
    /// Bytes of pictures.
    pub media: usize,
}

impl Film {
    /// What every route takes: five seconds of 1280 × 720 at 30 frames a second.
    pub const GOOD: Self = Self {
        size: (1280, 720),
        frames: 150,
        ticks: 1,
        clock: 30,
        media: 64,
    };

    /// So many whole and thousandth seconds, in frames of a thousandth.
    pub fn lasting(self, milliseconds: u32) -> Self {
        Self {
            frames: milliseconds / 40,
            ticks: 40,
            clock: 1000,
            ..self
        }
    }

    /// So many frames in so many seconds, for five seconds or so.
    pub fn at_rate(self, frames: u32, seconds: u32) -> Self {
        Self {
            frames: frames * 5 / seconds,
            ticks: seconds,
            clock: frames,
            ..self
        }
    }

    /// Of this size.
    pub fn sized(self, width: u16, height: u16) -> Self {
        Self {
            size: (width, height),
            ..self
        }
    }

    /// As an MP4.
    pub fn mp4(self) -> Vec<u8> {
        let mut file = self.head();
        file.resize(file.len() + self.media, 0);
        file
    }

    /// As an MP4 on disk, which takes no room there however long it is.
    pub fn save(self, path: &Path) -> io::Result<()> {
        let head = self.head();
        fs::write(path, &head)?;
        let file = File::options().write(true).open(path)?;
        file.set_len((head.len() + self.media) as u64)
    }

    /// As an MP4 whose index stands behind the pictures: what comes before these, and what after.
    pub fn index_last(self) -> (Vec<u8>, Vec<u8>) {
        let [ftyp, moov, mdat] = self.boxes();
        ([ftyp, mdat].concat(), moov)
    }

    /// Everything but the pictures.
    fn head(self) -> Vec<u8> {
        self.boxes().concat()
    }

    /// The three boxes, of the last one the beginning.
    fn boxes(self) -> [Vec<u8>; 3] {
        let (width, height) = self.size;
        let ticks = self.frames * self.ticks;
        let per_frame = u32::try_from(self.media).unwrap() / self.frames.max(1);
        let matrix = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];
        let ftyp = boxed(b"ftyp", b"isom\0\0\0\0isom");
        let mvhd = words(&[0, 0, 0, self.clock, ticks, 0x0001_0000, 0x0100_0000, 0, 0]);
        let mvhd = [mvhd, words(&matrix), words(&[0; 6]), words(&[2])].concat();
        let tkhd = words(&[3, 0, 0, 1, 0, ticks, 0, 0, 0, 0]);
        let sides = [u32::from(width) << 16, u32::from(height) << 16];
        let tkhd = [tkhd, words(&matrix), words(&sides)].concat();
        let mdhd = words(&[0, 0, 0, self.clock, ticks, 0x55c4_0000]);
        let hdlr = [words(&[0, 0]), b"vide".to_vec(), vec![0; 13]].concat();
        let entry = [
            words(&[0, 1, 0, 0, 0, 0]),
            [width.to_be_bytes(), height.to_be_bytes()].concat(),
            words(&[0x0048_0000, 0x0048_0000, 0, 0x0001_0000]),
            vec![0; 30],
            vec![0, 24, 0xff, 0xff],
        ]
        .concat();
        let stsd = [words(&[0, 1]), boxed(b"avc1", &entry)].concat();
        let tables = [
            boxed(b"stsd", &stsd),
            boxed(b"stts", &words(&[0, 1, self.frames, self.ticks])),
            boxed(b"stsc", &words(&[0, 1, 1, self.frames, 1])),
            boxed(b"stsz", &words(&[0, per_frame, self.frames])),
            boxed(b"stco", &words(&[0, 1, 0])),
        ]
        .concat();
        let minf = boxed(b"minf", &boxed(b"stbl", &tables));
        let mdia = [boxed(b"mdhd", &mdhd), boxed(b"hdlr", &hdlr), minf].concat();
        let trak = [boxed(b"tkhd", &tkhd), boxed(b"mdia", &mdia)].concat();
        let moov = [boxed(b"mvhd", &mvhd), boxed(b"trak", &trak)].concat();
        let mdat = u32::try_from(8 + self.media).unwrap();
        let mdat = [&mdat.to_be_bytes(), b"mdat".as_slice()].concat();
        [ftyp, boxed(b"moov", &moov), mdat]
    }
}

/// A PNG of this size that cannot be decoded.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let header = [words(&[width, height]), vec![8, 2, 0, 0, 0]].concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &[0; 16]),
        // Whose checksum is always the same.
        b"\0\0\0\0IEND\xaeB`\x82".to_vec(),
    ]
    .concat()
}

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    [&length.to_be_bytes(), name.as_slice(), content, &[0; 4]].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}
