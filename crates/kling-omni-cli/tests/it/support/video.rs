use std::path::Path;

use mp4_atom::{Any, DecodeMaybe, Ftyp, Moov};

/// The smallest file that passes for an MP4.
pub const SMALLEST: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x08moov\0\0\0\x08mdat";

/// What an MP4 file says of itself.
#[derive(Debug, PartialEq)]
pub struct Facts {
    pub seconds: f64,
    pub width: u16,
    pub height: u16,
}

/// Reads a video, which has to begin with `ftyp` and to hold a `moov`.
#[track_caller]
pub fn facts(path: &Path) -> Facts {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut boxes = Vec::new();
    while let Some(next) = Any::decode_maybe(&mut rest).unwrap() {
        boxes.push(next);
    }
    assert!(
        matches!(boxes[0], Any::Ftyp(Ftyp { .. })),
        "no ftyp at the start"
    );
    let moov: &Moov = boxes
        .iter()
        .find_map(|next| match next {
            Any::Moov(moov) => Some(moov),
            _ => None,
        })
        .unwrap();
    let track = &moov.trak[0].tkhd;
    Facts {
        seconds: moov.mvhd.duration as f64 / f64::from(moov.mvhd.timescale),
        width: track.width.integer(),
        height: track.height.integer(),
    }
}
