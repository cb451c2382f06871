//! The `ffmpeg` commands that `check` suggests: run by a shell as printed, each writes a valid file.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Makes this test fail where ffmpeg is missing.
const NEEDED: &str = "KLING_OMNI_NEEDS_FFMPEG";

/// A file that violates a rule.
struct Case {
    /// The steps of the command that corrects it, as `preflight/fix.rs` names them.
    steps: &'static [&'static str],
    /// The ffmpeg arguments that make the file.
    make: &'static str,
    extension: &'static str,
    role: &'static str,
    /// The size that the file is padded to, in bytes.
    length: Option<u64>,
}

const fn video(
    steps: &'static [&'static str],
    extension: &'static str,
    make: &'static str,
) -> Case {
    Case {
        steps,
        make,
        extension,
        role: "video",
        length: None,
    }
}

const fn image(
    steps: &'static [&'static str],
    extension: &'static str,
    make: &'static str,
) -> Case {
    Case {
        role: "image",
        ..video(steps, extension, make)
    }
}

const CASES: &[Case] = &[
    video(
        &["cut"],
        "mov",
        "-f lavfi -i color=teal:s=1280x720:r=24:d=12 -f lavfi -i sine=d=12 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a pcm_s16le",
    ),
    video(
        &["cut"],
        "mov",
        "-f lavfi -i color=teal:s=1280x720:r=24:d=12 -c:v prores -profile:v 0 -pix_fmt yuv422p10le",
    ),
    video(
        &["cut"],
        "mp4",
        "-f lavfi -i color=teal:s=1280x720:r=30:d=13 -f lavfi -i sine=d=13 -c:v libx264 -preset ultrafast -bf 2 -pix_fmt yuv420p -c:a aac",
    ),
    video(
        &["cut"],
        "mp4",
        "-f lavfi -i color=teal:s=1280x720:r=24:d=12 -f lavfi -i sine=d=12 -c:v mpeg4 -c:a libmp3lame",
    ),
    video(
        &["lengthen"],
        "mp4",
        "-f lavfi -i color=teal:s=1280x720:r=24:d=1 -f lavfi -i sine=d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac",
    ),
    video(
        &["lengthen"],
        "mov",
        "-f lavfi -i color=teal:s=1280x720:r=24:d=2 -c:v prores -profile:v 0 -pix_fmt yuv422p10le",
    ),
    video(
        &["scale_shorter_side"],
        "mp4",
        "-f lavfi -i color=teal:s=322x182:r=24:d=4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    ),
    video(
        &["scale_shorter_side"],
        "mp4",
        "-f lavfi -i color=teal:s=576x322:r=24:d=4 -vf setsar=8/9 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    ),
    video(
        &["scale_shorter_side", "cut", "set_frame_rate"],
        "mov",
        "-f lavfi -i color=teal:s=360x640:r=10:d=12 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    ),
    video(
        &["scale_longer_side"],
        "mp4",
        "-f lavfi -i color=teal:s=2600x2300:r=24:d=3 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    ),
    video(
        &["set_frame_rate"],
        "mp4",
        "-f lavfi -i color=teal:s=1280x720:r=10:d=4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    ),
    video(
        &["set_frame_rate"],
        "mp4",
        "-f lavfi -i color=teal:s=1280x720:r=90:d=4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    ),
    Case {
        length: Some(215_000_000),
        ..video(
            &["shrink"],
            "mp4",
            "-f lavfi -i color=teal:s=1280x720:r=24:d=4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
        )
    },
    video(
        &["convert"],
        "webm",
        "-f lavfi -i color=teal:s=1281x721:r=24:d=4 -c:v libvpx -deadline realtime",
    ),
    video(
        &["convert"],
        "mkv",
        "-f lavfi -i color=teal:s=1280x720:r=24:d=4 -f lavfi -i sine=d=4 -c:v ffv1 -c:a flac",
    ),
    video(
        &["convert"],
        "avi",
        "-f lavfi -i color=teal:s=1280x720:r=24:d=4 -c:v mpeg4",
    ),
    video(
        &["convert"],
        "3gp",
        "-f lavfi -i color=teal:s=1280x720:r=24:d=4 -c:v mpeg4",
    ),
    image(
        &["convert"],
        "webp",
        "-f lavfi -i color=teal:s=640x480:d=1 -frames:v 1 -c:v libwebp",
    ),
    image(
        &["convert"],
        "gif",
        "-f lavfi -i color=teal:s=640x480:r=5:d=1",
    ),
    image(
        &["convert"],
        "bmp",
        "-f lavfi -i color=teal:s=641x481:d=1 -frames:v 1",
    ),
    image(
        &["convert"],
        "tiff",
        "-f lavfi -i color=teal:s=640x480:d=1 -frames:v 1",
    ),
    image(
        &["scale_shorter_side"],
        "png",
        "-f lavfi -i color=teal:s=101x77:d=1 -frames:v 1",
    ),
    image(
        &["scale_shorter_side"],
        "jpg",
        "-f lavfi -i color=teal:s=640x200:d=1 -frames:v 1",
    ),
    image(
        &["shrink", "scale_longer_side"],
        "png",
        "-f lavfi -i nullsrc=s=3200x3200:d=1 -vf geq=random(1)*255:128:128 -frames:v 1",
    ),
];

/// File names that a shell or ffmpeg may misinterpret, without extension.
const NAMES: &[&[u8]] = &[
    b"plain",
    b"two words",
    b"it's",
    b"say \"hi\"",
    b"-y",
    b"--",
    b"file:a",
    b"concat:a|b",
    b"a:b",
    b"frame%d",
    b"frame%03d",
    b"100% of it",
    b"what?",
    b"a[1]*{b}",
    b"$HOME `id` $(id)",
    b"a\\b",
    b"a;b&c",
    b"two\nlines",
    b"a\ttab",
    b"esc\x1b[2J",
    b"latin-1 \xe9",
    b"\xff\xfe",
    "Übung – 日本".as_bytes(),
    "right\u{202e}left".as_bytes(),
    b"!bang",
    b"#1",
    b"~",
];

fn has_ffmpeg() -> bool {
    let mut command = Command::new("ffmpeg");
    command.arg("-version").stdout(Stdio::null());
    let is_available = command.stderr(Stdio::null()).status().is_ok();
    let is_needed = std::env::var_os(NEEDED).is_some_and(|value| value != "0" && !value.is_empty());
    assert!(
        is_available || !is_needed,
        "ffmpeg is missing, and {NEEDED} is set"
    );
    if !is_available {
        // Not captured by the test harness.
        let _ = writeln!(io::stderr(), "skipped: ffmpeg_commands: ffmpeg is missing");
    }
    is_available
}

fn make(case: &Case, path: &Path) -> bool {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-y"]);
    let output = command
        .args(case.make.split(' '))
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("Unknown encoder") {
        let _ = writeln!(io::stderr(), "skipped: ffmpeg_commands: {said}");
        return false;
    }
    assert!(output.status.success(), "{}: {said}", case.make);
    if let Some(length) = case.length {
        let at = fs::metadata(path).unwrap().len();
        let mut file = File::options().append(true).open(path).unwrap();
        let size = u32::try_from(length - at).unwrap();
        file.write_all(&[&size.to_be_bytes(), &b"free"[..]].concat())
            .unwrap();
        file.set_len(length).unwrap();
    }
    true
}

/// Returns the findings of the program about a file, and its text output.
fn check(folder: &Path, case: &Case, name: &OsStr) -> (Vec<Value>, String) {
    let run = |json: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kling-omni"));
        command.args(["check", "--as", case.role, "--route", "reference-to-video"]);
        let output = command
            .args(json)
            .arg("--")
            .arg(name)
            .current_dir(folder)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let json: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    (json["findings"].as_array().unwrap().clone(), run(&[]))
}

fn errors(findings: &[Value]) -> Vec<&Value> {
    let errors = findings
        .iter()
        .filter(|finding| finding["severity"] == "error");
    errors.collect()
}

/// Runs the suggested command, and returns the file that it wrote.
fn correct(folder: &Path, case: &Case, name: &OsStr) -> OsString {
    let (findings, printed) = check(folder, case, name);
    let command_line = errors(&findings)
        .into_iter()
        .find_map(|finding| finding["help"].as_str());
    let command_line = command_line.unwrap_or_else(|| panic!("{name:?}: no command in {printed}"));
    assert!(
        printed.contains(&format!("help: {command_line}\n")),
        "{command_line} is not in {printed}"
    );
    let before = entries(folder);
    let mut shell = Command::new("sh");
    let output = shell
        .args(["-c", command_line])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command_line}\n{said}");
    let written: Vec<_> = entries(folder).difference(&before).cloned().collect();
    assert_eq!(written.len(), 1, "{command_line} wrote {written:?}");
    let (findings, printed) = check(folder, case, &written[0]);
    assert_eq!(
        errors(&findings),
        [&Value::Null; 0],
        "{command_line} resulted in {printed}"
    );
    written.into_iter().next().unwrap()
}

fn entries(folder: &Path) -> BTreeSet<OsString> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn correct_the_file() {
    if !has_ffmpeg() {
        return;
    }
    for case in CASES {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("odd.{}", case.extension);
        if make(case, &folder.path().join(&name)) {
            correct(folder.path(), case, name.as_ref());
        }
    }
}

#[test]
fn quote_file_names() {
    if !has_ffmpeg() {
        return;
    }
    let short = video(
        &["lengthen"],
        "mp4",
        "-f lavfi -i color=teal:s=720x720:r=24:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let small = image(
        &["scale_shorter_side"],
        "png",
        "-f lavfi -i color=teal:s=100x100:d=1 -frames:v 1",
    );
    let jpeg = image(
        &["scale_shorter_side"],
        "jpg",
        "-f lavfi -i color=teal:s=100x100:d=1 -frames:v 1",
    );
    for case in [short, small, jpeg] {
        let sources = tempfile::tempdir().unwrap();
        let source = sources.path().join(format!("source.{}", case.extension));
        make(&case, &source);
        for name in NAMES {
            let folder = tempfile::tempdir().unwrap();
            let name = [name, &b"."[..], case.extension.as_bytes()].concat();
            let name = OsStr::from_bytes(&name);
            fs::copy(&source, folder.path().join(name)).unwrap();
            correct(folder.path(), &case, name);
        }
    }
}

/// A new step needs a case.
#[test]
fn have_a_case_for_every_step() {
    let fix = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kling-omni/src/preflight/fix.rs");
    let text = fs::read_to_string(fix).unwrap();
    let steps = text.lines().filter_map(|line| {
        let (name, rest) = line
            .trim()
            .strip_prefix("pub(super) fn ")?
            .split_once('(')?;
        (rest.starts_with("&mut self") && name != "set_format").then_some(name)
    });
    let tried: BTreeSet<_> = CASES.iter().flat_map(|case| case.steps).copied().collect();
    assert_eq!(steps.collect::<BTreeSet<_>>(), tried);
}
