//! Log events: their messages, levels and fields, and the page that lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kling_omni::polling::PollSchedule;
use kling_omni::{ApiKey, Client};
use kling_omni_sandbox::Sandbox;
use kling_omni_test_support::log::Log;
use kling_omni_test_support::setup::{KEY, valid_request};
use kling_omni_test_support::{fail_on, sources};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::snapshots;

/// Fields whose values are the same in each run. Of all others, only the name is compared.
const STABLE: &[&str] = &[
    "attempt",
    "charged",
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "list",
    "operation",
    "status",
    "url.path",
];

/// Records the distinct events of the crate. How often polls happen is random, so their number and order are not recorded.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<BTreeSet<String>>>);

impl Recorder {
    fn take(&self, title: &str, ids: &[&str]) -> String {
        let mut text = format!("# {title}\n");
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        let events = events.into_iter().map(|event| {
            let masked = |event: String, id: &&str| event.replace(*id, "[task_id]");
            ids.iter().fold(event, masked)
        });
        for event in events.collect::<BTreeSet<_>>() {
            writeln!(text, "{event}").unwrap();
        }
        text.push('\n');
        text
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    values: BTreeMap<&'static str, String>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => {
                self.values.insert(name, format!("{value:?}"));
            }
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.values.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("kling_omni::")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let (level, target) = (metadata.level(), metadata.target());
        let mut line = format!("{level} {target}: {}", fields.message);
        for (name, value) in fields.values {
            match STABLE.contains(&name) {
                true => write!(line, " {name}={value}").unwrap(),
                false => write!(line, " {name}").unwrap(),
            }
        }
        self.0.lock().unwrap().insert(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn events_of_a_task_from_create_to_save() {
    // Keeps all events enabled while other tests run.
    drop(Log::default().subscriber());
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let sandbox = Sandbox::builder()
        .api_key(KEY)
        .task_time(Duration::from_secs(60))
        .fault("create:429=1@1".parse().unwrap())
        .fault("status:503@1".parse().unwrap());
    let sandbox = sandbox.start().await.unwrap();
    let client = Client::builder()
        .api_key(ApiKey::new(KEY).unwrap())
        .base_url(sandbox.base_url())
        .build()
        .unwrap();

    // A list is polled from four tasks on.
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let request = valid_request().build().unwrap();
        tasks.push(client.create(request).await.unwrap());
    }
    let ids: Vec<_> = tasks.iter().map(|task| task.id()).collect();
    let mut text = recorder.take("create", &ids);

    let schedule = PollSchedule::fixed(Duration::from_secs(10));
    let videos = client.watch(&tasks).schedule(schedule).wait_all().await;
    text += &recorder.take("wait", &ids);

    let folder = tempfile::tempdir().unwrap();
    let video = videos.into_iter().next().unwrap().unwrap();
    video.save(folder.path().join("clip.mp4")).await.unwrap();
    text += &recorder.take("save", &ids);

    let mut snapshots = snapshots("logs");
    snapshots.check("life-of-a-task", text.trim_end());
    snapshots.finish();
}

/// The level, the message and the fields of an event.
type Entry = (String, String, BTreeSet<String>);

/// The events in the source of the crate.
fn events_in_code() -> Vec<Entry> {
    let mut events = Vec::new();
    for path in sources::files_below("crates/kling-omni/src") {
        let text = sources::read(&path);
        for (at, _) in text.match_indices("tracing::") {
            let rest = &text[at + "tracing::".len()..];
            let Some((level, rest)) = rest.split_once("!(") else {
                continue;
            };
            if ["error", "warn", "info", "debug", "trace"].contains(&level) {
                let mut arguments = arguments(rest);
                let message = arguments.pop().unwrap_or_default();
                let message = message.trim_matches('"').to_owned();
                let fields = arguments.iter().map(|argument| field_name(argument));
                events.push((level.to_owned(), message, fields.collect()));
            }
        }
    }
    events
}

/// The arguments of a macro call whose opening parenthesis is just before `text`.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut in_string) = (0, false);
    let mut arguments = vec![String::new()];
    for c in text.chars() {
        match c {
            '"' => in_string = !in_string,
            _ if in_string => {}
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        arguments.last_mut().unwrap().push(c);
    }
    let arguments = arguments.iter().map(|argument| argument.trim().to_owned());
    arguments.filter(|argument| !argument.is_empty()).collect()
}

fn field_name(argument: &str) -> String {
    let name = argument.split(" = ").next().unwrap_or_default();
    name.trim_start_matches(['%', '?']).to_owned()
}

/// The events on the page: the rows of its tables.
fn events_on_page() -> Vec<Entry> {
    let page = sources::read("docs/logging.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let events = cells.filter(|cells| cells[2].starts_with('`'));
    let events = events.map(|cells| {
        let fields = cells[3]
            .split(',')
            .map(|field| field.trim().trim_matches('`'));
        let fields = fields.filter(|field| !field.is_empty());
        let message = cells[2].trim_matches('`').to_owned();
        (
            cells[1].to_owned(),
            message,
            fields.map(str::to_owned).collect(),
        )
    });
    events.collect()
}

#[test]
fn page_lists_every_event() {
    let (code, page) = (events_in_code(), events_on_page());
    assert!(code.len() > 20, "{code:?}");
    let missing = code.iter().filter(|event| !page.contains(event));
    let stale = page.iter().filter(|event| !code.contains(event));
    let missing = missing.map(|event| format!("docs/logging.md does not list {event:?}"));
    let stale =
        stale.map(|event| format!("docs/logging.md lists {event:?}, which is not in the code"));
    fail_on(missing.chain(stale));
}
