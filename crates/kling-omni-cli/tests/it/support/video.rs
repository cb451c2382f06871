//! Reads the properties of a saved video with the probe.

use std::path::Path;

use kling_omni::preflight::probe::probe_file;

/// The properties of an MP4 file.
#[derive(Debug, PartialEq)]
pub struct Facts {
    pub seconds: f64,
    pub width: u32,
    pub height: u32,
}

/// Reads the properties of a video, which must be complete.
#[track_caller]
pub fn facts(path: &Path) -> Facts {
    let info = probe_file(path).unwrap();
    assert!(info.problems.is_empty(), "{info:?}");
    let display = info.video.unwrap().display.unwrap();
    Facts {
        seconds: info.duration.unwrap().as_secs_f64(),
        width: display.width,
        height: display.height,
    }
}
