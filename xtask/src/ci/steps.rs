//! The steps of CI, in their order: what is quick to fail comes first.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::Ci;
use crate::check::{self, Checked, render};
use crate::dist;
use crate::exit::Exit;
use crate::snapshots;
use crate::surface;
use openapi_diff::render::Format;

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does.
    pub run: fn(&Ci) -> Result<()>,
    /// Whether it runs a tool that the first step installs.
    pub needs_tools: bool,
    /// Whether it runs only when it is named.
    pub on_request: bool,
    /// The command that fixes what it finds.
    pub fix: Option<&'static str>,
}

/// The file in which the tests list the snapshots that they use, from the workspace's root.
const USED_SNAPSHOTS: &str = "target/used-snapshots";

/// The name of the step that installs tools.
pub const TOOLS: &str = "tools";

/// A Debian package that some tests use where it is there.
struct Package {
    name: &'static str,
    /// Programs of it, each with arguments that make it end at once.
    programs: &'static [(&'static str, &'static [&'static str])],
    /// A file that the tests need, too.
    file: Option<&'static str>,
    /// Set, it makes tests fail that would be skipped without the package.
    needed: &'static str,
}

/// What finds barriers on pages, from the registry of npm.
const AXE: &str = "axe-core@4.14.1";
/// Where it is, from the workspace's root.
const AXE_FILE: &str = "target/ci-tools/node_modules/axe-core/axe.min.js";

const PACKAGES: [Package; 5] = [
    Package {
        name: "ffmpeg",
        programs: &[("ffmpeg", &["-version"]), ("ffprobe", &["-version"])],
        file: None,
        needed: "KLING_OMNI_NEEDS_FFMPEG",
    },
    Package {
        name: "faketime",
        programs: &[("faketime", &["--version"])],
        file: None,
        needed: "KLING_OMNI_NEEDS_FAKETIME",
    },
    Package {
        name: "strace",
        // Where tracing is not allowed, this fails.
        programs: &[("strace", &["true"])],
        file: None,
        needed: "KLING_OMNI_NEEDS_STRACE",
    },
    Package {
        name: "postgresql",
        // Debian has the programs of each version outside of PATH.
        programs: &[(
            "sh",
            &[
                "-c",
                "PATH=$PATH:$(printf %s: /usr/lib/postgresql/*/bin) && initdb --version",
            ],
        )],
        file: None,
        needed: "KLING_OMNI_NEEDS_POSTGRES",
    },
    Package {
        // It depends on Chromium.
        name: "chromium-driver",
        programs: &[
            ("chromedriver", &["--version"]),
            (
                "sh",
                &["-c", "chromium --version || google-chrome --version"],
            ),
        ],
        file: Some(AXE_FILE),
        needed: "KLING_OMNI_NEEDS_BROWSER",
    },
];

const NO_STEP: Step = Step {
    name: "",
    title: "",
    run: |_| Ok(()),
    needs_tools: false,
    on_request: false,
    fix: None,
};

