//! A run of the program as a server.

use std::io::{BufRead, BufReader};
use std::process::ChildStdout;

use super::{Program, Running};

/// A run of the program until it is stopped. Its stdout is read line by line.
pub struct Server {
    pub running: Running,
    pub stdout: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(program: Program) -> Self {
        let mut running = program.start();
        let stdout = BufReader::new(running.child.stdout.take().unwrap());
        Self { running, stdout }
    }

    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.stdout.read_line(&mut line).unwrap();
        assert!(length > 0, "the program exited");
        line
    }

    #[track_caller]
    pub fn event(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.line()).unwrap()
    }
}
