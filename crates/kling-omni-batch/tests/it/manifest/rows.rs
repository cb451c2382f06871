//! Rows: fields, modes, defaults, ids, outputs, totals and limits.

use std::fs;

use kling_omni::request::MediaSource;
use kling_omni::spend::{Amount, SpendGuard};
use kling_omni::validation::Severity;
use kling_omni::{Mode, Tier};
use kling_omni_batch::manifest::{Manifest, ManifestLimits, ManifestOptions};
use kling_omni_test_support::spec::longest_video;

use super::{Files, assert_findings};

const JSON: &str = r#"{"id": "rain", "prompt": "It rains, \"hard\"\non roofs", "duration": 8, "generate_audio": true}
{"id": "shots", "multi_prompt": ["one", "two"], "aspect_ratio": "1:1", "mode": "text", "output": "sub/shots.mp4"}
{"prompt": "@Video1", "video_url": "https://h.example/a.mp4", "cfg_scale": 0.5, "tier": "standard"}
{"image_url": "puppet.png", "video_url": "dance.mp4", "character_orientation": "image"}
"#;

/// The same rows.
const CSV: &str = "id,prompt,duration,generate_audio,multi_prompt,aspect_ratio,mode,output,video_url,cfg_scale,tier,image_url,character_orientation
rain,\"It rains, \"\"hard\"\"
on roofs\",8,TRUE,,,,,,,,,
shots,,,,\"[\"\"one\"\", \"\"two\"\"]\",1:1,text,sub/shots.mp4,,,,,
,@Video1,,,,,,,https://h.example/a.mp4,0.5,standard,,
,,,,,,,,dance.mp4,,,puppet.png,image
";

#[test]
fn csv_and_json_lines_are_equal() {
    let files = Files::new()
        .with("a.jsonl", JSON)
        .with("a.csv", CSV)
        .with("dance.mp4", "")
        .with("puppet.png", "");
    let (json, findings) = files.read("a.jsonl", ManifestOptions::new());
    assert_findings("json", &findings, &[]);
    let (csv, findings) = files.read("a.csv", ManifestOptions::new());
    assert_findings("csv", &findings, &[]);
    assert_eq!(json.len(), 4);
    for (json, csv) in json.iter().zip(&csv) {
        assert_eq!(
            (&json.id, &json.output, json.number),
            (&csv.id, &csv.output, csv.number)
        );
        assert_eq!(json.request, csv.request);
    }
    let lines = |rows: &[kling_omni_batch::manifest::Row]| -> Vec<_> {
        rows.iter().map(|row| row.line.unwrap()).collect()
    };
    assert_eq!(lines(&json), [1, 2, 3, 4]);
    assert_eq!(lines(&csv), [2, 4, 5, 6]);
    let kinds: Vec<_> = json
        .iter()
        .map(|row| (row.request.mode(), row.request.tier()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Mode::Text, Tier::Pro),
            (Mode::Text, Tier::Pro),
            (Mode::Reference, Tier::Standard),
            (Mode::MotionControl, Tier::Pro)
        ]
    );
    let media = json[3].request.media();
    let expected = [files.path("puppet.png"), files.path("dance.mp4")].map(MediaSource::File);
    assert_eq!(
        media
            .into_iter()
            .map(|(_, source)| source)
            .collect::<Vec<_>>(),
        expected
    );
    assert_eq!(json[1].output.to_str(), Some("sub/shots.mp4"));
    assert_eq!(json[0].output.to_str(), Some("rain.mp4"));
}

#[test]
fn id_is_the_hash_of_the_row_in_any_order() {
    let files = Files::new()
        .with(
            "a.jsonl",
            "{\"prompt\": \"a\", \"duration\": 5}\n{\"prompt\": \"b\"}\n",
        )
        .with(
            "b.jsonl",
            "{\"prompt\": \"b\"}\n\n{\"duration\": 5, \"prompt\": \"a\", \"tier\": null}\n",
        );
    let ids = |name, options| -> Vec<_> {
        files
            .read(name, options)
            .0
            .into_iter()
            .map(|row| row.id)
            .collect()
    };
    let first = ids("a.jsonl", ManifestOptions::new());
    let mut second = ids("b.jsonl", ManifestOptions::new());
    second.reverse();
    assert_eq!(first, second);
    assert!(first.iter().all(|id| id.len() == 16), "{first:?}");
    // A changed default is another request under the same id, which a ledger refuses, and not another item.
    let defaults = ManifestOptions::new().set("tier", "standard").unwrap();
    assert_eq!(ids("a.jsonl", defaults), first);
}

