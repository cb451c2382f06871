//! Runs of the program as a process.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use super::KEY;

/// A run of the program before its start, in a folder and with an empty environment.
pub struct Program {
    command: Command,
    shown: String,
    stdin: Vec<u8>,
}

impl Program {
    /// `line` is split at spaces. Add a word with spaces by [`arg`](Self::arg).
    pub fn new(folder: &Path, line: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kling-omni"));
        command.env_clear().current_dir(folder);
        let mut program = Self {
            command,
            shown: "kling-omni".to_owned(),
            stdin: Vec::new(),
        };
        for word in line.split_whitespace() {
            program = program.arg(word);
        }
        program
    }

    pub fn arg(mut self, word: &str) -> Self {
        let blank = word.contains(char::is_whitespace);
        self.shown.push_str(&if blank {
            format!(" '{word}'")
        } else {
            format!(" {word}")
        });
        self.command.arg(word);
        self
    }

    /// Adds a word of any encoding.
    #[cfg(unix)]
    pub fn os_arg(mut self, word: &std::ffi::OsStr) -> Self {
        self.shown.push_str(&format!(" {word:?}"));
        self.command.arg(word);
        self
    }

    /// A run of a shell that has the program in its path.
    #[cfg(unix)]
    pub fn shell(folder: &Path, script: &str) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_kling-omni"));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env_clear().current_dir(folder);
        let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
        command.env("PATH", path);
        Self {
            command,
            shown: script.to_owned(),
            stdin: Vec::new(),
        }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts the program as a shell starts a background job.
    #[cfg(unix)]
    pub fn ignoring(self, signals: &str) -> Self {
        self.through_sh(&format!("trap '' {signals}; exec \"$0\" \"$@\""))
    }

    /// Limits the size of files.
    #[cfg(target_os = "linux")]
    pub fn max_file_size(self, bytes: u64) -> Self {
        self.through_sh(&format!("ulimit -f {}; exec \"$0\" \"$@\"", bytes / 512))
    }

    /// Runs the program through a shell script, which gets it and its arguments as `"$0" "$@"`.
    #[cfg(unix)]
    pub fn through_sh(self, script: &str) -> Self {
        self.through("/bin/sh", &["-c", script])
    }

    /// Runs the program by another one, which gets it and its arguments as its last arguments.
    #[cfg(unix)]
    fn through(mut self, outer: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(outer);
        command.args(arguments).arg(self.command.get_program());
        command.args(self.command.get_args()).env_clear();
        let given = self.command.get_envs();
        command.envs(given.filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.command.get_current_dir().unwrap());
        self.command = command;
        self
    }

    pub fn key(self) -> Self {
        self.env("FREEPIK_API_KEY", KEY)
    }

    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Runs the program until it exits.
    pub fn run(self) -> Ended {
        let mut running = self.start();
        let mut stdout = running.child.stdout.take().unwrap();
        // Both pipes are read concurrently, so none can fill up and block the program.
        let stdout = std::thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).unwrap();
            text
        });
        let mut ended = running.end();
        ended.stdout = String::from_utf8_lossy(&stdout.join().unwrap()).into_owned();
        ended.check()
    }

    /// Starts the program with SIGINT as in a foreground job, unless it is [`ignoring`](Self::ignoring) the signal: tests that
    /// run as a background job ignore it.
    pub fn start(mut self) -> Running {
        #[cfg(target_os = "linux")]
        if is_interrupt_ignored() {
            self = self.through("/usr/bin/env", &["--default-signal=INT"]);
        }
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input closes the pipe, which is not an error.
        let _ = child.stdin.take().unwrap().write_all(&self.stdin);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Running {
            child: Reaped(child),
            stderr,
            stderr_text: String::new(),
            shown: self.shown,
        }
    }
}

/// Whether this process ignores SIGINT.
#[cfg(target_os = "linux")]
fn is_interrupt_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.unwrap_or_default() & 0b10 != 0
}

/// A run of the program.
pub struct Running {
    pub child: Reaped,
    stderr: BufReader<ChildStderr>,
    stderr_text: String,
    shown: String,
}

/// A process that is killed on drop.
pub struct Reaped(Child);

impl Deref for Reaped {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Reaped {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        // Both fail for a process that has exited.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Reads stderr up to a line that contains `mark`.
    #[track_caller]
    pub fn until(&mut self, mark: &str) {
        while let Some(line) = self.line() {
            if line.contains(mark) {
                return;
            }
        }
        panic!("no line with {mark:?} in:\n{}", self.stderr_text);
    }

    /// Reads the next line of stderr, if any.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        self.stderr_text.push_str(&line);
        (!line.is_empty()).then_some(line)
    }

    /// Sends SIGINT, as Ctrl-C does.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        self.signal("-INT");
    }

    /// Sends SIGTERM, as a service manager does.
    #[cfg(unix)]
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    #[cfg(unix)]
    pub fn signal(&self, which: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([which, &id]).status().unwrap();
        assert!(status.success());
    }

    /// Waits until the program exits. Reads stdout unless the test took it.
    pub fn end(mut self) -> Ended {
        self.stderr.read_to_string(&mut self.stderr_text).unwrap();
        let mut stdout = String::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_string(&mut stdout).unwrap();
        }
        let status = self.child.wait().unwrap();
        Ended {
            shown: self.shown,
            code: status.code(),
            stdout,
            stderr: self.stderr_text,
        }
        .check()
    }
}

/// A completed run.
pub struct Ended {
    shown: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Checks what must hold for every run.
    fn check(self) -> Self {
        for text in [&self.stdout, &self.stderr] {
            assert!(!text.contains(KEY), "the key was printed:\n{text}");
            assert!(!text.contains("hmac="), "a token was printed:\n{text}");
            assert!(!text.contains("panicked"), "{text}");
        }
        self
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let lines: Vec<_> = self.stdout.lines().collect();
        assert_eq!(lines.len(), 1, "{self}");
        serde_json::from_str(lines[0]).unwrap()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.shown)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "--- {name}\n{}", text.trim_end())?;
            }
        }
        match self.code {
            Some(code) => write!(f, "--- exit {code}"),
            None => write!(f, "--- killed by a signal"),
        }
    }
}
