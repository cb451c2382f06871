//! The `ffmpeg` command that makes a file fit.

use std::path::Path;

use kling_omni_api::{Media, MediaKind};
use media_probe::{Format, Size};

use crate::media::MediaSource;

/// The one command that would make a file fit.
pub(super) struct Fix {
    /// The file as the command names it, and the name of what it writes without an extension; none of what no command
    /// can name.
    names: Option<(Vec<u8>, Vec<u8>)>,
    kind: MediaKind,
    /// What the file is.
    format: Option<Format>,
    before: Vec<String>,
    filters: Vec<String>,
    after: Vec<String>,
    encodes: bool,
    /// Whether no command does it.
    is_hopeless: bool,
}

/// No encoder of images takes more on a side.
const MOST_PIXELS: f64 = 16_383.0;
/// With so many pixels on its longer side, an image has a few megabytes.
const FEW_PIXELS: f64 = 2_048.0;

impl Fix {
    pub(super) fn new(source: &MediaSource, rules: Option<Media>) -> Self {
        let names = match source {
            MediaSource::File(path) => names(path),
            MediaSource::Url(_) => Some((b"FILE".to_vec(), b"fit".to_vec())),
            MediaSource::Bytes(_) => None,
        };
        Self {
            names,
            kind: rules.map_or(MediaKind::Image, |rules| rules.kind),
            format: None,
            before: Vec::new(),
            filters: Vec::new(),
            after: Vec::new(),
            encodes: false,
            is_hopeless: false,
        }
    }

    /// Says what the file is.
    pub(super) fn is(&mut self, format: Format) {
        self.format = Some(format);
    }

    /// To a format that the service takes.
    pub(super) fn convert(&mut self) {
        self.encodes = true;
        self.is_hopeless |= !self
            .format
            .is_some_and(|format| can_convert(self.kind, format));
    }

    /// To fewer bytes, for a picture of this size.
    pub(super) fn shrink(&mut self, size: Option<Size>) {
        self.encodes = true;
        match self.kind {
            MediaKind::Video => {
                let rate = "-crf 26 -maxrate 100M -bufsize 100M";
                self.after.push(rate.to_owned());
            }
            MediaKind::Image => {
                self.after.push("-q:v 3".to_owned());
                if let Some(size) = size.filter(|size| longer(*size) > FEW_PIXELS) {
                    self.narrow(size, FEW_PIXELS);
                }
            }
        }
    }

    /// To this many seconds at least, by playing it again.
    pub(super) fn lengthen(&mut self, seconds: f64) {
        self.encodes = true;
        self.before.push("-stream_loop -1".to_owned());
        self.after.push(format!("-t {seconds}"));
    }

    /// To this many seconds at the most.
    pub(super) fn cut(&mut self, seconds: f64) {
        self.after.push(format!("-t {seconds}"));
    }

    /// To this many frames a second.
    pub(super) fn pace(&mut self, rate: f64) {
        self.encodes = true;
        self.filters.push(format!("fps={rate}"));
    }

    /// So that the shorter side has this many pixels.
    pub(super) fn widen(&mut self, size: Size, pixels: f64) {
        self.scale(size, pixels / shorter(size));
    }

    /// So that the longer side has this many pixels.
    pub(super) fn narrow(&mut self, size: Size, pixels: f64) {
        self.scale(size, pixels / longer(size));
    }

    /// Encoders want even sides, and pixels may not be square.
    fn scale(&mut self, size: Size, factor: f64) {
        self.encodes = true;
        let [width, height] = [size.width, size.height]
            .map(|side| ((f64::from(side) * factor / 2.0).round() * 2.0).max(2.0));
        self.is_hopeless |= width.max(height) > MOST_PIXELS;
        self.filters
            .push(format!("scale={width}:{height},setsar=1"));
    }

