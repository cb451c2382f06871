//! A process that checks a destination or saves a video, killed instead of each system call that changes a file. Needs strace.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use kling_omni::download::Destination;
use kling_omni::{ApiKey, Client};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::{KEY, task};
use kling_omni_test_support::strace::has_strace;
use tempfile::TempDir;

const BASE_URL: &str = "SAVE_BASE_URL";
const FOLDER: &str = "SAVE_FOLDER";
const STEP: &str = "SAVE_STEP";
const VIDEO: &str = "clip.mp4";
const SIDECAR: &str = "clip.mp4.json";
/// What a killed process leaves: the temporary files of the check and of the save, and what the check publishes.
const LEFT: [&str; 6] = [
    ".kling-omni-check-clipmp4-0.part",
    ".kling-omni-check-clipmp4json-0.part",
    ".kling-omni-a-0.part",
    ".kling-omni-clipmp4json-0.part",
    "4pm.pilc",
    "nosj.4pm.pilc",
];
/// The system calls that create, lock and change files.
const CALLS: [&str; 8] = [
    "openat",
    "flock",
    "write",
    "ftruncate",
    "fsync",
    "?rename,?renameat,?renameat2",
    "?link,?linkat",
    "?unlink,?unlinkat",
];

#[test]
#[ignore = "it is the process that the test starts and kills"]
fn process() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // Each thread counts its own calls.
    let runtime = runtime.max_blocking_threads(2).enable_all();
    let runtime = runtime.build().unwrap();
    let [base_url, folder, step] = [BASE_URL, FOLDER, STEP].map(|name| env::var(name).unwrap());
    runtime.block_on(async {
        let folder = Path::new(&folder);
        match step.as_str() {
            "check" => check(folder).await,
            _ => save(&base_url, folder).await,
        }
    });
}

async fn check(folder: &Path) {
    let destination = Destination::new(folder.join(VIDEO)).overwrite(true);
    let destination = destination.sidecar(true).required_space(100_000);
    destination.check().await.unwrap();
}

async fn save(base_url: &str, folder: &Path) {
    let client = Client::builder().api_key(ApiKey::new(KEY).unwrap());
    let client = client.base_url(base_url).build().unwrap();
    let video = client.task("a").wait().await.unwrap();
    let save = video.save(folder.join(VIDEO)).overwrite(true);
    save.sidecar(true).await.unwrap();
}

/// Runs a step in a process, which is killed instead of the call with this number. Returns whether it was.
async fn kill(base_url: &str, folder: &Path, step: &str, calls: &str, number: usize) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null"]);
    strace.arg("-P").arg(folder);
    for name in LEFT.iter().chain(&[VIDEO, SIDECAR]) {
        strace.arg("-P").arg(folder.join(name));
    }
    strace.args(["-e", &format!("inject={calls}:signal=KILL:when={number}")]);
    strace.arg(env::current_exe().unwrap());
    strace.args(["killed_save::process", "--exact", "--ignored"]);
    strace.env(BASE_URL, base_url).env(FOLDER, folder);
    strace.env(STEP, step);
    strace.stdout(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || strace.status().unwrap());
    !ended.await.unwrap().success()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[tokio::test]
async fn next_run_leaves_only_the_video() {
    if !has_strace() {
        return;
    }
    let file = mp4(1_000);
    let host = Fake::start(vec![Reply::http(200, &[], &file)]).await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    let api = Fake::start(vec![Reply::json(200, &task("a", "COMPLETED", &[&url]))]).await;
    let mut left = BTreeSet::new();
    let runs = ["check", "save"].into_iter();
    let runs = runs.flat_map(|step| CALLS.map(|calls| (step, calls)));
    for (step, calls) in runs {
        for number in 1.. {
            let folder = TempDir::new().unwrap();
            let folder = folder.path();
            if !kill(api.base_url(), folder, step, calls, number).await {
                break;
            }
            left.extend(names(folder));
            check(folder).await;
            save(api.base_url(), folder).await;
            let at = format!("{step}, {calls} {number}");
            let expected = [VIDEO, SIDECAR].map(str::to_owned);
            assert_eq!(names(folder), expected.into(), "{at}");
            assert_eq!(fs::read(folder.join(VIDEO)).unwrap(), file, "{at}");
        }
    }
    for name in LEFT {
        assert!(left.contains(name), "no kill left {name}: {left:?}");
    }
}