#[test]
fn defaults_apply_to_rows_without_the_field() {
    let files = Files::new().with("a.csv", "id,prompt,duration\na,p,\nb,p,9\n");
    let options = ManifestOptions::new()
        .set("duration", "7")
        .and_then(|options| options.set("tier", "standard"))
        .unwrap();
    let (rows, findings) = files.read("a.csv", options);
    assert_findings("defaults", &findings, &[]);
    let durations: Vec<_> = rows.iter().map(|row| row.request.duration()).collect();
    assert_eq!(durations, [Some(7), Some(9)]);
    assert!(rows.iter().all(|row| row.request.tier() == Tier::Standard));
    for (field, text, problem) in [
        (
            "promt",
            "a",
            "set promt is not a field, did you mean prompt?",
        ),
        ("id", "a", "set id is different in each row"),
        ("output", "a", "set output is different in each row"),
        ("cfg_scale", "high", "set cfg_scale is not JSON"),
    ] {
        let error = ManifestOptions::new()
            .set(field, text)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(problem), "{error}");
    }
}

#[test]
fn all_findings_of_all_rows_are_returned() {
    let rows = [
        r#"{"id": "ok", "prompt": "p"}"#,
        r#"{"id": "two", "promt": "p", "prompt": "p", "duration": "99", "aspect_ratio": "4:3"}"#,
        r#"{"id": "ok", "prompt": 7}"#,
        r#"{"id": "mode", "prompt": "p", "mode": "sound", "tier": "gold"}"#,
        r#"{"id": "other", "multi_prompt": ["a"], "video_url": "https://h.example/a.mp4"}"#,
        r#"{"id": "field", "mode": "text", "prompt": "p", "cfg_scale": 1}"#,
        r#"{"id": "media", "prompt": "p", "image_url": "not a file at all"}"#,
        r#"{"id": "empty"}"#,
        r#"{"id": "media", "prompt": "p", "image_url": ""}"#,
    ];
    let files = Files::new().with("a.jsonl", rows.join("\n"));
    let (rows, findings) = files.read("a.jsonl", ManifestOptions::new());
    assert_eq!(rows.len(), 1);
    assert_findings(
        "all",
        &findings,
        &[
            "a.jsonl:2: promt: is not a field, did you mean prompt? [unknown-field]",
            "a.jsonl:2: aspect_ratio: ",
            "a.jsonl:2: duration: ",
            "a.jsonl:3: id: \"ok\" is the id of row 1, too [duplicate-id]",
            "a.jsonl:3: prompt: invalid type: integer `7`, expected a string [invalid-value]",
            "a.jsonl:4: mode: \"sound\" is not one of reference, text, motion-control [unsupported-value]",
            "a.jsonl:4: tier: \"gold\" is not one of pro, standard [unsupported-value]",
            "a.jsonl:5: video_url: cannot be combined with multi_prompt in any mode [no-mode]",
            "a.jsonl:6: cfg_scale: is not a field of the mode text [unsupported-field]",
            "a.jsonl:7: image_url: \"not a file at all\" is neither a URL nor a file [missing-file]",
            "a.jsonl:8: prompt: ",
            "a.jsonl:9: id: \"media\" is the id of row 7, too [duplicate-id]",
            "a.jsonl:9: image_url: \"\" is neither a URL nor a file [missing-file]",
        ],
    );
}

#[test]
fn outputs_stay_in_the_folder_and_do_not_collide() {
    for (output, problem) in [
        ("a.mp4", ""),
        ("sub/b.mp4", ""),
        ("{row}-{id}-{stem}.mp4", ""),
        ("über.mp4", ""),
        ("../a.mp4", "is outside of the output folder"),
        ("/tmp/a.mp4", "is outside of the output folder"),
        ("sub/../../a.mp4", "is outside of the output folder"),
        ("./a.mp4", "is outside of the output folder"),
        ("sub/", "is not the name of a file"),
        ("", "is not the name of a file"),
        ("a\\b.mp4", "has a character"),
        ("C:a.mp4", "has a character"),
        ("a\nb.mp4", "has a character"),
        ("a.mp4.", "ends with a dot or a space"),
        ("Batch.DB", "is a file of the batch itself"),
        ("report.html", "is a file of the batch itself"),
        ("{name}.mp4", "has {name}, which is not"),
        ("{id.mp4", "has a brace that is not closed"),
        ("FIRST.mp4", "is the output of row 1, too"),
        ("first.mp4/b.mp4", "is below the output of row 1"),
        ("folder", "is the folder of the output of row 2"),
    ] {
        let row = serde_json::json!({"id": "x", "prompt": "p", "output": output});
        let rows = format!(
            "{{\"id\": \"first\", \"prompt\": \"p\"}}\n{{\"prompt\": \"p\", \"output\": \"Folder/a.mp4\"}}\n{row}"
        );
        let files = Files::new().with("a.jsonl", rows);
        let (rows, findings) = files.read("a.jsonl", ManifestOptions::new());
        let is_valid = problem.is_empty();
        assert_eq!(
            (rows.len() == 3, findings.is_empty()),
            (is_valid, is_valid),
            "{output}: {findings:?}"
        );
        assert!(
            findings.iter().all(|text| text.contains(problem)),
            "{output}: {findings:?}"
        );
    }
    let long = "a".repeat(201);
    let files = Files::new().with("a.csv", format!("prompt,output\np,{long}\n"));
    assert_findings(
        "long",
        &files.read("a.csv", ManifestOptions::new()).1,
        &["a.csv:2: output: has more than 200"],
    );
}

