//! Folders of request files and of media files.

use std::fs;

use kling_omni::request::MediaSource;
use kling_omni_batch::manifest::ManifestOptions;
use serde_json::{Map, Value, json};

use super::{Files, assert_findings};

fn template(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(template) => template,
        other => panic!("{other} is not an object"),
    }
}

#[test]
fn request_files_are_rows() {
    let files = Files::new()
        .with("b.json", "\u{feff}{\"prompt\": \"b\", \"duration\": \"8\"}")
        .with("a.yaml", "prompt: a\nimage_url: stage.png\n")
        .with("c.yml", "prompt: a\nprompt: b\n")
        .with("d.json", "{\"prompt\": \"d\",}")
        .with("e.yaml", "- a\n")
        .with("f.json", b"\xFF")
        .with("stage.png", "")
        .with("README.md", "hello")
        .with(".hidden.json", "{");
    fs::create_dir(files.path("sub.json")).unwrap();
    let (rows, findings) = files.read("", ManifestOptions::new());
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (&*row.id, row.output.to_str().unwrap(), row.line))
        .collect();
    assert_eq!(rows, [("a.yaml", "a.mp4", None), ("b.json", "b.mp4", None)]);
    assert_findings(
        "folder",
        &findings,
        &[
            "c.yml: is not valid YAML: ",
            "d.json: is not valid JSON: trailing comma at line 1 column 16 [invalid-json]",
            "e.yaml: is not an object",
            "f.json: is not valid UTF-8",
        ],
    );
    let report = files.open("", ManifestOptions::new()).check().unwrap();
    let ignored: Vec<_> = report
        .ignored_files
        .iter()
        .map(|path| path.file_name().unwrap())
        .collect();
    assert_eq!(ignored, ["README.md", "stage.png", "sub.json"]);
}

#[test]
fn a_template_makes_rows_of_media_files() {
    let files = Files::new()
        .with("a.png", "")
        .with("B.JPG", "")
        .with("dance.mp4", "")
        .with("notes.txt", "")
        .with("a.json", "{}");
    let options = |value| ManifestOptions::new().template(template(value));
    let motion =
        json!({"image_url": "{file}", "video_url": "dance.mp4", "prompt": "The puppet {stem}"});
    let (rows, findings) = files.read("", options(motion).unwrap());
    assert_findings("template", &findings, &[]);
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (&*row.id, row.output.to_str().unwrap()))
        .collect();
    assert_eq!(shown, [("B.JPG", "B.mp4"), ("a.png", "a.mp4")]);
    let body = rows[1].request.to_body();
    assert_eq!(body["prompt"], "The puppet a");
    let media = rows[1].request.media();
    assert!(
        media
            .iter()
            .any(|(_, source)| *source == MediaSource::File(files.path("a.png"))),
        "{media:?}"
    );
    // The element of an image is found, too.
    let elements = json!({"prompt": "@Element1", "elements": [{"frontal_image_url": "{file}"}]});
    let (rows, findings) = files.read("", options(elements).unwrap());
    assert_eq!((rows.len(), findings.len()), (2, 0), "{findings:?}");
    let videos = json!({"prompt": "@Video1", "video_url": "{file}"});
    assert_eq!(files.read("", options(videos).unwrap()).0.len(), 1);
    for value in [
        json!({}),
        json!({"prompt": "{file}"}),
        json!({"image_url": "a.png"}),
    ] {
        let error = options(value).unwrap_err();
        assert!(error.to_string().contains("{file}"), "{error}");
    }
}

#[test]
fn files_with_one_stem_collide() {
    let files = Files::new().with("a.png", "").with("a.jpg", "");
    let options = || {
        let template = template(json!({"prompt": "p", "image_url": "{file}"}));
        ManifestOptions::new().template(template).unwrap()
    };
    let (rows, findings) = files.read("", options());
    assert_eq!(rows.len(), 1);
    assert_findings(
        "stems",
        &findings,
        &["a.png: output: \"a.mp4\" is the output of row 1, too"],
    );
    let (rows, _) = files.read("", options().output("{row}.mp4").unwrap());
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_folder_without_rows_is_a_finding() {
    let files = Files::new().with("notes.txt", "");
    let (_, findings) = files.read("", ManifestOptions::new());
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].ends_with("has no rows [empty-manifest]"),
        "{findings:?}"
    );
}

#[cfg(unix)]
#[test]
fn links_lead_to_regular_files_or_are_findings() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    let target = Files::new().with("real.json", "{\"prompt\": \"p\"}");
    let files = Files::new();
    symlink(target.path("real.json"), files.path("a.json")).unwrap();
    symlink("missing", files.path("b.json")).unwrap();
    symlink("c.json", files.path("c.json")).unwrap();
    symlink("/dev/zero", files.path("d.json")).unwrap();
    symlink(target.path(""), files.path("e.json")).unwrap();
    fs::write(files.0.path().join(OsStr::from_bytes(b"f\xFF.json")), "{}").unwrap();
    let (rows, findings) = files.read("", ManifestOptions::new());
    assert_eq!(rows.len(), 1);
    assert_findings(
        "links",
        &findings,
        &[
            "b.json: is not a regular file [unreadable]",
            "c.json: is not a regular file [unreadable]",
            "d.json: is not a regular file [unreadable]",
            "f\u{fffd}.json: has a name that is not valid UTF-8 [not-utf-8]",
        ],
    );
}
