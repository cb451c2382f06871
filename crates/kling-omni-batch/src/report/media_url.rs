//! The URLs of videos and pictures on a page.

use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode};

use crate::object_url::is_url;

/// What is encoded in a name of a file: all but the characters that mean nothing in a URL.
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What is encoded in the URL of an object, whose name is stored as it is.
const OBJECT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The schemes of objects that a page links to.
const LINKED: [&str; 3] = ["https://", "http://", "s3://"];

/// Where a saved video is, from the folder of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum VideoPlace {
    /// A file, as a URL that is relative to the page.
    File(String),
    /// An object, as a URL to link to.
    Object(String),
    /// A path with a scheme that is not linked.
    Elsewhere,
}

impl VideoPlace {
    /// `folder` is absolute.
    pub(crate) fn of(video: &Path, folder: &Path) -> Self {
        if !is_url(video) {
            return Self::File(relative_url(video, folder));
        }
        let url = video.to_string_lossy();
        match LINKED.iter().any(|scheme| url.starts_with(scheme)) {
            true => Self::Object(percent_encode(url.as_bytes(), OBJECT).to_string()),
            false => Self::Elsewhere,
        }
    }
}

/// Returns the URL of a file, relative to a page in this folder, or a `file:` URL if there is no relative one.
pub(crate) fn relative_url(file: &Path, folder: &Path) -> String {
    // A link in one of them would make another common part.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let file = resolve(file);
    let from: Vec<_> = folder.components().collect();
    let to: Vec<_> = file.components().collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let names = to[common..].iter().map(|part| encode(*part));
    match common {
        // Another drive.
        0 => {
            let names = to.iter().filter_map(|part| match part {
                Component::RootDir => None,
                part => Some(encode(*part)),
            });
            format!("file:///{}", names.collect::<Vec<_>>().join("/"))
        }
        _ => {
            let up = from[common..].iter().map(|_| "..".to_owned());
            up.chain(names).collect::<Vec<_>>().join("/")
        }
    }
}

/// The file with its folder resolved. The file itself may be a link, whose name counts.
fn resolve(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = absolute
        .parent()
        .and_then(|folder| folder.canonicalize().ok());
    match (folder, absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

fn encode(part: Component<'_>) -> String {
    percent_encode(part.as_os_str().as_encoded_bytes(), NAME).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn files_are_relative_to_the_page() {
        for (file, folder, url) in [
            ("/v/clips/a.mp4", "/v/clips", "a.mp4"),
            ("/v/clips/b/a.mp4", "/v/clips", "b/a.mp4"),
            ("/v/a.mp4", "/v/clips", "../a.mp4"),
            ("/w/a.mp4", "/v/clips/x", "../../../w/a.mp4"),
            (
                "/v/clips/a #1?50%\"'<>&.mp4",
                "/v/clips",
                "a%20%231%3F50%25%22%27%3C%3E%26.mp4",
            ),
            (
                "/v/clips/javascript:alert(1)",
                "/v/clips",
                "javascript%3Aalert%281%29",
            ),
            ("/v/clips/Größe.mp4", "/v/clips", "Gr%C3%B6%C3%9Fe.mp4"),
        ] {
            let place = VideoPlace::of(Path::new(file), Path::new(folder));
            assert_eq!(place, VideoPlace::File(url.to_owned()));
        }
    }

    #[test]
    fn objects_are_linked_by_known_schemes_only() {
        for (path, place) in [
            ("s3://clips/a/b #1.mp4", Some("s3://clips/a/b%20%231.mp4")),
            (
                "https://s3.example:9000/clips/a.mp4",
                Some("https://s3.example:9000/clips/a.mp4"),
            ),
            ("javascript://alert(1)", None),
            ("memory://clips/a.mp4", None),
        ] {
            let found = VideoPlace::of(Path::new(path), Path::new("/v"));
            let expected = place.map_or(VideoPlace::Elsewhere, |url| {
                VideoPlace::Object(url.to_owned())
            });
            assert_eq!(found, expected);
        }
    }
}
