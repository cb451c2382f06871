//! Responses of the service to a create, a status and a list.

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use kling_omni::polling::TaskState;
use kling_omni::{ApiKey, Charged, Client, Error, Mode, TextToVideo, reqwest};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const KEY: &str = "FPSX-needle-of-a-key";
/// The task that is asked for.
const TASK: &str = "192e8a86-eabf-40ce-b92a-33c6b7c2173d";

/// A number, a content type and, after the first line, a body: what the service answers to a create, a status, and a
/// list. What our types say of it is what the body says; what cannot be read is an error that does not claim too much.
pub fn response(data: &[u8]) {
    let Some(answer) = Answer::parse(data) else {
        return;
    };
    let mut service = SERVICE.lock().unwrap_or_else(PoisonError::into_inner);
    // Unread values need not be text.
    let body: Option<Value> = json(&String::from_utf8_lossy(&answer.body));
    let task = body.as_ref().and_then(|body| field(body, "data", 0));
    let (created, read, listed) = service.ask(&answer);
    let text = String::from_utf8_lossy(&answer.body);
    match created {
        Ok((_, Some(state))) => assert!(is_of(&state, task), "{state:?} from {task:?}"),
        // Named in another form than documented.
        Ok((id, None)) => assert!(answer.status < 300 && is_id(&id), "{id:?} from {text}"),
        Err(error) => {
            looks_well(&error);
            // The others of the class may come after a task was made.
            let is_refused = matches!(
                answer.status,
                400..=405 | 407 | 410..=417 | 421 | 422 | 425 | 426 | 428 | 429 | 431 | 451
            );
            let is_unknown = error.charged() == Charged::Unknown;
            assert!(is_unknown || is_refused, "{error:?}");
            // A refusal that may name a task leaves that open.
            let may_name = !error.candidates().is_empty() && text.contains("id");
            assert!(!is_unknown || !is_refused || may_name, "{error:?}");
        }
    }
    match read {
        Ok(state) => {
            assert_eq!(state.id(), TASK);
            assert!(is_of(&state, task), "{state:?} from {task:?}");
        }
        Err(error) => looks_well(&error),
    }
    match listed {
        Ok(ids) => {
            let is_without_tasks = answer.status == 404;
            let tasks = task.filter(|_| !is_without_tasks).and_then(Value::as_array);
            let tasks = tasks.into_iter().flatten();
            for (id, task) in ids.iter().zip(tasks.clone()) {
                let said = field(task, "task_id", 1).and_then(Value::as_str);
                assert!(id.is_empty() || said == Some(id), "{id:?} from {task:?}");
            }
            assert_eq!(ids.len(), tasks.count());
        }
        Err(error) => looks_well(&error),
    }
}

/// The JSON in a text, around which there may be a little else.
fn json(text: &str) -> Option<Value> {
    let at = |from| {
        serde_json::Deserializer::from_str(&text[from..])
            .into_iter()
            .next()?
            .ok()
    };
    let starts = text
        .char_indices()
        .filter(|(_, c)| !c.is_ascii_alphanumeric());
    serde_json::from_str(text).ok().or_else(|| {
        starts.map(|(start, _)| start).find_map(|start| {
            at(start).filter(|value: &Value| value.is_object() || value.is_array())
        })
    })
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024
}

/// A field by its name or, since the reader of our types takes lists for objects, by its place among the others.
fn field<'a>(value: &'a Value, name: &str, place: usize) -> Option<&'a Value> {
    match value {
        Value::Array(values) => values.get(place),
        _ => value.get(name),
    }
}

/// Whether a state says what the JSON does.
fn is_of(state: &TaskState, task: Option<&Value>) -> bool {
    let field = |name, place| task.and_then(|task| field(task, name, place));
    let text = |name, place| field(name, place).and_then(Value::as_str);
    let generated = field("generated", 1).and_then(Value::as_array);
    is_id(state.id())
        && text("task_id", 3) == Some(state.id())
        && text("status", 2) == Some(state.status().as_str())
        && generated.into_iter().flatten().eq(state.generated())
        && text("error", 0) == state.error()
}

/// No error has the key or a control character in it, and every one has words.
fn looks_well(error: &Error) {
    let mut text = format!("{error}\n{error:?}");
    let mut cause = error.source();
    while let Some(next) = cause {
        write!(text, "\n{next}\n{next:?}").expect("a text can be written");
        cause = next.source();
    }
    assert!(!text.contains(KEY), "{text}");
    assert!(!error.summary().is_empty());
    let strange = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(strange), "{text:?}");
}

struct Answer {
    status: u16,
    content_type: String,
    body: Vec<u8>,
}

impl Answer {
    fn parse(data: &[u8]) -> Option<Self> {
        let end = data.iter().position(|byte| *byte == b'\n')?;
        let first = std::str::from_utf8(&data[..end]).ok()?;
        let (status, content_type) = first.split_once(' ')?;
        let is_plain = content_type.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let answer = Self {
            status: status.parse().ok()?,
            content_type: content_type.to_owned(),
            body: data[end + 1..].to_vec(),
        };
        (is_plain && (200..600).contains(&answer.status)).then_some(answer)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} X\r\ncontent-type: {}\r\n",
            self.status, self.content_type
        );
        // These have no body, and no length.
        let has_body = !matches!(self.status, 204 | 304);
        if has_body {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        let body: &[u8] = if has_body { &self.body } else { b"" };
        [head.as_bytes(), b"\r\n", body].concat()
    }
}

/// A service on loopback that gives one answer to everything, for the whole run: connections are kept.
struct Service {
    runtime: Runtime,
    http: reqwest::Client,
    base_url: String,
    answer: Arc<Mutex<Vec<u8>>>,
}

static SERVICE: LazyLock<Mutex<Service>> = LazyLock::new(|| Mutex::new(Service::start()));

type Asked = (
    Result<(String, Option<TaskState>), Error>,
    Result<TaskState, Error>,
    Result<Vec<String>, Error>,
);

impl Service {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("there is a runtime");
        let answer: Arc<Mutex<Vec<u8>>> = Arc::default();
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("there is a free port");
        let base_url = format!(
            "http://{}",
            listener.local_addr().expect("it has an address")
        );
        runtime.spawn(serve(listener, Arc::clone(&answer)));
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Self {
            runtime,
            http: http.build().expect("there is a client"),
            base_url,
            answer,
        }
    }

    fn ask(&mut self, answer: &Answer) -> Asked {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer.bytes();
        // A client has state: each response gets a new one.
        let client = Client::builder()
            .api_key(ApiKey::new(KEY).expect("this is a key"))
            .base_url(&self.base_url)
            .http_client(self.http.clone())
            .download_client(self.http.clone())
            .max_retries(0)
            .build()
            .expect("there is a client");
        let request = TextToVideo::builder()
            .prompt("A puppet")
            .build()
            .expect("this is a request");
        self.runtime.block_on(async {
            let created = client.create(request).await;
            let created = created.map(|task| (task.id().to_owned(), task.state()));
            let read = client.task(TASK).refresh().await;
            let listed = client.list().mode(Mode::Text).await;
            let listed = listed.map(|tasks| tasks.into_iter().map(|task| task.id).collect());
            (created, read, listed)
        })
    }
}

async fn serve(listener: TcpListener, answer: Arc<Mutex<Vec<u8>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, Arc::clone(&answer)));
    }
}

async fn converse(stream: TcpStream, answer: Arc<Mutex<Vec<u8>>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await?;
        let bytes = answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        stream.write_all(&bytes).await?;
    }
}
