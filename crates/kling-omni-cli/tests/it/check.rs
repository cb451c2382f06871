//! `check`: the output and the exit code.

use std::fs;
use std::path::Path;

use crate::support::{Fake, Program, Snapshots, copy_fixtures, fixture};

const OURS: [&str; 4] = ["dance.mp4", "long.mp4", "slow.mp4", "stage.png"];

#[test]
fn distinguishes_kinds_of_files() {
    let mut snapshots = Snapshots::default();
    // The files are missing in a package.
    let kinds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media-probe/tests/fixtures");
    if !kinds.exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str, to: &str| fs::copy(kinds.join(name), folder.path().join(to)).unwrap();
    let mut program = Program::new(folder.path(), "check");
    for name in [
        "anamorphic-portrait.mp4",
        "av1.mp4",
        "film.mov",
        "fragmented.mp4",
        "image.bmp",
        "image.jpg",
        "image.webp",
        "portrait.mp4",
        "prores.mov",
        "sound.m4a",
        "sound.mp4",
        "timecode.mov",
        "variable.mp4",
        "video.gif",
        "video.mkv",
    ] {
        copy(name, name);
        program = program.arg(name);
    }
    copy("video.webm", "webm-by-another-name.mp4");
    copy("image.jpg", "jpeg-by-another-name.png");
    let first = fs::read(kinds.join("first.mp4")).unwrap();
    let last = fs::read(kinds.join("last.mp4")).unwrap();
    for (name, content) in [
        ("empty.mp4", &b""[..]),
        ("notes.mp4", b"the clip is on the other disk\n"),
        ("page.png", b"<!doctype html><title>404</title>"),
        ("cut-in-mdat.mp4", &first[..3000]),
        ("cut-in-moov.mp4", &last[..4000]),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    for name in [
        "webm-by-another-name.mp4",
        "jpeg-by-another-name.png",
        "empty.mp4",
        "notes.mp4",
        "page.png",
        "cut-in-mdat.mp4",
        "cut-in-moov.mp4",
    ] {
        program = program.arg(name);
    }
    let ended = program.run().expect(9);
    assert_eq!(ended.stderr, "");
    snapshots.check("check-kinds", &ended.stdout);
}

#[test]
fn prints_findings_as_text_and_json() {
    let mut snapshots = Snapshots::default();
    let folder = tempfile::tempdir().unwrap();
    copy_fixtures(folder.path(), &OURS);
    let all = "long.mp4 stage.png missing.mov slow.mp4 ftp://example.com/dance.mp4 dance.mp4";
    for (name, line) in [
        ("check", format!("check {all}")),
        ("check-json", format!("check --json {all}")),
        (
            "check-as",
            "check --as image dance.mp4 stage.png".to_owned(),
        ),
        ("check-as-neither", "check --as sound dance.mp4".to_owned()),
        ("check-nothing", "check".to_owned()),
    ] {
        let ended = Program::new(folder.path(), &line).run();
        snapshots.check(name, &ended);
    }
}

#[test]
fn exit_code_is_that_of_the_worst_file() {
    for (line, code) in [
        ("dance.mp4 stage.png", 0),
        ("slow.mp4", 0),
        ("slow.mp4 --deny-warnings", 10),
        ("slow.mp4 --deny-warnings --route video-reference", 0),
        ("slow.mp4 --route reference-to-video", 9),
        ("dance.mp4 missing.mp4", 7),
        ("missing.mp4 long.mp4 dance.mp4", 9),
        ("missing.mp4 slow.mp4 --deny-warnings", 7),
        ("dance.mp4 --as image", 9),
        (".", 7),
    ] {
        for json in ["", " --json"] {
            let line = format!("check {line}{json}");
            let folder = fixture("");
            let ended = Program::new(&folder, &line).run().expect(code);
            assert_eq!(ended.stderr, "", "{line}");
        }
    }
}

#[test]
fn url_is_inspected_by_ranges() {
    let fake = Fake::of_file("dance.mp4");
    let url = format!("{}/dance.mp4?token=needle", fake.base_url());
    let check = |options: &str| {
        let program = Program::new(fake.folder(), &format!("check {options}")).arg(&url);
        let ended = program.run().expect(0);
        assert!(!ended.stdout.contains("needle"), "{ended}");
        ended.json()
    };
    let refused = check("--json");
    assert_eq!(refused["media_info"], serde_json::Value::Null);
    assert_eq!(refused["findings"][0]["code"], "inspection-incomplete");
    let inspected = check("--json --allow-private-networks");
    assert_eq!(inspected["findings"], serde_json::json!([]));
    assert_eq!(inspected["media_info"]["duration_us"], 5_000_000);
    let request = fake.request();
    assert_eq!(request.method(), "GET");
    let range = request.header("range").unwrap();
    assert!(range.starts_with("bytes=0-"), "{range}");
}