/// Every step.
pub const STEPS: &[Step] = &[
    Step {
        name: TOOLS,
        title: "tools",
        run: install_tools,
        ..NO_STEP
    },
    Step {
        name: "format",
        title: "format",
        run: |ci| cargo(ci, &["fmt", "--all", "--check"]),
        fix: Some("cargo fmt --all"),
        ..NO_STEP
    },
    Step {
        name: "spelling",
        title: "spelling",
        run: |ci| ci.succeed(&mut ci.command("typos")),
        needs_tools: true,
        ..NO_STEP
    },
    Step {
        name: "document",
        title: "document",
        run: |ci| {
            let spec = crate::codegen::SPEC;
            ci.succeed(ci.command("openapi-spec-validator").arg(spec))
        },
        needs_tools: true,
        ..NO_STEP
    },
    Step {
        name: "generated",
        title: "generated code and docs are fresh",
        run: |ci| agree(&check::without_build(&ci.root)),
        fix: Some(check::ACCEPT),
        ..NO_STEP
    },
    Step {
        name: "lints",
        title: "lints",
        // With the features of the tests, so both build dependencies once. Only `native-tls` is not among them.
        run: |ci| {
            cargo(
                ci,
                &[
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--quiet",
                    "--",
                    "-D",
                    "warnings",
                ],
            )
        },
        ..NO_STEP
    },
    Step {
        name: "lints-native-tls",
        title: "lints, with the other TLS",
        run: |ci| {
            let arguments = [
                "clippy",
                "--package",
                "kling-omni",
                "--no-default-features",
                "--features",
                "blocking,native-tls",
                "--quiet",
            ];
            ci.succeed(
                ci.command("cargo")
                    .args(arguments)
                    .args(["--", "-D", "warnings"]),
            )
        },
        ..NO_STEP
    },
    Step {
        name: "tests",
        title: "tests",
        run: tests,
        ..NO_STEP
    },
    Step {
        name: "recipes",
        title: "recipes of CONTRIBUTING.md",
        run: |ci| {
            // As the step before has built them: a package alone would have dependencies with other features.
            let arguments = ["test", "--workspace", "--test", "it", "--quiet"];
            let ignored = ["--", "--ignored", "--nocapture", "recipes::"];
            cargo(ci, &[&arguments[..], &ignored].concat())
        },
        on_request: true,
        ..NO_STEP
    },
    Step {
        name: "kill-matrix",
        title: "kill matrix and soak of batches",
        run: |ci| {
            let arguments = ["test", "--workspace", "--test", "it", "--quiet"];
            let ignored = ["--", "--ignored", "--nocapture", "--test-threads=1"];
            let tests = ["kill_matrix::", "postgres::", "soak::"];
            cargo(ci, &[&arguments[..], &ignored, &tests].concat())
        },
        on_request: true,
        ..NO_STEP
    },
    Step {
        name: "restate",
        title: "example with Restate",
        run: |ci| {
            let example = ci.root.join("crates/kling-omni-batch/examples/restate");
            let mut npm = ci.command("npm");
            let install = [
                "install",
                "--no-save",
                "--no-audit",
                "--no-fund",
                "@restatedev/restate-server",
            ];
            ci.succeed(npm.args(install).current_dir(&example))?;
            ci.succeed(
                ci.command("cargo")
                    .args(["test", "--quiet"])
                    .current_dir(&example),
            )
        },
        on_request: true,
        ..NO_STEP
    },
    Step {
        name: "dist",
        title: "archive of the program, built twice",
        run: |ci| {
            print!("{}", dist::check(&ci.root)?);
            Ok(())
        },
        on_request: true,
        ..NO_STEP
    },
    Step {
        name: "versions",
        title: "versions since the last tag",
        run: semver_checks,
        ..NO_STEP
    },
    Step {
        name: "surface",
        title: "public surface",
        run: |ci| agree(&[check::public_surface(&ci.root, &ci.program)]),
        fix: Some(check::ACCEPT),
        ..NO_STEP
    },
    Step {
        name: "oldest-rust",
        title: "the oldest Rust that is supported",
        run: oldest_rust,
        ..NO_STEP
    },
    Step {
        name: "docs",
        title: "documentation",
        run: |ci| {
            let arguments = ["doc", "--workspace", "--no-deps", "--quiet"];
            ci.succeed(
                ci.command("cargo")
                    .args(arguments)
                    .env("RUSTDOCFLAGS", "-D warnings"),
            )
        },
        ..NO_STEP
    },
    Step {
        name: "unused",
        title: "unused dependencies",
        run: |ci| ci.succeed(&mut ci.command("cargo-shear")),
        needs_tools: true,
        ..NO_STEP
    },
    Step {
        name: "licences",
        title: "licences, bans, sources",
        run: |ci| {
            let arguments = [
                "--offline",
                "check",
                "--hide-inclusion-graph",
                "licenses",
                "bans",
                "sources",
            ];
            ci.succeed(ci.command("cargo-deny").args(arguments))
        },
        needs_tools: true,
        ..NO_STEP
    },
    Step {
        name: "first-video",
        title: "first video",
        run: first_video,
        ..NO_STEP
    },
    Step {
        name: "packages",
        title: "packages",
        run: |ci| ci.succeed(&mut ci.command(".ci/check-packages")),
        ..NO_STEP
    },
    Step {
        name: "clean",
        title: "nothing was written",
        run: |ci| ci.succeed(ci.command("git").args(["diff", "--exit-code", "--stat"])),
        ..NO_STEP
    },
];

