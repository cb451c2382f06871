//! What `--journal` and `--resume` keep of an account's tasks between runs.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use kling_omni::{ApiKey, Client, Tier, VideoReference};

use crate::support::{Ended, KEY, Program, Service};

/// A request whose tasks are on the paginated list.
const DANCE: &str = "-p @Video1 --video https://example.com/dance.mp4 -d 3 --route reference-to-video --no-wait \
     --max-retries 0 --settle-time 0s";

/// The state folder of a service's tests.
const STATE: &str = "state";

fn start() -> Service {
    Service::start(|builder| {
        builder
            .task_time(Duration::ZERO)
            .rate_limit(u32::MAX)
            .record_limit(100_000)
    })
}

fn program(service: &Service, line: &str) -> Program {
    let state = service.folder().join(STATE);
    let program = service.program(line);
    program.env("XDG_STATE_HOME", state.to_str().unwrap())
}

fn generate(service: &Service, journal: &str) -> Program {
    program(service, &format!("generate {DANCE} --journal {journal}"))
}

/// The task that a run created.
fn created(ended: Ended) -> String {
    let ended = ended.expect(0);
    assert!(!ended.stderr.contains("warning"), "{ended}");
    ended.stdout.trim().to_owned()
}

fn list_requests(service: &Service) -> usize {
    let requests = service.requests();
    let lists = requests.iter().filter(|request| {
        request.method() == "GET"
            && request
                .path()
                .ends_with("/reference-to-video/kling-v3-omni")
    });
    lists.count()
}

/// The files with known tasks.
fn state_files(service: &Service) -> Vec<PathBuf> {
    let folder = service.folder().join(STATE).join("kling-omni");
    let files = folder.read_dir().unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| !file.ends_with("salt")).collect();
    files.sort();
    files
}

fn state_file(service: &Service) -> PathBuf {
    let files = state_files(service);
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// Creates tasks as another client of the account does.
fn make(service: &Service, count: usize) {
    let client = Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .base_url(service.base_url())
        .route(kling_omni::request::Route::ReferenceToVideo)
        .build()
        .unwrap();
    let body = VideoReference::builder()
        .prompt("Like @Video1")
        .reference_video("https://example.com/dance.mp4")
        .to_unchecked_body();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(stream::iter(0..count).for_each_concurrent(8, |_| async {
        client
            .create_unchecked(Tier::Pro, body.clone())
            .await
            .unwrap();
    }));
}

#[test]
fn second_create_reads_the_newest_tasks_only() {
    let service = start();
    make(&service, 12_000);
    created(generate(&service, "first.journal").run());
    let baseline = list_requests(&service);
    assert!(baseline >= 2 * 120, "{baseline}");
    for name in ["second.journal", "third.journal"] {
        let before = list_requests(&service);
        created(generate(&service, name).run());
        let requests = list_requests(&service) - before;
        assert!(requests <= 3, "{requests}");
        let journal = fs::read(service.folder().join(name)).unwrap();
        assert!(journal.len() < 4_096, "{}", journal.len());
    }

    // A lost response is found with one more request.
    service.inject("create:drop@1".parse().unwrap());
    let before = list_requests(&service);
    let id = created(generate(&service, "lost.journal").run());
    assert_eq!(service.tasks().last().unwrap().id(), id);
    assert!(list_requests(&service) - before <= 3);
    assert_eq!(service.charges(), 12_004);

    let text = fs::read_to_string(state_file(&service)).unwrap();
    assert!(text.len() < 700_000, "{}", text.len());
    assert!(!text.contains(KEY));
    assert!(!state_file(&service).to_str().unwrap().contains(KEY));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for (path, mode) in [
            (state_file(&service), 0o600),
            (service.folder().join(STATE).join("kling-omni"), 0o700),
        ] {
            let permissions = fs::metadata(path).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, mode);
        }
    }
}

/// Runs a create whose response is lost and whose task cannot be searched for.
fn lose(service: &Service, journal: &str) {
    service.inject("create:drop@1".parse().unwrap());
    // The list is read before the create: one page and the empty one. All later reads fail.
    service.inject("list:503@3-".parse().unwrap());
    generate(service, journal).run().expect(8);
    service.clear_faults();
}

#[test]
fn resume_uses_the_same_file() {
    let service = start();
    make(&service, 3);
    let own = created(generate(&service, "first.journal").run());
    lose(&service, "lost.journal");
    let resume = |options: &str| {
        program(
            &service,
            &format!("generate --resume lost.journal --no-wait {options}"),
        )
    };
    // It is not a task that is known to be older, or to belong to another create.
    let ended = resume(&format!("--task {own}")).run().expect(2);
    assert!(
        ended.stderr.contains("existed before the create"),
        "{ended}"
    );
    let id = created(resume("").run());
    assert_eq!(service.tasks().last().unwrap().id(), id);
    assert_eq!(service.charges(), 5);
    assert!(
        fs::read_to_string(state_file(&service))
            .unwrap()
            .contains(&id)
    );
}

#[test]
fn missing_file_leaves_the_outcome_unknown() {
    let service = start();
    make(&service, 3);
    created(generate(&service, "first.journal").run());
    let older = fs::read(state_file(&service)).unwrap();
    created(generate(&service, "second.journal").run());
    lose(&service, "lost.journal");
    // The file is gone, an older one has taken its place, or it is damaged.
    for replaced in [None, Some(older), Some(b"a list\n".to_vec())] {
        let file = state_file(&service);
        match replaced {
            None => fs::remove_file(&file).unwrap(),
            Some(bytes) => fs::write(&file, bytes).unwrap(),
        }
        let ended = program(&service, "generate --resume lost.journal --json").run();
        let ended = ended.expect(8);
        let error = &ended.json()["error"];
        assert_eq!(error["charged"], "unknown", "{ended}");
        assert!(
            ended.stderr.contains("is missing or was replaced"),
            "{ended}"
        );
        fs::write(&file, "").unwrap();
    }
    // The user can still decide.
    let id = service.tasks().last().unwrap().id().to_owned();
    let line = format!("generate --resume lost.journal --no-wait --task {id}");
    assert_eq!(created(program(&service, &line).run()), id);
}

