//! The real binary, against a sandbox on loopback and against answers that no sandbox gives.

mod support;

mod advice;
mod check;
mod clock_steps;
#[cfg(unix)]
mod commands;
mod configuration;
mod crash;
mod download;
mod errors;
mod explained;
#[cfg(target_os = "linux")]
mod file_systems;
mod files;
mod generate;
mod help;
mod input;
mod interrupt;
mod listen;
mod modes;
mod output;
mod proxy;
mod readme;
mod request;
mod resume;
mod sandbox;
mod stable_names;
mod tasks;
