//! `listen`: deliveries of a sandbox, and arbitrary requests.
#![cfg(unix)]

mod forwarding;
mod raw;
mod replaying;
mod secrets;
mod stopping;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

use kling_omni::request::Route;
use kling_omni::webhook::Secret;
use kling_omni_test_support::spec::{example, offered_creates};
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::support::{Program, Server, Service};

const TASK: &str = "046b6c7f-0b8a-43b9-b35d-6489e6daee91";
const VARIABLE: &str = "KLING_OMNI_WEBHOOK_SECRET";
/// No output may contain it.
const SECRET: &str = "needle-of-a-webhook-secret";
const OTHER: &str = "needle-of-another-secret";

/// A run of `listen`, with its URL.
struct Listening {
    server: Server,
    url: String,
}

impl Listening {
    fn start(program: Program) -> Self {
        let mut server = Server::start(program);
        let started = server.event();
        assert_eq!(started["event"], "listening");
        let url = started["url"].as_str().unwrap().to_owned();
        Self { server, url }
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Posts a signed body, and returns the status.
    fn post(&self, path: &str, headers: &HeaderMap, body: &str) -> u16 {
        self.send(&request("POST", path, headers, body.as_bytes()))
    }

    /// Sends bytes, and returns the status.
    fn send(&self, bytes: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.write_all(bytes).unwrap();
        status(&mut stream)
    }

    #[track_caller]
    fn event(&mut self) -> Value {
        let line = self.server.line();
        for needle in [SECRET, OTHER, "token=", "hmac="] {
            assert!(!line.contains(needle), "{line}");
        }
        serde_json::from_str(&line).unwrap()
    }
}

/// Returns a run of `listen` with the secret, in a folder.
fn listen(folder: &Path, options: &str) -> Program {
    Program::new(folder, &format!("listen {options}")).env(VARIABLE, SECRET)
}

fn status(stream: &mut TcpStream) -> u16 {
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

fn request(method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        write!(head, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// Returns the headers of a delivery that was sent `ago` seconds ago.
fn signed(secret: &str, id: &str, ago: u64, body: &str) -> HeaderMap {
    let sent_at = SystemTime::now() - Duration::from_secs(ago);
    let secret = Secret::new(secret).unwrap();
    secret.headers(id, sent_at, body.as_bytes()).unwrap()
}

fn task(status: &str, results: &[&str]) -> String {
    serde_json::json!({"task_id": TASK, "status": status, "generated": results}).to_string()
}

const RESULT: &str = "https://result.example/kling.mp4?token=hmac=00ff";

/// Each creating route gets the example of its body.
#[test]
fn receives_deliveries_of_every_route() {
    let service =
        Service::start(|builder| builder.task_time(Duration::ZERO).webhook_secret(SECRET));
    let count = 2 * offered_creates().count();
    let options = format!("--json --exit-after {count}");
    let mut listening = Listening::start(listen(service.folder(), &options));
    for create in offered_creates() {
        let spec = create.spec();
        let mut body = example(create).unwrap().to_unchecked_body();
        body["webhook_url"] = format!("{}/hook", listening.url).into();
        let route = spec.route.parse::<Route>();
        let route = route.map_or_else(|_| String::new(), |route| format!("--route {route}"));
        let (mode, tier) = (spec.mode, spec.tier);
        let line = format!("generate --no-wait -r - --mode {mode} --tier {tier} {route}");
        let program = service.program(&line).stdin(body.to_string());
        let created = program.run().expect(0);
        for status in ["IN_PROGRESS", "COMPLETED"] {
            let event = listening.event();
            assert_eq!(event["verdict"], "accepted", "{event}");
            assert_eq!(event["status"], status, "{event}");
            assert_eq!(event["task_id"], created.stdout.trim(), "{event}");
        }
        let requests = service.requests();
        let sent = requests.last().and_then(|request| request.operation_id());
        assert_eq!(sent, Some(spec.operation.id));
    }
}

#[test]
fn forwards_saves_and_replays_deliveries() {
    let service = Service::start(|builder| {
        builder
            .task_time(Duration::ZERO)
            .webhook_secret(SECRET)
            .fault("webhook:forged@1".parse().unwrap())
    });
    let mut last = Listening::start(
        Program::new(
            service.folder(),
            "listen --json --exit-after 2 --secret-env OTHER",
        )
        .env("OTHER", OTHER),
    );
    let mut first = Listening::start(
        listen(
            service.folder(),
            "--json --exit-after 2 --save saved.jsonl --forward-secret-env OTHER --forward",
        )
        .arg(&last.url)
        .env("OTHER", OTHER),
    );
    let created = service
        .program("generate -p puppet --no-wait --webhook-url")
        .arg(&format!("{}/hook?token=secret", first.url))
        .run()
        .expect(0);
    let id = created.stdout.trim().to_owned();

    let forged = first.event();
    assert_eq!(forged["event"], "rejected");
    assert_eq!(
        (&forged["kind"], &forged["http_status"]),
        (&"bad_signature".into(), &401.into())
    );
    for (status, results) in [("IN_PROGRESS", 0), ("COMPLETED", 1)] {
        let (event, forwarded) = (first.event(), last.event());
        assert_eq!(event["verdict"], "accepted", "{event}");
        assert_eq!(event["status"], status, "{event}");
        assert_eq!(event["results"], results, "{event}");
        assert_eq!(event["forwarded"]["http_status"], 200, "{event}");
        for key in [
            "delivery_id",
            "task_id",
            "status",
            "verdict",
            "url_expires_at",
        ] {
            assert_eq!(event[key], forwarded[key], "{key}");
        }
        assert_eq!(event["task_id"], id, "{event}");
    }
    first.server.running.end().expect(0);
    last.server.running.end().expect(0);
    assert_eq!(service.wait_for_deliveries(3).len(), 3);

    let again = listen(service.folder(), "--replay saved.jsonl --json")
        .run()
        .expect(0);
    let again: Vec<Value> = again
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let verdicts: Vec<_> = again.iter().map(|event| &event["verdict"]).collect();
    assert_eq!(verdicts, ["accepted", "accepted"]);
    assert!(
        again
            .iter()
            .all(|event| event["task_id"] == id && event["http_status"].is_null()),
        "{again:?}"
    );
}
