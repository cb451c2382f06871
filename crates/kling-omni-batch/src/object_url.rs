//! The URLs of objects, which are the paths of items whose videos go into a bucket.

use std::path::{Path, PathBuf};

use kling_omni::request::MediaSource;

/// Whether the path of an item is the URL of an object.
pub(crate) fn is_url(path: &Path) -> bool {
    !MediaSource::url_or_path(path).is_local()
}

/// Returns the path below a folder, or below the URL of a bucket on any system.
pub(crate) fn join(output: &Path, name: &Path) -> PathBuf {
    match (output.to_str(), is_url(output)) {
        (Some(url), true) => {
            let parts = name.iter().map(|part| part.to_string_lossy());
            let parts: Vec<_> = [url.trim_end_matches('/').into()]
                .into_iter()
                .chain(parts)
                .collect();
            PathBuf::from(parts.join("/"))
        }
        _ => output.join(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_keeps_urls() {
        for (output, path) in [
            ("s3://clips", "s3://clips/a/b #1.mp4"),
            ("s3://clips/for/", "s3://clips/for/a/b #1.mp4"),
            ("clips", "clips/a/b #1.mp4"),
        ] {
            let joined = join(Path::new(output), Path::new("a/b #1.mp4"));
            // As text, because paths compare equal with any number of slashes.
            assert_eq!(joined.to_string_lossy().replace('\\', "/"), path);
        }
    }
}
