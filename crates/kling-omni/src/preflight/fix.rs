use std::path::Path;

use kling_omni_api::{Media, MediaKind};
use kling_omni_probe::Size;

use crate::media::MediaSource;

/// The one command that would make a file fit.
pub(super) struct Fix {
    /// The file as the command names it, and the name of what it writes without an extension; none of what no command
    /// can name.
    names: Option<(String, String)>,
    kind: MediaKind,
    before: Vec<String>,
    filters: Vec<String>,
    after: Vec<String>,
    encodes: bool,
}

impl Fix {
    pub(super) fn new(source: &MediaSource, rules: Option<Media>) -> Self {
        let names = match source {
            MediaSource::File(path) => name(path),
            MediaSource::Url(_) => Some(("FILE".to_owned(), "fit".to_owned())),
            MediaSource::Bytes(_) => None,
        };
        Self {
            names,
            kind: rules.map_or(MediaKind::Image, |rules| rules.kind),
            before: Vec::new(),
            filters: Vec::new(),
            after: Vec::new(),
            encodes: false,
        }
    }

    /// To a format that the service takes.
    pub(super) fn convert(&mut self) {
        self.encodes = true;
    }

    /// To fewer bytes.
    pub(super) fn shrink(&mut self) {
        self.encodes = true;
        match self.kind {
            MediaKind::Video => self.after.push("-crf 26".to_owned()),
            MediaKind::Image => self.after.push("-q:v 3".to_owned()),
        }
    }

    /// To this many seconds at least, by playing it again.
    pub(super) fn lengthen(&mut self, seconds: f64) {
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
        self.scale(size.width <= size.height, pixels);
    }

    /// So that the longer side has this many pixels.
    pub(super) fn narrow(&mut self, size: Size, pixels: f64) {
        self.scale(size.width > size.height, pixels);
    }

    fn scale(&mut self, width: bool, pixels: f64) {
        self.encodes = true;
        // Encoders want even sides.
        self.filters.push(match width {
            true => format!("scale={pixels}:-2"),
            false => format!("scale=-2:{pixels}"),
        });
    }

    /// As a shell takes it; none if there is nothing to do.
    pub(super) fn command(self) -> Option<String> {
        let is_idle = !self.encodes && self.before.is_empty() && self.after.is_empty();
        let (from, to) = self.names.filter(|_| !is_idle)?;
        let mut words = vec!["ffmpeg".to_owned()];
        words.extend(self.before);
        words.push(format!("-i {from}"));
        if !self.filters.is_empty() {
            words.push(format!("-vf {}", self.filters.join(",")));
        }
        match (self.kind, self.encodes) {
            (MediaKind::Video, true) => {
                words.push("-c:v libx264 -pix_fmt yuv420p -c:a aac".to_owned())
            }
            (MediaKind::Video, false) => words.push("-c copy".to_owned()),
            (MediaKind::Image, _) => {}
        }
        words.extend(self.after);
        let extension = match self.kind {
            MediaKind::Video => "mp4",
            MediaKind::Image => "jpg",
        };
        words.push(quoted(&format!("{to}.{extension}")));
        Some(words.join(" "))
    }
}

fn name(path: &Path) -> Option<(String, String)> {
    let file = path.to_str()?;
    let stem = path.file_stem()?.to_str()?;
    // What begins with a dash would be an option.
    let file = match file.starts_with('-') {
        true => format!("./{file}"),
        false => file.to_owned(),
    };
    let stem = stem.trim_start_matches('-');
    Some((quoted(&file), format!("{stem}-fit")))
}

/// As a POSIX shell reads it back.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
