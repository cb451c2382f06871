//! File formats: names, extensions, content types, and mismatches.

use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

/// A file format.
///
/// `Display` writes the common name; JSON has the [id](Self::id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the names are self-explanatory, and `FORMATS` has details"
)]
pub enum Format {
    Mp4,
    Mov,
    ThreeGp,
    M4a,
    WebM,
    Matroska,
    Avi,
    MpegTs,
    MpegPs,
    Flv,
    Wmv,
    Ogg,
    Jpeg,
    Png,
    WebP,
    Gif,
    Heic,
    Avif,
    Bmp,
    Tiff,
    JpegXl,
    Jpeg2000,
    CanonRaw,
    Psd,
    Svg,
    Wav,
    Mp3,
    Flac,
    Pdf,
    Zip,
    Html,
    Xml,
    Json,
    Text,
}

/// The kind of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Video; a file may still contain only audio.
    Video,
    /// Still images; some formats support animation.
    Image,
    /// Audio only.
    Audio,
    /// Other formats.
    Other,
}

/// A name or a header that declares another format than the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mismatch {
    /// The declared format.
    pub declared: Format,
    /// The format of the content.
    pub found: Format,
}

struct Row {
    format: Format,
    kind: Kind,
    id: &'static str,
    name: &'static str,
    extensions: &'static [&'static str],
    content_types: &'static [&'static str],
}

macro_rules! formats {
    ($($format:ident $kind:ident $id:literal $name:literal [$($extension:literal)*] [$($content_type:literal)*];)*) => {
        &[$(Row {
            format: Format::$format,
            kind: Kind::$kind,
            id: $id,
            name: $name,
            extensions: &[$($extension),*],
            content_types: &[$($content_type),*],
        }),*]
    };
}

/// In the order of the enum.
const FORMATS: &[Row] = formats! {
    Mp4 Video "mp4" "MP4" ["mp4" "m4v"] ["video/mp4" "video/x-m4v"];
    Mov Video "mov" "QuickTime (MOV)" ["mov" "qt"] ["video/quicktime"];
    ThreeGp Video "3gp" "3GP" ["3gp" "3g2"] ["video/3gpp" "video/3gpp2"];
    M4a Audio "m4a" "MP4 audio (M4A)" ["m4a" "m4b"] ["audio/mp4" "audio/x-m4a"];
    WebM Video "webm" "WebM" ["webm"] ["video/webm" "audio/webm"];
    Matroska Video "matroska" "Matroska (MKV)" ["mkv" "mka"] ["video/x-matroska" "video/matroska"];
    Avi Video "avi" "AVI" ["avi"] ["video/x-msvideo" "video/avi" "video/vnd.avi"];
    MpegTs Video "mpeg_ts" "MPEG transport stream" ["m2ts" "mts"] ["video/mp2t"];
    MpegPs Video "mpeg_ps" "MPEG program stream" ["mpg" "mpeg" "vob"] ["video/mpeg"];
    Flv Video "flv" "Flash video" ["flv"] ["video/x-flv"];
    Wmv Video "wmv" "Windows Media" ["wmv" "asf" "wma"] ["video/x-ms-wmv" "video/x-ms-asf" "audio/x-ms-wma"];
    Ogg Video "ogg" "Ogg" ["ogv" "ogg" "oga" "opus"] ["video/ogg" "audio/ogg" "application/ogg"];
    Jpeg Image "jpeg" "JPEG" ["jpg" "jpeg" "jpe" "jfif"] ["image/jpeg" "image/jpg" "image/pjpeg"];
    Png Image "png" "PNG" ["png" "apng"] ["image/png" "image/apng"];
    WebP Image "webp" "WebP" ["webp"] ["image/webp"];
    Gif Image "gif" "GIF" ["gif"] ["image/gif"];
    Heic Image "heic" "HEIC" ["heic" "heif" "hif"] ["image/heic" "image/heif"];
    Avif Image "avif" "AVIF" ["avif"] ["image/avif"];
    Bmp Image "bmp" "BMP" ["bmp"] ["image/bmp" "image/x-ms-bmp"];
    Tiff Image "tiff" "TIFF" ["tif" "tiff"] ["image/tiff"];
    JpegXl Image "jpeg_xl" "JPEG XL" ["jxl"] ["image/jxl"];
    Jpeg2000 Image "jpeg_2000" "JPEG 2000" ["jp2" "j2k" "jpx"] ["image/jp2" "image/jpx"];
    CanonRaw Image "canon_raw" "Canon raw (CR3)" ["cr3"] ["image/x-canon-cr3"];
    Psd Image "psd" "Photoshop" ["psd" "psb"] ["image/vnd.adobe.photoshop"];
    Svg Image "svg" "SVG" ["svg"] ["image/svg+xml"];
    Wav Audio "wav" "WAV" ["wav"] ["audio/wav" "audio/x-wav" "audio/vnd.wave"];
    Mp3 Audio "mp3" "MP3" ["mp3"] ["audio/mpeg" "audio/mp3"];
    Flac Audio "flac" "FLAC" ["flac"] ["audio/flac" "audio/x-flac"];
    Pdf Other "pdf" "PDF" ["pdf"] ["application/pdf"];
    Zip Other "zip" "a ZIP archive" ["zip"] ["application/zip"];
    Html Other "html" "a web page (HTML)" ["html" "htm"] ["text/html" "application/xhtml+xml"];
    Xml Other "xml" "XML" ["xml"] ["application/xml" "text/xml"];
    Json Other "json" "JSON" ["json"] ["application/json" "application/problem+json"];
    Text Other "text" "text" ["txt" "md" "csv" "srt"] ["text/plain" "text/csv" "text/markdown"];
};

