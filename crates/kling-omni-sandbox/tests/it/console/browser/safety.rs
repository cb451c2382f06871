//! Texts of a program do not become markup or script.

use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::Window;
use crate::console::secrets::NASTY;
use crate::harness::{PRO, TASK_TIME, TestResponse, request_body_with};

/// Elements and attributes that the templates do not have, and whether a script of a text has run.
const FOREIGN: &str = "
const elements = [...document.querySelectorAll('*')];
const known = new Set('A BODY BUTTON CODE DD DIV DL DT FORM H1 H2 H3 HEAD HEADER HTML INPUT LABEL LI LINK MAIN META NAV P PRE RECT SCRIPT SECTION SPAN STRONG SVG TABLE TBODY TD TH THEAD TIME TITLE TR UL VIDEO'.split(' '));
const foreign = elements.filter((element) => !known.has(element.tagName.toUpperCase()));
const events = elements.flatMap((element) => [...element.attributes]).filter(({ name }) => name.startsWith('on'));
const links = [...document.links].filter(({ href }) => !href.startsWith(location.origin));
return [
  foreign.map(({ tagName }) => tagName),
  events.map(({ name }) => name),
  links.map(({ href }) => href),
  document.scripts.length,
  document.querySelectorAll('h1').length,
  window.wasAttacked ?? false,
  document.documentElement.scrollWidth <= innerWidth,
];";

#[tokio::test]
async fn texts_of_the_program_are_shown_and_never_run() {
    let Some(window) = Window::start().await else {
        return;
    };
    let attack = json!({"source": "window.alert = () => { window.wasAttacked = true; };"});
    window
        .browser
        .devtools("Page.addScriptToEvaluateOnNewDocument", attack)
        .await;
    let bench = window.bench();
    let nasty = NASTY.join(" ");
    let long = "m".repeat(2000);
    for prompt in [&nasty, &long] {
        let mut body = request_body_with("prompt", prompt.as_str());
        body["webhook_url"] = "http://127.0.0.1:1/?'%22()<>"
            .replace(['<', '>'], "")
            .into();
        bench.create(PRO, &body).await;
    }
    bench
        .sandbox
        .inject("webhook:rotated='\"><h1>".parse().unwrap());
    bench.clock.advance(TASK_TIME);
    bench.sandbox.wait_for_deliveries(4).await;
    let url = |path: &str| format!("{}{path}", bench.sandbox.base_url());
    let bytes = HeaderValue::from_bytes(b"\xff\"'><h1>\xfe").unwrap();
    for request in [
        bench
            .http
            .get(url(&format!("/{long}?{long}")))
            .header("x-nasty", &long),
        bench.http.get(url("/")).header("x-nasty", bytes),
        bench
            .http
            .get(url("/"))
            .header("x-nasty", "\"'><img src=x onerror=alert(1)>"),
        bench
            .http
            .request(Method::from_bytes(b"A|'`").unwrap(), url("/'`|")),
        bench.http.post(url(PRO)).body(nasty.clone()),
        bench
            .http
            .post(url(PRO))
            .body([b"\xff", nasty.as_bytes(), b"\xfe"].concat()),
    ] {
        TestResponse::to(request).await;
    }
    let requests = bench.sandbox.requests().len();
    let mut paths: Vec<_> = (1..=requests)
        .map(|number| format!("/requests/{number}"))
        .collect();
    paths.extend(
        [
            "/",
            "/tasks",
            "/tasks/1",
            "/tasks/2",
            "/requests",
            "/deliveries/1",
            "/faults",
        ]
        .map(str::to_owned),
    );
    let narrow = ["/", "/tasks", "/tasks/2", "/requests/3", "/deliveries/1"];
    let narrow = narrow.map(|path| (390, path));
    let paths = paths.iter().map(|path| (1280, path.as_str()));
    for (width, path) in paths.chain(narrow) {
        window.browser.set_size(width, 900).await;
        window.open(path).await;
        let found = window.browser.run(FOREIGN).await;
        assert_eq!(
            found,
            json!([[], [], [], 1, 1, false, true]),
            "{path} at {width}"
        );
    }
    window.open("/tasks/1").await;
    let shown: Value = serde_json::from_str(&window.text("#body pre").await).unwrap();
    let shown = shown["prompt"].as_str().unwrap().to_owned();
    for text in &NASTY[..9] {
        let words: Vec<_> = text.split_whitespace().collect();
        assert!(shown.contains(&words.join(" ")), "{text}: {shown}");
    }
    window.close().await;
}