#[test]
fn unusable_file_falls_back_to_the_list() {
    let service = start();
    make(&service, 3);
    created(generate(&service, "first.journal").run());
    let file = state_file(&service);
    let text = fs::read_to_string(&file).unwrap();
    let damaged = text.replacen("reference ", "reference x", 1);
    for (name, contents) in [("damaged", damaged.as_str()), ("foreign", "a list\n")] {
        fs::write(&file, contents).unwrap();
        let ended = generate(&service, &format!("{name}.journal"))
            .run()
            .expect(0);
        assert!(
            ended.stderr.contains("the complete list is read"),
            "{ended}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), contents);
    }
    // A folder that cannot be created.
    let line = format!("generate {DANCE} --journal blocked.journal");
    let blocked = file.to_str().unwrap();
    let ended = service.program(&line).env("XDG_STATE_HOME", blocked).run();
    let ended = ended.expect(0);
    assert!(
        ended.stderr.contains("the complete list is read"),
        "{ended}"
    );
    // Without a folder, there is nothing to warn about.
    let line = format!("generate {DANCE} --journal without.journal");
    created(service.program(&line).run());
    created(
        service
            .program(&line.replace("without", "relative"))
            .env("XDG_STATE_HOME", "state")
            .run(),
    );
    assert_eq!(service.charges(), 3 + 6);
}

#[test]
fn interrupted_write_is_ignored() {
    let service = start();
    make(&service, 3);
    created(generate(&service, "first.journal").run());
    let file = state_file(&service);
    let text = fs::read_to_string(&file).unwrap();
    let ends: Vec<_> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    for (name, end) in ends.iter().map(|end| end + 7).chain([0, 5]).enumerate() {
        // Longer than what is written over it.
        let rest = "x".repeat(10_000);
        fs::write(
            &file,
            text[..end.min(text.len() - 3)].to_owned() + rest.as_str(),
        )
        .unwrap();
        created(generate(&service, &format!("{name}.journal")).run());
        let written = fs::read_to_string(&file).unwrap();
        assert!(written.ends_with('\n') && written.starts_with("kling-omni known tasks 1\n"));
    }
}

#[test]
fn accounts_have_files_of_their_own() {
    let one =
        Service::start(|builder| builder.task_time(Duration::ZERO).api_keys([KEY, "another"]));
    one.task("older");
    created(generate(&one, "one.journal").run());
    let line = generate(&one, "two.journal").env("FREEPIK_API_KEY", "another");
    created(line.run());
    assert_eq!(state_files(&one).len(), 2);
    let home = one.folder().join("home");
    let line = format!("generate {DANCE} --journal three.journal");
    let program = one.program(&line).env("HOME", home.to_str().unwrap());
    created(program.run());
    assert!(home.join(".local/state/kling-omni/salt").is_file());
}

/// Failpoints exist in debug builds only.
#[cfg(debug_assertions)]
#[test]
fn killed_run_is_resumed_with_the_file() {
    for (fault, failpoint) in [
        // Before the request was sent, after its response was lost, and after the response arrived.
        (None, "after sending"),
        (Some("create:drop@1"), "before unconfirmed"),
        (None, "before created"),
    ] {
        let service = start();
        make(&service, 3);
        created(generate(&service, "first.journal").run());
        if let Some(fault) = fault {
            service.inject(fault.parse().unwrap());
        }
        let run = generate(&service, "killed.journal").env("KLING_OMNI_FAILPOINT", failpoint);
        let mut run = run.start();
        run.until(&format!("stopped at {failpoint}"));
        run.child.kill().unwrap();
        run.child.wait().unwrap();
        // A create of another run does not become the task of the killed one.
        let other = created(generate(&service, "other.journal").run());
        let id = created(
            program(
                &service,
                &format!("generate {DANCE} --resume killed.journal"),
            )
            .run(),
        );
        assert_ne!(id, other, "{failpoint}");
        assert_eq!(service.charges(), 4 + 2, "{failpoint}");
    }
}

#[test]
fn concurrent_runs_share_the_file() {
    let service = start();
    make(&service, 3);
    let runs: Vec<_> = (0..4)
        .map(|number| generate(&service, &format!("{number}.journal")).start())
        .collect();
    let mut tasks: Vec<_> = runs.into_iter().map(|run| created(run.end())).collect();
    // The journals of all runs belong to one set: an unknown outcome among them could be settled.
    created(generate(&service, "last.journal").run());
    let text = fs::read_to_string(state_file(&service)).unwrap();
    tasks.retain(|id| !text.contains(&**id));
    assert!(tasks.is_empty(), "{tasks:?}");
    let sets: std::collections::BTreeSet<_> = (0..4)
        .map(|number| {
            let journal = service.folder().join(format!("{number}.journal"));
            let journal = fs::read_to_string(journal).unwrap();
            let (_, set) = journal.split_once(r#""set":""#).unwrap();
            set[..16].to_owned()
        })
        .collect();
    assert_eq!(sets.len(), 1, "{sets:?}");
}
