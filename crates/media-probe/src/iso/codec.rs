//! Codecs, and their four-character codes.

use std::fmt;

use serde::{Serialize, Serializer};

use super::boxes::{Name, escape_name};

/// A video codec. `Display` and JSON have the common name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the names are self-explanatory, and `CODECS` has details"
)]
pub enum Codec {
    H264,
    Hevc,
    Vvc,
    Av1,
    Vp8,
    Vp9,
    ProRes,
    ProResRaw,
    DnxHd,
    CineForm,
    Mpeg2,
    Mpeg4,
    H263,
    MotionJpeg,
    Jpeg2000,
    Dv,
    Animation,
    Png,
    Uncompressed,
    /// A codec that this crate does not know; see its [`FourCc`].
    Other,
}

/// The four bytes that identify a codec in a file.
///
/// `Display` and JSON have these bytes as ASCII, with others escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

/// In the order of the enum: the name, and the prefixes of codes in files.
const CODECS: &[(Codec, &str, &[&str])] = &[
    (Codec::H264, "H.264", &["avc", "dva"]),
    (Codec::Hevc, "HEVC", &["hvc", "hev", "dvh1", "dvhe"]),
    (Codec::Vvc, "VVC", &["vvc1", "vvi1"]),
    (Codec::Av1, "AV1", &["av01", "dav1"]),
    (Codec::Vp8, "VP8", &["vp08"]),
    (Codec::Vp9, "VP9", &["vp09"]),
    (
        Codec::ProRes,
        "ProRes",
        &["apcn", "apch", "apcs", "apco", "ap4h", "ap4x"],
    ),
    (Codec::ProResRaw, "ProRes RAW", &["aprn", "aprh"]),
    (Codec::DnxHd, "DNxHD", &["AVdn", "AVdh"]),
    (Codec::CineForm, "CineForm", &["CFHD"]),
    (
        Codec::Mpeg2,
        "MPEG-2",
        &["m2v", "mp2v", "mx", "xdv", "xd5", "hdv", "mpg2"],
    ),
    (
        Codec::Mpeg4,
        "MPEG-4 Part 2",
        &["mp4v", "XVID", "DIVX", "xvid", "divx"],
    ),
    (Codec::H263, "H.263", &["s263", "h263", "H263"]),
    (
        Codec::MotionJpeg,
        "Motion JPEG",
        &["jpeg", "mjpa", "mjpb", "mjpg", "MJPG"],
    ),
    (Codec::Jpeg2000, "JPEG 2000", &["mjp2", "mjpv"]),
    (Codec::Dv, "DV", &["dvc", "dvp", "dv5", "dvh"]),
    (Codec::Animation, "QuickTime Animation", &["rle "]),
    (Codec::Png, "PNG", &["png "]),
    (
        Codec::Uncompressed,
        "uncompressed",
        &[
            "raw ", "2vuy", "yuvs", "v210", "v308", "v408", "v410", "uncv",
        ],
    ),
    (Codec::Other, "another codec", &[]),
];

impl Codec {
    pub(crate) fn from_name(name: Name) -> Self {
        let is_it = |begins: &[&str]| {
            begins
                .iter()
                .any(|begin| name.starts_with(begin.as_bytes()))
        };
        let row = CODECS.iter().find(|(_, _, begins)| is_it(begins));
        row.map_or(Self::Other, |(codec, _, _)| *codec)
    }

    /// The common name.
    pub fn name(self) -> &'static str {
        CODECS[self as usize].1
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape_name(self.0))
    }
}

impl Serialize for Codec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for FourCc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
