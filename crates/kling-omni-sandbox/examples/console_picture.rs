//! Takes the picture of the console in the docs: `console_picture FILE.png`.
//!
//! A program repeats a create whose response was lost, and pays twice. Clock, seed and ports are fixed.

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    use kling_omni_test_browser::{Browser, ColorScheme};

    let file = std::env::args()
        .nth(1)
        .expect("usage: console_picture FILE.png");
    let Some(browser) = Browser::start().await else {
        std::process::exit(1);
    };
    let sandbox = scene::play().await;
    browser.set_size(1280, 640).await;
    browser.set_color_scheme(ColorScheme::Light).await;
    browser
        .open(sandbox.console_url().expect("the console is served"))
        .await;
    browser
        .run_async(
            "const done = arguments[arguments.length - 1];
             const connection = document.getElementById('connection');
             const check = () => (connection.textContent === 'Live' ? done() : setTimeout(check, 20));
             check();",
        )
        .await;
    std::fs::write(file, browser.screenshot().await).expect("the picture can be written");
    browser.close().await;
}

#[cfg(unix)]
mod scene {
    use std::time::{Duration, UNIX_EPOCH};

    use axum::Router;
    use http::StatusCode;
    use kling_omni_sandbox::{ManualClock, Sandbox};
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    const VIDEO: &str = "/v1/ai/video/kling-v3-omni";
    const HOOK: &str = "127.0.0.1:4013";

    /// A program of the scene.
    struct Program<'a> {
        sandbox: &'a Sandbox,
        clock: ManualClock,
        http: reqwest::Client,
    }

    /// Plays the scene, and returns the sandbox with its records.
    pub async fn play() -> Sandbox {
        let start = UNIX_EPOCH + Duration::from_secs(1_800_009_000);
        let clock = ManualClock::new(start);
        let sandbox = Sandbox::builder()
            .clock(clock.clone())
            .seed(7)
            .task_time(Duration::from_secs(60))
            .port(4010)
            .result_port(4011)
            .console(4012)
            .fault("create:drop@3".parse().expect("a fault"))
            .fault("status:503=1@6".parse().expect("a fault"))
            .start()
            .await
            .expect("the ports from 4010 to 4013 are free");
        receive_webhooks().await;
        let program = Program {
            sandbox: &sandbox,
            clock,
            http: reqwest::Client::new(),
        };
        program.run().await;
        sandbox.wait_for_deliveries(5).await;
        sandbox
    }

    async fn receive_webhooks() {
        let listener = TcpListener::bind(HOOK).await.expect("the port is free");
        let app = Router::new().fallback(async || StatusCode::NO_CONTENT);
        tokio::spawn(async move { axum::serve(listener, app).await });
    }

    impl Program<'_> {
        async fn run(&self) {
            for (prompt, seconds) in [
                ("A paper puppet dances in the rain", "5"),
                ("A lighthouse in a storm, seen from a small boat", "10"),
                ("Two cats argue about a cardboard box", "5"),
                // The response was lost, and the program asks again.
                ("Two cats argue about a cardboard box", "5"),
                (
                    "An old train crosses a bridge [sandbox:fail=The prompt was rejected]",
                    "3",
                ),
            ] {
                self.create(prompt, seconds).await;
                self.clock.advance(Duration::from_secs(4));
            }
            for _ in 0..7 {
                self.clock.advance(Duration::from_secs(7));
                for task in self.sandbox.tasks() {
                    self.read(task.id()).await;
                }
            }
            let first = self.sandbox.tasks()[0].id().to_owned();
            let video = self.read(&first).await;
            let url = video["data"]["generated"][0]
                .as_str()
                .expect("the task is completed");
            self.http
                .get(url)
                .send()
                .await
                .expect("the sandbox responds");
        }

        async fn create(&self, prompt: &str, seconds: &str) {
            let url = format!("{}{VIDEO}-pro", self.sandbox.base_url());
            let body = json!({"prompt": prompt, "duration": seconds, "webhook_url": format!("http://{HOOK}/hooks")});
            let create = self
                .http
                .post(url)
                .header("x-freepik-api-key", self.sandbox.api_key());
            // The response of one is lost.
            let _ = create.json(&body).send().await;
        }

        async fn read(&self, id: &str) -> Value {
            let url = format!("{}{VIDEO}/{id}", self.sandbox.base_url());
            let read = self
                .http
                .get(url)
                .header("x-freepik-api-key", self.sandbox.api_key());
            let response = read.send().await.expect("the sandbox responds");
            response.json().await.expect("the response is JSON")
        }
    }
}

#[cfg(not(unix))]
fn main() {}