fn cargo(ci: &Ci, arguments: &[&str]) -> Result<()> {
    ci.succeed(ci.command("cargo").args(arguments))
}

fn install_tools(ci: &Ci) -> Result<()> {
    let tools = ci.tools();
    ci.succeed(ci.command("python3").args(["-m", "venv"]).arg(&tools))?;
    let arguments = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        ".ci/requirements.txt",
    ];
    ci.succeed(ci.command("pip").args(arguments))?;
    install_axe(ci)?;
    install_packages(ci)
}

/// Installs axe-core beside the other tools.
fn install_axe(ci: &Ci) -> Result<()> {
    if !can_run(ci, "npm", &["--version"]) {
        println!("npm: missing, so tests that need axe-core are skipped");
        return Ok(());
    }
    let mut npm = ci.command("npm");
    npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit"]);
    npm.args(["--no-fund", "--loglevel=error", "--prefix"]);
    ci.succeed(npm.arg(ci.tools()).arg(AXE))
}

/// Tests compare with ffprobe, set the clock with faketime, make system calls fail with strace, start Postgres and open pages
/// in Chromium, and the first video is decoded with ffmpeg.
fn install_packages(ci: &Ci) -> Result<()> {
    let missing = PACKAGES.iter().filter(|package| !package.is_there(ci));
    let missing: Vec<_> = missing.map(|package| package.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (program, before): (&str, &[&str]) = match is_root(ci) {
        true => ("apt-get", &[]),
        // Without asking for a password.
        false => ("sudo", &["-n", "apt-get"]),
    };
    if !can_run(ci, program, &[before, &["--version"]].concat()) {
        let missing = missing.join(", ");
        println!("{missing}: missing and cannot be installed, so tests that need it are skipped");
        return Ok(());
    }
    let install = [
        &["install", "-y", "-qq", "--no-install-recommends"],
        &missing[..],
    ]
    .concat();
    for arguments in [&["update", "-qq"][..], &install] {
        let mut command = ci.command(program);
        command.args(before).args(arguments);
        ci.succeed(command.stdout(Stdio::null()))?;
    }
    Ok(())
}

impl Package {
    fn is_there(&self, ci: &Ci) -> bool {
        let mut programs = self.programs.iter();
        programs.all(|(program, arguments)| can_run(ci, program, arguments))
    }
}

fn can_run(ci: &Ci, program: &str, arguments: &[&str]) -> bool {
    let mut command = ci.command(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn is_root(ci: &Ci) -> bool {
    let id = ci.command("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout == b"0\n")
}

/// A command of the README: the README stays true.
fn of_readme(ci: &Ci, begin: &str) -> Result<Command> {
    let readme = fs::read_to_string(ci.root.join("README.md")).context("cannot read README.md")?;
    let line = readme
        .lines()
        .find(|line| line.starts_with(begin))
        .with_context(|| format!("README.md has no line that begins with `{begin}`"))?;
    let mut command = ci.command("bash");
    command.args(["-c", line]);
    Ok(command)
}

fn first_video(ci: &Ci) -> Result<()> {
    let video = ci.root.join("first.mp4");
    remove(&video)?;
    ci.succeed(&mut of_readme(ci, "cargo run")?)?;
    if can_run(ci, "ffprobe", &["-version"]) {
        ci.succeed(ci.command(".ci/check-video").arg("first.mp4"))?;
    } else {
        println!("ffprobe is not here, so the video was not looked at");
    }
    remove(&video)
}

fn remove(file: &Path) -> Result<()> {
    match file.exists() {
        true => fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display())),
        false => Ok(()),
    }
}

/// Every test, and the snapshots that none of them uses.
fn tests(ci: &Ci) -> Result<()> {
    let used = ci.root.join(USED_SNAPSHOTS);
    remove(&used)?;
    let mut command = of_readme(ci, "cargo test")?;
    command.env("INSTA_SNAPSHOT_REFERENCES_FILE", &used);
    let has_file = |package: &&Package| {
        let file = package.file.map(|file| ci.root.join(file));
        file.is_none_or(|file| file.is_file())
    };
    let usable = PACKAGES.iter().filter(|package| package.is_there(ci));
    for package in usable.filter(has_file) {
        command.env(package.needed, "1");
    }
    ci.succeed(&mut command)?;
    let used =
        fs::read_to_string(&used).with_context(|| format!("cannot read {USED_SNAPSHOTS}"))?;
    let orphans = snapshots::orphans(&ci.root, &used)?;
    ensure!(
        orphans.is_empty(),
        "no test uses these snapshots; `{}` removes them: {}",
        check::ACCEPT,
        orphans.join(", ")
    );
    Ok(())
}

/// Compiles the packages with the oldest toolchain that the manifest promises, where it is installed. Ledgers in Postgres, and
/// with them the other members of the workspace, need a newer one. With any toolchain, the lint `incompatible_msrv` refuses
/// what is newer in the standard library.
fn oldest_rust(ci: &Ci) -> Result<()> {
    let manifest = fs::read_to_string(ci.root.join("Cargo.toml")).context("no Cargo.toml")?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .context("Cargo.toml has no rust-version")?
        .trim_matches('"');
    let rustc = ["run", version, "rustc", "--version"];
    if !can_run(ci, "rustup", &rustc) {
        println!(
            "skipped: `rustup toolchain install {version} --profile minimal` installs it; the step `lints` refuses what \
             is newer in the standard library"
        );
        return Ok(());
    }
    let check = ["run", version, "cargo", "check", "--quiet"];
    let packages = surface::PACKAGES.iter().chain(&[dist::PACKAGE]);
    let packages = packages.flat_map(|package| ["--package", package]);
    // What cargo sets for the programs that it runs belongs to the toolchain of this one.
    let mut command = ci.command("rustup");
    command.env_remove("CARGO").env_remove("RUSTC");
    ci.succeed(command.args(check).args(packages))
}

/// Compares the public interfaces with those of the last tag, where there is one and the tool is installed.
fn semver_checks(ci: &Ci) -> Result<()> {
    let tag = ci
        .command("git")
        .args(["describe", "--tags", "--abbrev=0", "--match", "v*"])
        .output()?;
    let tag = String::from_utf8_lossy(&tag.stdout).trim().to_owned();
    if tag.is_empty() {
        println!("skipped: no version was released yet");
        return Ok(());
    }
    if !can_run(ci, "cargo", &["semver-checks", "--version"]) {
        println!("skipped: `cargo install cargo-semver-checks --locked` installs the tool");
        return Ok(());
    }
    cargo(ci, &["semver-checks", "--baseline-rev", &tag])
}

/// Fails if anything was found, after showing it.
fn agree(all: &[Checked]) -> Result<()> {
    print!("{}", render::render(all, Format::Text));
    if env::var_os("GITHUB_ACTIONS").is_some() {
        print!("{}", render::render(all, Format::Github));
    }
    match check::exit(all) {
        Exit::Done => Ok(()),
        _ => bail!("something does not agree"),
    }
}