impl Format {
    /// The format of the extension of a path or a file name, in any case; `None` without a known extension.
    pub fn from_path(path: impl AsRef<Path>) -> Option<Self> {
        let extension = path.as_ref().extension()?.to_str()?;
        Self::find_by_name(extension, |row| row.extensions)
    }

    /// The format of a `Content-Type`, without its parameters; `None` if it is unknown or generic, such as
    /// `application/octet-stream`.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next()?.trim();
        Self::find_by_name(essence, |row| row.content_types)
    }

    fn find_by_name(name: &str, names: fn(&Row) -> &[&str]) -> Option<Self> {
        let is_named = |row: &&Row| {
            let mut all = names(row).iter();
            all.any(|known| known.eq_ignore_ascii_case(name))
        };
        FORMATS.iter().find(is_named).map(|row| row.format)
    }

    /// The kind of the format.
    pub fn kind(self) -> Kind {
        self.row().kind
    }

    /// The name for programs: lower case, with underscores.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// The preferred media type.
    pub fn content_type(self) -> &'static str {
        self.row().content_types[0]
    }

    /// All formats.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMATS.iter().map(|row| row.format)
    }

    /// Whether this crate parses the boxes of the format as a video.
    pub(crate) fn is_parsed_as_video(self) -> bool {
        matches!(self, Self::Mp4 | Self::Mov | Self::ThreeGp | Self::M4a)
    }

    fn row(self) -> &'static Row {
        &FORMATS[self as usize]
    }
}

impl Mismatch {
    /// The mismatch of two formats; `None` if they are the same.
    pub fn between(declared: Format, found: Format) -> Option<Self> {
        (declared != found).then_some(Self { declared, found })
    }

    /// Whether both formats have the same structure, as MP4 and MOV do. Programs that detect the format by content read
    /// both.
    pub fn is_close(self) -> bool {
        self.declared.is_parsed_as_video() && self.found.is_parsed_as_video()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { declared, found } = self;
        write!(
            f,
            "the declared format is {declared}, but the content is {found}"
        )
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
