//! The process of chromedriver, which all tests of a process share.
//!
//! A shell watches a pipe from the test process. When the process ends, however it ends, the shell stops chromedriver and
//! removes its files. Chromium ends when its pipe from chromedriver is closed.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::missing;

const DRIVERS: [&str; 2] = ["chromedriver", "chromium.chromedriver"];
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// How often chromedriver is started. It sometimes ends at once, without a reason.
const STARTS: u32 = 3;
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `"$@"` until the end of the input, and removes its files. Only `"$@"` has the output, which ends with it.
const WATCHER: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
driver=$!
exec >/dev/null
cat <&3 >/dev/null
kill $driver
wait $driver
rm -rf "$TMPDIR"
"#;

/// A running chromedriver.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) browser: PathBuf,
    pub(crate) url: String,
    /// Its input ends with this process.
    _watcher: Child,
}

impl Driver {
    /// The driver of this process. Without one on this machine, says that the test is skipped.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Driver>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let (Some(driver), Some(browser)) = (find(&DRIVERS), find(&BROWSERS)) else {
            missing("Chromium or chromedriver");
            return None;
        };
        let mut starts = (0..STARTS).filter_map(|_| Self::run(&driver, &browser));
        Some(starts.next().expect("chromedriver does not start"))
    }

    /// Starts chromedriver. `None` if it ends, or is not ready in time.
    fn run(driver: &Path, browser: &Path) -> Option<Self> {
        let folder = tempfile::Builder::new()
            .prefix("kling-omni-browser-")
            .tempdir()
            .unwrap()
            .keep();
        let mut watcher = Command::new("/bin/sh")
            .args(["-c", WATCHER, "sh"])
            .arg(driver)
            .arg("--port=0")
            .env("TMPDIR", folder)
            // The signals of a terminal are for the tests.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(watcher.stdout.take().unwrap());
        let (sender, port) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            while output.read_line(&mut line).is_ok_and(|length| length > 0) {
                if let Some(port) = port_of(&line) {
                    // After a long time, nothing waits for it.
                    let _ = sender.send(port);
                }
                // A full pipe would block it, so all is read.
                line.clear();
            }
        });
        let Ok(port) = port.recv_timeout(PATIENCE) else {
            drop(watcher.stdin.take());
            watcher.wait().unwrap();
            return None;
        };
        Some(Self {
            browser: browser.to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            _watcher: watcher,
        })
    }
}

/// The port in `ChromeDriver was started successfully on port 41233.`
fn port_of(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim().trim_end_matches('.').parse().ok()
}

/// The first of these programs in `PATH`.
fn find(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let mut files = programs
        .iter()
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    files.find(|file: &PathBuf| Path::is_file(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_that_ends_at_once_is_noticed() {
        let browser = Path::new("chromium");
        for program in ["true", "false"] {
            let program = find(&[program]).unwrap();
            assert!(Driver::run(&program, browser).is_none(), "{program:?}");
        }
    }
}
