//! A window of the browser, as a test uses it.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities as _;
use thirtyfour::{
    BrowserLogEntry, By, CapabilitiesHelper as _, DesiredCapabilities, Key, WebDriver, WebElement,
};
use url::Url;

use crate::axe;
use crate::driver::Driver;

/// Notes each violation of a content security policy, from the beginning of each page.
const NOTE_VIOLATIONS: &str = "
window.policyViolations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.policyViolations.push(`${event.violatedDirective}: ${event.blockedURI}`));
";

/// Controls of videos fade for less time than so many pictures take.
const MAX_SCREENSHOTS: usize = 100;

/// Videos in the window are loaded by the page itself.
const WAIT_FOR_VIDEOS: &str = "
const done = arguments[arguments.length - 1];
const isVisible = (video) => {
  const { top, bottom, height } = video.getBoundingClientRect();
  return height > 0 && bottom > 0 && top < innerHeight;
};
const videos = [...document.querySelectorAll('video')].filter(isVisible);
const isReady = (video) => (video.readyState >= 2 && video.networkState === 1) || video.error || video.poster;
const check = () => (videos.every(isReady) ? requestAnimationFrame(() => setTimeout(done)) : setTimeout(check, 20));
check();
";

/// The colours that the user prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorScheme {
    /// Dark text on light ground.
    Light,
    /// Light text on dark ground.
    Dark,
}

/// A window of a browser of its own, without a network beyond loopback. [`close`](Self::close) it at the end of a test.
#[derive(Debug)]
pub struct Browser {
    driver: WebDriver,
}

impl Browser {
    /// Opens a window of 1280 × 900 pixels. Without a browser on this machine, says that the test is skipped.
    ///
    /// # Panics
    ///
    /// Panics without a browser if `KLING_OMNI_NEEDS_BROWSER` is set.
    pub async fn start() -> Option<Self> {
        let driver = Driver::shared()?;
        let mut capabilities = DesiredCapabilities::chrome();
        let binary = driver.browser.to_str().unwrap();
        capabilities.set_binary(binary).unwrap();
        for argument in [
            "--headless=new",
            "--remote-debugging-pipe",
            "--window-size=1280,900",
            "--force-device-scale-factor=1",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-sync",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ] {
            capabilities.add_arg(argument).unwrap();
        }
        if rustix::process::geteuid().is_root() {
            capabilities.add_arg("--no-sandbox").unwrap();
        }
        let logs = json!({"performance": "ALL", "browser": "ALL"});
        capabilities.set("goog:loggingPrefs", logs).unwrap();
        let driver = WebDriver::new(&driver.url, capabilities).await.unwrap();
        let browser = Self { driver };
        let parameters = json!({"source": NOTE_VIOLATIONS});
        browser
            .devtools("Page.addScriptToEvaluateOnNewDocument", parameters)
            .await;
        Some(browser)
    }

    /// The WebDriver session, for what this type does not have.
    pub fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        // Forgets the requests of earlier pages.
        self.log("performance").await;
        self.log("browser").await;
        self.driver.goto(url).await.unwrap();
    }

    /// Opens a file as `file:` URL.
    pub async fn open_file(&self, path: &Path) {
        let path = path.canonicalize().unwrap();
        self.open(Url::from_file_path(path).unwrap().as_str()).await;
    }

    /// Sets the colours that the user prefers.
    pub async fn set_color_scheme(&self, scheme: ColorScheme) {
        let value = match scheme {
            ColorScheme::Light => "light",
            ColorScheme::Dark => "dark",
        };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        let parameters = json!({"features": features});
        self.devtools("Emulation.setEmulatedMedia", parameters)
            .await;
    }

    /// Sets the size of the page on the screen, in pixels.
    pub async fn set_size(&self, width: u32, height: u32) {
        let parameters =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", parameters)
            .await;
    }

    /// Runs a script, which returns a value.
    pub async fn run(&self, script: &str) -> Value {
        let returned = self.driver.execute(script, Vec::new()).await.unwrap();
        returned.json().clone()
    }

    /// Runs an asynchronous script, which passes a value to its last argument.
    pub async fn run_async(&self, script: &str) -> Value {
        let returned = self.driver.execute_async(script, Vec::new()).await.unwrap();
        returned.json().clone()
    }

    /// Runs a script that returns a list of texts.
    pub async fn texts(&self, script: &str) -> Vec<String> {
        serde_json::from_value(self.run(script).await).unwrap()
    }

    /// The first element of a CSS selector.
    pub async fn element(&self, selector: &str) -> WebElement {
        let found = self.driver.find(By::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Presses a key where the focus is.
    pub async fn press(&self, key: Key) {
        let focused = self.driver.active_element().await.unwrap();
        focused.send_keys(key).await.unwrap();
    }

    /// Waits until the first frame of each video in the window is there, as far as videos are loaded.
    pub async fn wait_for_videos(&self) {
        self.run_async(WAIT_FOR_VIDEOS).await;
    }

    /// A picture of the window when nothing in it moves any more, as PNG.
    ///
    /// # Panics
    ///
    /// Panics if it does not stop to move.
    pub async fn still_screenshot(&self) -> Vec<u8> {
        let mut last = self.screenshot().await;
        for _ in 0..MAX_SCREENSHOTS {
            let next = self.screenshot().await;
            if next == last {
                return next;
            }
            last = next;
        }
        panic!("the window still changes after {MAX_SCREENSHOTS} pictures");
    }

    /// A picture of the window, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.driver.screenshot_as_png().await.unwrap()
    }

    /// The page as it is printed, as PDF.
    pub async fn print(&self) -> Vec<u8> {
        let parameters = json!({"printBackground": false, "preferCSSPageSize": true});
        let printed = self.devtools("Page.printToPDF", parameters).await;
        BASE64_STANDARD
            .decode(printed["data"].as_str().unwrap())
            .unwrap()
    }

    /// The URLs that the page has requested since it was opened, with its own, whether they were loaded or not.
    pub async fn requested_urls(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let urls = entries.iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(&entry.message).ok()?;
            let event = &event["message"];
            match event["method"].as_str()? {
                "Network.requestWillBeSent" => event["params"]["request"]["url"]
                    .as_str()
                    .map(str::to_owned),
                _ => None,
            }
        });
        urls.collect()
    }

    /// The violations of the content security policy of the page.
    pub async fn policy_violations(&self) -> Vec<String> {
        self.texts("return window.policyViolations").await
    }

    /// What the browser wrote to its console about the page since it was opened: errors and warnings.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        entries.into_iter().map(|entry| entry.message).collect()
    }

    /// The barriers that axe-core finds on the page, as texts. `None` without axe-core, which skips the test.
    pub async fn barriers(&self) -> Option<Vec<String>> {
        self.run(axe::source()?).await;
        Some(serde_json::from_value(self.run_async(axe::RUN).await).unwrap())
    }

    /// Runs a command of the DevTools protocol.
    pub async fn devtools(&self, name: &str, parameters: Value) -> Value {
        let cdp = self.driver.cdp();
        cdp.send_raw(name, parameters).await.unwrap()
    }

    async fn log(&self, kind: &str) -> Vec<BrowserLogEntry> {
        self.driver.get_log(kind).await.unwrap()
    }

    /// Closes the window and ends the browser.
    pub async fn close(self) {
        self.driver.clone().quit().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The session ends with the driver. To wait for its end would block the runtime of the failed test.
            let _ = self.driver.clone().leak();
        }
    }
}
