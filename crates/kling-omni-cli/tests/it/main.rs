//! Tests that run the program against the sandbox, and against a server with arbitrary responses.

mod support;

mod batch;
mod check;
mod clock_steps;
mod configuration;
mod crash;
mod doctor;
mod download;
mod errors;
mod explanations;
#[cfg(unix)]
mod ffmpeg_commands;
#[cfg(target_os = "linux")]
mod file_systems;
mod files;
mod generate;
mod help;
mod input;
mod interrupt;
mod known_tasks;
mod listen;
mod modes;
mod output;
#[cfg(unix)]
mod pages;
mod proxy;
mod readme;
mod request;
mod resume;
mod sandbox;
mod stable_names;
mod suggested_commands;
mod tasks;
