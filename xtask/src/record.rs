//! Records the command of the README in a terminal, as an animated picture.
//!
//! `script` of util-linux gives the program a terminal, and `vt100` reads what the program draws on it. The picture moves
//! by CSS alone; a viewer without animation, or one that asks for reduced motion, shows the last frame.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// The picture, from the root of the repository.
const PICTURE: &str = "docs/generate.svg";

/// How the README runs the program.
const RUN: &str = "cargo run --bin kling-omni -- ";

const COLUMNS: NonZero<u16> = NonZero::new(88).unwrap();
const ROWS: NonZero<u16> = NonZero::new(8).unwrap();

/// At most one frame in this time.
const FRAME: Duration = Duration::from_millis(250);

/// How long the last frame stays before the picture begins again.
const PAUSE: Duration = Duration::from_secs(4);

const ROW_HEIGHT: usize = 20;
const COLUMN_WIDTH: f32 = 8.43;
const MARGIN: usize = 16;

struct Frame {
    at: Duration,
    lines: Vec<String>,
}

/// Runs the command and writes the picture. Returns what it has written.
///
/// # Errors
///
/// `script` or cargo is missing, or the command fails.
pub fn run(root: &Path) -> Result<String> {
    let readme = fs::read_to_string(root.join("README.md")).context("cannot read README.md")?;
    let line = readme.lines().find_map(|line| line.strip_prefix(RUN));
    let arguments =
        line.with_context(|| format!("README.md has no line that begins with `{RUN}`"))?;
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--package", "kling-omni-cli"])
        .current_dir(root)
        .status()
        .context("cargo cannot be run")?;
    ensure!(built.success(), "the program cannot be built");
    let frames = record(&root.join("target/debug/kling-omni"), arguments)?;
    fs::write(root.join(PICTURE), render(&wrapped(arguments), &frames))
        .with_context(|| format!("cannot write {PICTURE}"))?;
    Ok(format!("{PICTURE}: {} frames\n", frames.len()))
}

/// The screens of the program, in a folder that is removed afterwards.
fn record(program: &Path, arguments: &str) -> Result<Vec<Frame>> {
    let folder = tempfile::tempdir()?;
    let command = format!(
        "stty cols {COLUMNS} rows {ROWS}; exec '{}' {arguments}",
        program.display()
    );
    let mut process = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &command,
            "/dev/null",
        ])
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("`script` of util-linux cannot be run")?;
    let mut output = process.stdout.take().expect("the output is piped");
    let mut terminal = vt100::Parser::new(ROWS, COLUMNS, 0);
    let mut frames: Vec<Frame> = Vec::new();
    let mut bytes = [0; 4096];
    let started = Instant::now();
    loop {
        let length = output.read(&mut bytes)?;
        if length == 0 {
            break;
        }
        terminal.process(&bytes[..length]);
        let lines: Vec<_> = terminal.screen().rows(0, COLUMNS.get()).collect();
        let at = started.elapsed();
        match frames.last_mut() {
            Some(last) if last.lines == lines => {}
            Some(last) if at < last.at + FRAME => last.lines = lines,
            _ => frames.push(Frame { at, lines }),
        }
    }
    ensure!(process.wait()?.success(), "the command of README.md fails");
    Ok(frames)
}

/// The command as a person types it, with an option or two on a line.
fn wrapped(arguments: &str) -> Vec<String> {
    let mut lines = vec!["$ kling-omni".to_owned()];
    for option in arguments
        .split(" --")
        .enumerate()
        .map(|(index, option)| match index {
            0 => option.to_owned(),
            _ => format!("--{option}"),
        })
    {
        let last = lines.last_mut().expect("there is a first line");
        match last.len() + option.len() + 4 > usize::from(COLUMNS.get()) {
            true => {
                last.push_str(" \\");
                lines.push(format!("    {option}"));
            }
            false => write!(last, " {option}").expect("a string takes any text"),
        }
    }
    lines
}

fn render(command: &[String], frames: &[Frame]) -> String {
    let used = |frame: &Frame| frame.lines.iter().rposition(|line| !line.is_empty());
    let rows = frames
        .iter()
        .filter_map(used)
        .max()
        .map_or(0, |last| last + 1);
    let height = 2 * MARGIN + (command.len() + rows) * ROW_HEIGHT;
    let width = 2 * MARGIN + (f32::from(COLUMNS.get()) * COLUMN_WIDTH).ceil() as usize;
    let total = frames.last().map_or(PAUSE, |last| last.at + PAUSE);
    let percent = |at: Duration| 100.0 * at.as_secs_f32() / total.as_secs_f32();

    let mut style = String::from(
        "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d8dee9;\
         white-space:pre}.command{fill:#fff;font-weight:bold}.frame{visibility:hidden}.frame:last-of-type{visibility:visible}",
    );
    let mut body = String::new();
    for (index, frame) in frames.iter().enumerate() {
        let (from, next) = (percent(frame.at), frames.get(index + 1));
        let hidden = "visibility:hidden";
        let _ = write!(
            style,
            "@keyframes f{index}{{0%{{{hidden}}}{from:.2}%{{visibility:visible}}"
        );
        if let Some(next) = next {
            let _ = write!(style, "{:.2}%{{{hidden}}}", percent(next.at));
        }
        let end = if next.is_some() { "hidden" } else { "visible" };
        let _ = write!(style, "100%{{visibility:{end}}}}}");
        let seconds = total.as_secs_f32();
        let animation = format!("f{index} {seconds:.2}s step-end infinite");
        let _ = writeln!(body, "<g class=\"frame\" style=\"animation:{animation}\">");
        for (row, line) in frame
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
        {
            text(&mut body, "", command.len() + row, line);
        }
        body.push_str("</g>\n");
    }
    style.push_str("@media(prefers-reduced-motion){.frame{animation:none!important}}");

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:space=\"preserve\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <style>{style}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1e222a\"/>\n"
    );
    for (row, line) in command.iter().enumerate() {
        text(&mut svg, " class=\"command\"", row, line);
    }
    svg + &body + "</svg>\n"
}

fn text(svg: &mut String, class: &str, row: usize, line: &str) {
    let line = line
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let y = MARGIN + (row + 1) * ROW_HEIGHT - 5;
    let _ = writeln!(svg, "<text{class} x=\"{MARGIN}\" y=\"{y}\">{line}</text>");
}
