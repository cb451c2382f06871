//! Batches: `batch run` and the commands beside it.

#[cfg(feature = "object-store")]
mod bucket;
mod checking;
mod checking_media;
mod continuing;
#[cfg(unix)]
mod controlling;
mod costs;
mod deciding;
mod diagnosing;
#[cfg(unix)]
mod drawing;
mod ending;
mod in_postgres;
#[cfg(unix)]
mod interrupting;
mod metrics;
mod page;
mod readme;
mod stable_names;
mod webhooks;
mod workers;

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Ended, Program, Service};

/// Runs whose tasks are polled so often that a test does not wait for them.
const RUN: &str = "batch run clips.jsonl --out clips --yes --poll-interval 0.1";

/// Writes a manifest of rows with an id and a prompt.
fn write_rows<'a>(service: &Service, rows: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let rows = rows.into_iter().map(|(id, prompt)| {
        json!({"id": id, "prompt": prompt, "duration": "3"}).to_string() + "\n"
    });
    let text: String = rows.collect();
    fs::write(service.folder().join("clips.jsonl"), text).unwrap();
}

/// Writes a manifest of so many rows, `row-1` and so on, each with its own prompt.
fn write_many(service: &Service, count: usize) {
    let rows: Vec<_> = (1..=count)
        .map(|number| (format!("row-{number}"), format!("A cat, number {number}")))
        .collect();
    write_rows(service, rows.iter().map(|(id, prompt)| (&**id, &**prompt)));
}

/// A service whose tasks take a second.
fn one_second() -> Service {
    Service::start(|builder| builder.task_time(Duration::from_secs(1)))
}

/// Starts a run of the manifest with more options.
fn program(service: &Service, options: &str) -> Program {
    service.program(&format!("{RUN} {options}"))
}

/// Runs the manifest with more options.
fn run(service: &Service, options: &str) -> Ended {
    program(service, options).run()
}

/// Runs a command about the ledger.
fn about(service: &Service, line: &str) -> Ended {
    service.program(&format!("batch {line} --out clips")).run()
}

/// The status of the only batch, as JSON.
fn counts(service: &Service) -> Value {
    about(service, "status --json").expect(0).json()["counts"].clone()
}

/// The names of the videos.
fn videos(service: &Service) -> Vec<String> {
    let files = fs::read_dir(service.folder().join("clips")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut videos: Vec<_> = names.filter(|name| name.ends_with(".mp4")).collect();
    videos.sort();
    videos
}

/// The lines of `results.jsonl`.
fn results(service: &Service) -> Vec<Value> {
    let text = fs::read_to_string(service.folder().join("clips/results.jsonl")).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
