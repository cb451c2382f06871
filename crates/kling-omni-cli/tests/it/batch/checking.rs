//! Rows are checked before anything is paid for.

use std::fs;

use super::{about, run, write_many, write_rows};
use crate::support::{Service, Snapshots, copy_fixtures};

/// Rows with errors of all kinds, among valid ones.
const INVALID: &str = r#"{"id": "rain", "prompt": "It rains on paper roofs"}
{"id": "snow", "prompt": "It snows", "duration": 99}
{"id": "rain", "prompt": "It rains again"}
{"id": "fog", "promt": "It is foggy"}
{"id": "hail", "prompt": "It hails", "output": "RAIN.mp4"}
{"id": "storm", "prompt": "It storms", "output": "../storm.mp4"}
{"id": "wind",
{"id": "dance", "prompt": "@Video1 dances", "video_url": "long.mp4"}
{"id": "lost", "prompt": "@Video1 dances", "video_url": "nowhere.mp4"}
"#;

#[test]
fn all_findings_are_printed_and_nothing_is_sent() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    copy_fixtures(service.folder(), &["long.mp4"]);
    fs::write(service.folder().join("clips.jsonl"), INVALID).unwrap();
    snapshots.check("batch-run-invalid", run(&service, "").expect(2));
    let check = service.program("batch check clips.jsonl").run().expect(9);
    snapshots.check("batch-check-invalid", check);
    assert_eq!(service.charges(), 0);
    assert_eq!(service.files(), ["clips.jsonl", "long.mp4"]);
}

#[test]
fn totals_tell_what_a_run_pays_for() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    fs::write(
        service.folder().join("clips.csv"),
        "id,prompt,duration,tier,video_url\n\
         rain,It rains,5,,\n\
         snow,It snows,10,standard,\n\
         dance,@Video1 dances,,,https://example.com/dance.mp4\n",
    )
    .unwrap();
    fs::write(
        service.folder().join("prices.json"),
        r#"{"currency": "credits", "valid_until": "2099-12-31", "prices": [
            {"mode": "text", "tier": "pro", "per_second": 10},
            {"mode": "text", "tier": "standard", "per_second": "7.5"},
            {"mode": "reference", "tier": "pro", "per_second": 15}]}"#,
    )
    .unwrap();
    for (name, options) in [
        ("batch-check", ""),
        ("batch-check-prices", "--price-table prices.json"),
        ("batch-check-set", "--set duration=3 --set tier=pro"),
    ] {
        let line = format!("batch check clips.csv {options}");
        snapshots.check(name, service.program(&line).run().expect(0));
    }
    assert_eq!(service.files(), ["clips.csv", "prices.json"]);
}

#[test]
fn without_a_terminal_a_run_has_to_be_confirmed() {
    let mut snapshots = Snapshots::default();
    let service = Service::quick();
    write_many(&service, 3);
    let run = || service.program("batch run clips.jsonl --out clips");
    snapshots.check("batch-run-unconfirmed", run().stdin("y\n").run().expect(2));
    assert_eq!(service.charges(), 0);
    run().arg("--yes").run().expect(0);
    // Nothing is left to pay for, so nothing is asked.
    run().run().expect(0);
    assert_eq!(service.charges(), 3);
}

#[test]
fn a_changed_row_is_refused() {
    let service = Service::quick();
    write_rows(&service, [("rain", "It rains")]);
    run(&service, "").expect(0);
    write_rows(&service, [("rain", "It pours")]);
    let ended = run(&service, "").expect(2);
    assert!(ended.stderr.contains("\"rain\""), "{ended}");
    assert!(ended.stderr.contains("charged: no"), "{ended}");
    // Another batch does not replace the results of this one.
    let ended = run(&service, "--name other").expect(2);
    assert!(ended.stderr.contains("has the batch \"clips\""), "{ended}");
    assert_eq!(service.charges(), 1);
}

/// Otherwise, other rows would be paid for before it is noticed.
#[test]
fn video_that_exists_refuses_a_new_batch() {
    let service = Service::quick();
    write_rows(&service, [("rain", "It rains"), ("snow", "It snows")]);
    let video = service.folder().join("clips/snow.mp4");
    fs::create_dir(service.folder().join("clips")).unwrap();
    fs::write(&video, "mine").unwrap();
    let finding = "clips.jsonl:2: output: \"snow.mp4\" exists already in the folder of the videos \
        [existing-output]\n";
    let check = service.program("batch check clips.jsonl --out clips");
    let check = check.run().expect(9);
    assert!(check.stdout.starts_with(finding), "{check}");
    let ended = run(&service, "").expect(2);
    assert!(ended.stderr.starts_with(finding), "{ended}");
    assert!(ended.stderr.contains("charged: no"), "{ended}");
    assert_eq!(fs::read_to_string(&video).unwrap(), "mine");
    let files = fs::read_dir(video.parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1, "there is no ledger");
    fs::remove_file(&video).unwrap();
    run(&service, "--sample 1").expect(0);
    // The first video of the batch itself exists now.
    let check = |options: &str| {
        let line = format!("batch check clips.jsonl --out clips {options}");
        service.program(&line).run()
    };
    check("").expect(0);
    let ended = check("--name other").expect(2);
    assert!(ended.stderr.contains("has the batch \"clips\""), "{ended}");
    run(&service, "").expect(0);
    assert_eq!(service.charges(), 2);
}

/// A ledger that is lost does not pay for everything again.
#[test]
fn results_without_their_ledger_refuse_a_new_batch() {
    let service = Service::quick();
    write_rows(&service, [("rain", "It rains [sandbox:fail]")]);
    run(&service, "").expect(4);
    let ledger = service.folder().join("clips/batch.db");
    fs::rename(&ledger, service.folder().join("elsewhere.db")).unwrap();
    for line in [
        "batch run clips.jsonl --out clips --yes",
        "batch run clips.jsonl --out clips --yes --db other.db",
        "batch check clips.jsonl --out clips",
    ] {
        let ended = service.program(line).run().expect(2);
        let text = "has the results.jsonl of a batch that";
        assert!(ended.stderr.contains(text), "{ended}");
        assert!(ended.stderr.contains("charged: no"), "{ended}");
    }
    run(&service, "--db elsewhere.db").expect(4);
    assert_eq!(service.charges(), 1);
    assert!(!ledger.exists() && !service.folder().join("other.db").exists());
}

#[test]
fn a_folder_of_media_files_needs_a_template() {
    let service = Service::quick();
    let clips = service.folder().join("media");
    fs::create_dir(&clips).unwrap();
    copy_fixtures(&clips, &["dance.mp4", "stage.png"]);
    let template = "prompt: '@Video1 as {stem}'\nvideo_url: '{file}'\n";
    fs::write(service.folder().join("puppet.yaml"), template).unwrap();
    let line = "batch run media --template puppet.yaml --out clips --yes --poll-interval 0.1";
    let ended = service.program(line).run().expect(0);
    assert!(
        ended.stderr.contains("1 file of the folder ignored"),
        "{ended}"
    );
    assert!(ended.stdout.ends_with("dance.mp4\n"), "{ended}");
    assert_eq!(service.bodies()[0]["prompt"], "@Video1 as dance");
    assert!(
        about(&service, "status")
            .expect(0)
            .stdout
            .starts_with("media: done")
    );
}