#[test]
fn output_pattern_is_expanded() {
    let files = Files::new().with("clips.csv", "id,prompt\na/b,p\nc,p\n");
    let outputs = |pattern: &str| -> Vec<_> {
        let options = ManifestOptions::new().output(pattern).unwrap();
        let (rows, findings) = files.read("clips.csv", options);
        let rows = rows.into_iter().map(|row| row.output.display().to_string());
        rows.chain(findings).collect()
    };
    assert_eq!(outputs("{stem}-{row}.mp4"), ["clips-1.mp4", "clips-2.mp4"]);
    let safe = kling_omni::download::file_stem("a/b");
    assert_eq!(
        outputs("{id}.mp4"),
        [format!("{safe}.mp4"), "c.mp4".to_owned()]
    );
    let collision = outputs("{stem}.mp4");
    assert!(
        collision[1].contains("is the output of row 1, too"),
        "{collision:?}"
    );
    let error = ManifestOptions::new().output("{seed}.mp4").unwrap_err();
    assert!(error.to_string().contains("{seed}"), "{error}");
}

#[test]
fn identical_rows_need_ids() {
    let files = Files::new().with("a.csv", "prompt\np\np\n");
    let (_, findings) = files.read("a.csv", ManifestOptions::new());
    assert_findings(
        "identical",
        &findings,
        &["a.csv:3: id: is not set, and the row equals row 1: set different ids [duplicate-id]"],
    );
}

#[test]
fn check_counts_what_will_be_paid_for() {
    let files = Files::new()
        .with("a.jsonl", JSON)
        .with("dance.mp4", "")
        .with("puppet.png", "");
    let prices = r#"{"currency": "EUR", "valid_until": "2099-12-31", "prices": [
        {"mode": "text", "tier": "pro", "per_second": "0.1"},
        {"mode": "motion-control", "tier": "pro", "per_task": "2"}
    ]}"#;
    let report = files
        .open("a.jsonl", ManifestOptions::new())
        .check()
        .unwrap();
    assert_eq!(
        (report.totals.all.tasks, report.totals.all.seconds),
        (4, 8 + 5 + u64::from(longest_video()) + 10)
    );
    let warnings = report.findings.iter().flat_map(|row| &row.findings);
    assert!(
        warnings.clone().count() == 0 && !report.has_errors(),
        "{:?}",
        report.findings
    );
    let tasks: Vec<_> = report
        .totals
        .by_mode
        .iter()
        .map(|one| (one.mode, one.cost.tasks))
        .collect();
    assert_eq!(
        tasks,
        [
            (Mode::Text, 2),
            (Mode::Reference, 1),
            (Mode::MotionControl, 1)
        ]
    );

    let guard = SpendGuard::new().max_money(Amount::default(), prices.parse().unwrap());
    let options = ManifestOptions::new().spend_guard(guard.clone());
    let report = files.open("a.jsonl", options).check().unwrap();
    assert_eq!(report.totals.all.money.to_string(), "3.3");
    let found = report.findings[0].to_string();
    assert!(
        found.contains(":3: the price table has no price for the mode reference"),
        "{found}"
    );
    assert!(report.has_errors() && report.findings.len() == 1);
    assert_eq!(guard.spent().tasks, 0);
}

