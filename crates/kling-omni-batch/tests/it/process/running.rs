//! A process that runs a batch, from the outside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;

use super::child::{self, ChildOptions};

/// How a process ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The run ended, with the status of the batch.
    Status(Value),
    /// An error.
    Failed(String),
    /// Without a word: it was killed.
    Killed,
}

impl Ended {
    pub(crate) fn is_saved(&self, items: usize) -> bool {
        matches!(self, Self::Status(status) if status["counts"]["saved"] == items)
    }
}

/// What a process says.
#[derive(Debug)]
pub(crate) enum Report {
    /// It reached a step.
    Reached,
    /// It waits where it was told to.
    Stopped,
    /// Another process has the account.
    Waiting,
    /// It has the account, or it is a worker.
    Running,
    /// It is the worker that has the account.
    Conducting,
    /// It ended.
    Ended(Ended),
}

/// A process that runs the batch.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// The names of the steps that were reached so far, in order.
    pub(crate) reached: Vec<String>,
}

impl Running {
    pub(crate) fn start(options: &ChildOptions) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), options)
    }

    /// Starts the process by a script of `/bin/sh`, as `"$0" "$@"`.
    pub(crate) fn start_with_script(options: &ChildOptions, script: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]);
        shell.arg(std::env::current_exe().unwrap());
        Self::spawn(shell, options)
    }

    fn spawn(mut command: Command, options: &ChildOptions) -> Self {
        let mut child = command
            .args(["--exact", "process::child::child_process"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(child::OPTIONS, serde_json::to_string(options).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            lines: BufReader::new(child.stdout.take().unwrap()),
            child,
            reached: Vec::new(),
        }
    }

    /// The next thing that it says.
    pub(crate) fn next(&mut self) -> Report {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap_or_default() == 0 {
                return Report::Ended(Ended::Killed);
            }
            // The test harness writes lines, too, and ends none before the test does.
            let Some((_, line)) = line.split_once(child::MARK) else {
                continue;
            };
            let line = line.trim_end();
            let (what, detail) = line.split_once(' ').unwrap_or((line, ""));
            return match what {
                "reached" => {
                    self.reached.push(detail.to_owned());
                    Report::Reached
                }
                "stopped" => Report::Stopped,
                "waiting" => Report::Waiting,
                "conducting" => Report::Conducting,
                "ended" => Report::Ended(Ended::Status(serde_json::from_str(detail).unwrap())),
                "failed" => Report::Ended(Ended::Failed(detail.to_owned())),
                _ => Report::Running,
            };
        }
    }

    /// Waits until it ends or stops. Returns whether it stopped.
    pub(crate) fn until_stopped(&mut self) -> bool {
        loop {
            match self.next() {
                Report::Stopped => return true,
                Report::Ended(_) => return false,
                Report::Reached | Report::Waiting | Report::Running | Report::Conducting => {}
            }
        }
    }

    /// Waits until a worker has the account.
    pub(crate) fn until_conducting(&mut self) {
        loop {
            match self.next() {
                Report::Conducting => return,
                Report::Ended(ended) => panic!("it does not conduct: {ended:?}"),
                Report::Reached | Report::Stopped | Report::Waiting | Report::Running => {}
            }
        }
    }

    /// Waits until it ends.
    pub(crate) fn end(&mut self) -> Ended {
        loop {
            if let Report::Ended(ended) = self.next() {
                self.child.wait().unwrap();
                return ended;
            }
        }
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Stops it with SIGSTOP, and returns when it is stopped or has ended.
    pub(crate) fn suspend(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        // The standard library still has to read how it ended.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.pid()), options).unwrap();
    }

    /// Continues it with SIGCONT.
    pub(crate) fn resume(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Ends it with SIGTERM.
    pub(crate) fn terminate(mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it continue from the step at which it waits.
    pub(crate) fn release(&mut self) {
        // It may have ended.
        let _ = self.child.stdin.as_mut().unwrap().write_all(b"\n");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failed assertion leaves no process.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