    /// As a shell takes it; none if there is nothing to do.
    pub(super) fn command(mut self) -> Option<String> {
        let is_idle = !self.encodes && self.before.is_empty() && self.after.is_empty();
        let (from, to) = self.names.filter(|_| !is_idle && !self.is_hopeless)?;
        let mut words = vec!["ffmpeg".to_owned()];
        words.extend(self.before);
        if self.kind == MediaKind::Image && from.iter().any(|byte| b"%*?[]{}".contains(byte)) {
            // It would be a pattern for many files.
            words.push("-f image2 -pattern_type none".to_owned());
        }
        words.push(format!("-i {}", shell_word(&from)?));
        let is_scaled = self
            .filters
            .iter()
            .any(|filter| filter.starts_with("scale"));
        if self.kind == MediaKind::Video && self.encodes && !is_scaled {
            self.filters
                .push("scale=ceil(iw/2)*2:ceil(ih/2)*2".to_owned());
        }
        if !self.filters.is_empty() {
            let filters = self.filters.join(",");
            words.push(format!("-vf {}", shell_word(filters.as_bytes())?));
        }
        words.push(match (self.kind, self.encodes) {
            // Sound that one container takes another may not, and subtitles neither.
            (MediaKind::Video, true) => "-c:v libx264 -pix_fmt yuv420p -c:a aac -sn".to_owned(),
            (MediaKind::Video, false) => "-c:v copy -c:a aac -sn".to_owned(),
            // One picture, whose name is no pattern.
            (MediaKind::Image, _) => "-frames:v 1 -update 1".to_owned(),
        });
        words.extend(self.after);
        let extension = match (self.kind, self.encodes, self.format) {
            // What is copied stays in its container.
            (MediaKind::Video, false, Some(Format::Mov)) => "mov",
            (MediaKind::Video, ..) => "mp4",
            (MediaKind::Image, ..) => "jpg",
        };
        let to = [&to, &b"."[..], extension.as_bytes()].concat();
        words.push(shell_word(&to)?);
        Some(words.join(" "))
    }
}

/// Whether every ffmpeg makes one kind of another format. What it shows of a HEIC may be a part of the picture.
fn can_convert(kind: MediaKind, format: Format) -> bool {
    use Format::{
        Avi, Bmp, Flv, Gif, Jpeg, Jpeg2000, M4a, Matroska, Mov, Mp4, MpegPs, MpegTs, Ogg, Png, Psd,
        ThreeGp, Tiff, WebM, WebP, Wmv,
    };
    match kind {
        MediaKind::Video => matches!(
            format,
            Mp4 | Mov | ThreeGp | M4a | WebM | Matroska | Avi | MpegTs | MpegPs | Flv | Wmv | Ogg
        ),
        MediaKind::Image => matches!(
            format,
            Jpeg | Png | WebP | Gif | Bmp | Tiff | Jpeg2000 | Psd
        ),
    }
}

fn shorter(size: Size) -> f64 {
    size.width.min(size.height).max(1).into()
}

fn longer(size: Size) -> f64 {
    size.width.max(size.height).max(1).into()
}

/// The file, and what is written beside where the command is run.
fn names(path: &Path) -> Option<(Vec<u8>, Vec<u8>)> {
    let [file, stem] = [path.as_os_str(), path.file_stem()?].map(|name| {
        // Elsewhere a name that is not Unicode has no bytes of its own.
        let is_known = cfg!(unix) || name.to_str().is_some();
        is_known.then(|| name.as_encoded_bytes().to_vec())
    });
    let file = file?;
    let stem = stem?;
    let begins = stem.iter().position(|byte| *byte != b'-');
    let stem = &stem[begins.unwrap_or(stem.len())..];
    Some((literal(file), literal([stem, b"-fit"].concat())))
}

/// A name that ffmpeg takes for nothing else: neither for an option nor for a protocol such as `concat:`.
fn literal(name: Vec<u8>) -> Vec<u8> {
    match name.starts_with(b"-") || name.contains(&b':') && !name.starts_with(b"/") {
        true => [&b"./"[..], &name].concat(),
        false => name,
    }
}

/// A word that a shell reads back as these bytes, in letters that a terminal shows as they are. None where no word can do it.
fn shell_word(bytes: &[u8]) -> Option<String> {
    match str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !is_hidden(c)) => Some(quoted(text)),
        // What comes from a command ends before its last line ends.
        _ if bytes.ends_with(b"\n") => None,
        _ => Some(format!("\"$(printf '{}')\"", printf_format(bytes))),
    }
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A format of `printf` that writes these bytes.
fn printf_format(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'%' => "%%".to_owned(),
            b' ' | b'/' | b'.' | b'-' | b'_' | b':' => char::from(*byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
            byte => format!("\\{byte:03o}"),
        })
        .collect()
}

/// What a terminal does not show, or shows elsewhere.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}