#[test]
fn warnings_are_reported_and_can_be_denied() {
    let files = Files::new().with("a.csv", "prompt,shot_type\np,customize\n");
    let report = files.open("a.csv", ManifestOptions::new()).check().unwrap();
    assert_eq!(report.findings[0].findings[0].severity, Severity::Warning);
    assert!(!report.has_errors() && report.totals.all.tasks == 1);
    let (rows, findings) = files.read("a.csv", ManifestOptions::new().deny_warnings(true));
    assert_eq!((rows.len(), findings.len()), (0, 1), "{findings:?}");
}

#[test]
fn limits_are_enforced() {
    let mut limits = ManifestLimits::default();
    limits.row_bytes = 100;
    limits.rows = 2;
    let few = limits;
    let options = || ManifestOptions::new().limits(few);
    let long = format!("{{\"prompt\": \"{}\"}}", "x".repeat(200));
    let files = Files::new()
        .with("a.jsonl", format!("{long}\n{{\"prompt\": \"p\"}}\n"))
        .with(
            "b.jsonl",
            "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n{\"prompt\": \"c\"}\n{\"prompt\": \"d\"}\n",
        )
        .with("c.csv", format!("prompt\np\n\"{}", "x\n".repeat(200_000)));
    let (rows, findings) = files.read("a.jsonl", options());
    assert_eq!(rows.len(), 1);
    assert_findings(
        "long",
        &findings,
        &["a.jsonl:1: is longer than 100 bytes [row-too-long]"],
    );
    let (rows, findings) = files.read("b.jsonl", options());
    assert_eq!(rows.len(), 2);
    assert_findings(
        "many",
        &findings,
        &["b.jsonl:3: is one of more than 2 rows [too-many-rows]"],
    );
    let (rows, findings) = files.read("c.csv", options());
    assert_eq!(rows.len(), 1);
    assert_findings(
        "quote",
        &findings,
        &["c.csv:3: is longer than 100 bytes; is a quote not closed? [row-too-long]"],
    );
    limits.file_bytes = 10;
    let error = Manifest::open(files.path("a.jsonl"), options().limits(limits)).unwrap_err();
    assert!(
        error.to_string().ends_with("is larger than 10 bytes"),
        "{error}"
    );
}

/// A file, a folder or a broken link has the name of a video.
#[cfg(unix)]
#[test]
fn output_that_exists_is_an_error() {
    let names = ["file", "folder", "link", "below/file", "new", "below/new"];
    let row = |name| format!("{{\"prompt\": \"It rains\", \"output\": \"{name}\"}}\n");
    let files = Files::new()
        .with("clips.jsonl", names.map(row).concat())
        .with("file", "");
    fs::create_dir(files.path("folder")).unwrap();
    fs::create_dir(files.path("below")).unwrap();
    fs::write(files.path("below/file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", files.path("link")).unwrap();
    let options = ManifestOptions::new().set("duration", "5").unwrap();
    let manifest = files.open("clips.jsonl", options);
    let mut report = manifest.check().unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    manifest
        .check_outputs(&files.path(""), &mut report)
        .unwrap();
    assert!(report.has_errors());
    let found: Vec<_> = report.findings.iter().map(|row| row.row).collect();
    assert_eq!(found, [1, 2, 3, 4]);
    let finding = &report.findings[3].findings[0];
    assert_eq!(
        finding.to_string(),
        "output: \"below/file\" exists already in the folder of the videos [existing-output]"
    );
}

/// The reader of the crate `csv` accepts all of them.
#[test]
fn quotes_of_csv_cells_are_paired() {
    let unclosed = "has a quote that is not closed [invalid-quote]";
    let text_after =
        "has text after a closing quote; write a quote in a quoted cell twice [invalid-quote]";
    for (rows, expected) in [
        ("a,\"It rains\nb,It snows\n", &[(2, unclosed)][..]),
        ("a,It rains\nb,\"It\" snows\nc,Fog\n", &[(3, text_after)]),
        (
            "a,\"x \"y\" z\"\nb,\"\"x\nc,\"\"\"\n",
            &[(2, text_after), (3, text_after), (4, unclosed)],
        ),
        (
            "a,\"x \"\"y\"\" z\"\r\nb,a 5\" screen\r\nc,\"two\r\nlines\"\r\nd,\"\"\"x\"\"\"",
            &[],
        ),
    ] {
        let text = format!("id,prompt\n{rows}");
        let files = Files::new().with("clips.csv", text);
        let options = ManifestOptions::new().set("duration", "5").unwrap();
        let (_, findings) = files.read("clips.csv", options);
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, text)| format!("clips.csv:{line}: {text}"))
            .collect();
        assert_eq!(findings, expected, "{rows}");
    }
}
