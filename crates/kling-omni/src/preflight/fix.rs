//! Builds the `ffmpeg` command that fixes a file.

use std::path::Path;

use kling_omni_api::{Media, MediaKind};
use media_probe::{Format, Size};

use crate::media::MediaSource;

/// The `ffmpeg` command that fixes a file.
pub(super) struct Fix {
    /// The file in the command, and the name of its output without an extension; `None` for a source that no command
    /// can name.
    names: Option<(Vec<u8>, Vec<u8>)>,
    kind: MediaKind,
    /// The format of the file.
    format: Option<Format>,
    before: Vec<String>,
    filters: Vec<String>,
    after: Vec<String>,
    encodes: bool,
    /// Whether no command can fix it.
    is_unfixable: bool,
}

/// The maximum side length of image encoders.
const MAX_SIDE: f64 = 16_383.0;
/// With at most so many pixels on its longer side, an image has a few megabytes.
const SMALL_SIDE: f64 = 2_048.0;

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
            is_unfixable: false,
        }
    }

    /// Sets the format of the file.
    pub(super) fn set_format(&mut self, format: Format) {
        self.format = Some(format);
    }

    /// Converts to a format that the service accepts.
    pub(super) fn convert(&mut self) {
        self.encodes = true;
        self.is_unfixable |= !self
            .format
            .is_some_and(|format| can_convert(self.kind, format));
    }

    /// Reduces the size in bytes of a file with this picture size.
    pub(super) fn shrink(&mut self, size: Option<Size>) {
        self.encodes = true;
        match self.kind {
            MediaKind::Video => {
                let rate = "-crf 26 -maxrate 100M -bufsize 100M";
                self.after.push(rate.to_owned());
            }
            MediaKind::Image => {
                self.after.push("-q:v 3".to_owned());
                if let Some(size) = size.filter(|size| longer(*size) > SMALL_SIDE) {
                    self.scale_longer_side(size, SMALL_SIDE);
                }
            }
        }
    }

    /// Repeats the video until it has at least this many seconds.
    pub(super) fn lengthen(&mut self, seconds: f64) {
        self.encodes = true;
        self.before.push("-stream_loop -1".to_owned());
        self.after.push(format!("-t {seconds}"));
    }

    /// Cuts the video to at most this many seconds.
    pub(super) fn cut(&mut self, seconds: f64) {
        self.after.push(format!("-t {seconds}"));
    }

    /// Sets the frame rate.
    pub(super) fn set_frame_rate(&mut self, rate: f64) {
        self.encodes = true;
        self.filters.push(format!("fps={rate}"));
    }

    /// Scales the shorter side to this many pixels.
    pub(super) fn scale_shorter_side(&mut self, size: Size, pixels: f64) {
        self.scale(size, pixels / shorter(size));
    }

    /// Scales the longer side to this many pixels.
    pub(super) fn scale_longer_side(&mut self, size: Size, pixels: f64) {
        self.scale(size, pixels / longer(size));
    }

    /// Encoders require even sides, and pixels may not be square.
    fn scale(&mut self, size: Size, factor: f64) {
        self.encodes = true;
        let [width, height] = [size.width, size.height]
            .map(|side| ((f64::from(side) * factor / 2.0).round() * 2.0).max(2.0));
        self.is_unfixable |= width.max(height) > MAX_SIDE;
        self.filters
            .push(format!("scale={width}:{height},setsar=1"));
    }

    /// Returns the command as shell text; `None` if nothing is to do or nothing can be done.
    pub(super) fn command(mut self) -> Option<String> {
        let is_idle = !self.encodes && self.before.is_empty() && self.after.is_empty();
        let (from, to) = self.names.filter(|_| !is_idle && !self.is_unfixable)?;
        let mut words = vec!["ffmpeg".to_owned()];
        words.extend(self.before);
        if self.kind == MediaKind::Image && from.iter().any(|byte| b"%*?[]{}".contains(byte)) {
            // Otherwise the name would be a pattern for several files.
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
            // Another container may not support the same audio and subtitles.
            (MediaKind::Video, true) => "-c:v libx264 -pix_fmt yuv420p -c:a aac -sn".to_owned(),
            (MediaKind::Video, false) => "-c:v copy -c:a aac -sn".to_owned(),
            // One image. `-update` disables name patterns.
            (MediaKind::Image, _) => "-frames:v 1 -update 1".to_owned(),
        });
        words.extend(self.after);
        let extension = match (self.kind, self.encodes, self.format) {
            // A copied stream stays in its container.
            (MediaKind::Video, false, Some(Format::Mov)) => "mov",
            (MediaKind::Video, ..) => "mp4",
            (MediaKind::Image, ..) => "jpg",
        };
        let to = [&to, &b"."[..], extension.as_bytes()].concat();
        words.push(shell_word(&to)?);
        Some(words.join(" "))
    }
}

/// Whether every ffmpeg can convert the format. Of a HEIC file it may decode only a part of the picture.
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

/// The names of the file and of the output, which is written to the current directory.
fn names(path: &Path) -> Option<(Vec<u8>, Vec<u8>)> {
    let [file, stem] = [path.as_os_str(), path.file_stem()?].map(|name| {
        // On other systems a name that is not Unicode has no bytes.
        let is_known = cfg!(unix) || name.to_str().is_some();
        is_known.then(|| name.as_encoded_bytes().to_vec())
    });
    let file = file?;
    let stem = stem?;
    let begins = stem.iter().position(|byte| *byte != b'-');
    let stem = &stem[begins.unwrap_or(stem.len())..];
    Some((literal(file), literal([stem, b"-fit"].concat())))
}

/// Prefixes a name that ffmpeg would interpret as an option or as a protocol such as `concat:`.
fn literal(name: Vec<u8>) -> Vec<u8> {
    match name.starts_with(b"-") || name.contains(&b':') && !name.starts_with(b"/") {
        true => [&b"./"[..], &name].concat(),
        false => name,
    }
}

/// Quotes bytes as a shell word of visible characters; `None` if that is impossible.
fn shell_word(bytes: &[u8]) -> Option<String> {
    match str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !is_hidden(c)) => Some(quoted(text)),
        // A command substitution drops trailing line ends.
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

/// A `printf` format that writes these bytes.
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

/// Whether a terminal does not show a character, or shows it in another place.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}
