//! Builds the archive of the program for the machine it runs on.
//!
//! The archive is reproducible: the same commit, toolchain and target give the same bytes, in any folder.

mod archive;
mod component;
mod licences;
mod sbom;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use flate2::read::GzDecoder;

pub use self::archive::{Entry, checksum, write};
pub use self::component::Component;
pub use self::licences::third_party_licences;
pub use self::sbom::sbom;

/// The package of the program.
pub const PACKAGE: &str = "kling-omni-cli";
/// The features that are built in addition to the default ones.
const FEATURES: &str = "postgres";
const PROFILE: &str = "dist";
const PROGRAM: &str = "kling-omni";
const LICENCES: &str = "THIRD-PARTY-LICENCES.txt";
const SBOM: &str = "sbom.cdx.json";

/// Files of the repository, with their names in the archive.
const FILES: [(&str, &str); 4] = [
    ("crates/kling-omni-cli/README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
];

/// The completion scripts: the shell, and the file that it looks for.
const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "kling-omni.bash"),
    ("elvish", "kling-omni.elv"),
    ("fish", "kling-omni.fish"),
    ("powershell", "_kling-omni.ps1"),
    ("zsh", "_kling-omni"),
];

/// Builds the program and writes `kling-omni-VERSION-TARGET.tar.gz`, its checksum and its SBOM into `folder`. Returns what was
/// written.
///
/// # Errors
///
/// cargo or git cannot be run, the build fails, a dependency has no licence, or a file cannot be written.
pub fn run(root: &Path, folder: &Path) -> Result<String> {
    // cargo runs in another folder, and the compiler removes absolute paths only.
    let folder = &std::path::absolute(folder)?;
    let target = host(root)?;
    let program = build(root, folder)?;
    let components = component::of_program(root, PACKAGE, FEATURES, &target)?;
    let own = components
        .iter()
        .find(|component| component.name == PACKAGE);
    let version = &own
        .context("the program is not among its components")?
        .version;
    let time = commit_time(root)?;

    let mut entries = vec![Entry::program(program_name(), fs::read(&program)?)];
    for (path, name) in FILES {
        let content = fs::read(root.join(path)).with_context(|| format!("cannot read {path}"))?;
        entries.push(Entry::file(name, content));
    }
    for (shell, name) in COMPLETIONS {
        let script = output(Command::new(&program).args(["completions", shell]))?;
        entries.push(Entry::file(format!("completions/{name}"), script));
    }
    entries.extend(manual_pages(&program)?);
    let licences = third_party_licences(&components)?;
    entries.push(Entry::file(LICENCES, licences.into_bytes()));
    let sbom = sbom(&components, PACKAGE, time)?;

    let name = format!("{PROGRAM}-{version}-{target}");
    let file = folder.join(format!("{name}.tar.gz"));
    fs::create_dir_all(folder)?;
    // Beside the archive, too, for an attestation.
    fs::write(folder.join(SBOM), &sbom)?;
    entries.push(Entry::file(SBOM, sbom));
    let content = write(&name, entries, time)?;
    fs::write(&file, &content).with_context(|| format!("cannot write {}", file.display()))?;
    let checksum = checksum(&content);
    // The format of `sha256sum --check`.
    let line = format!("{checksum}  {name}.tar.gz\n");
    fs::write(folder.join(format!("{name}.tar.gz.sha256")), &line)?;
    let size = fs::metadata(&program)?.len();
    Ok(format!(
        "{}: {} bytes, the program {size} bytes, {} third-party packages\n{line}",
        file.display(),
        content.len(),
        components
            .iter()
            .filter(|component| component.is_third_party)
            .count(),
    ))
}

/// Builds the archive twice, in two folders, and uses the unpacked program in an empty one. Returns what was built.
///
/// # Errors
///
/// The archives differ, the program does not work, or those of [`run`].
pub fn check(root: &Path) -> Result<String> {
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let mut archives = Vec::new();
    let mut report = String::new();
    for folder in &folders {
        report = run(root, folder.path())?;
        archives.push(find_archive(folder.path())?);
    }
    let [one, other] = [fs::read(&archives[0])?, fs::read(&archives[1])?];
    ensure!(
        one == other,
        "two builds differ: {} and {}",
        checksum(&one),
        checksum(&other)
    );

    let empty = tempfile::tempdir()?;
    tar::Archive::new(GzDecoder::new(&*one)).unpack(empty.path())?;
    let name = archives[0]
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let program = empty
        .path()
        .join(name.trim_end_matches(".tar.gz"))
        .join(program_name());
    let mut make_video = Command::new(program);
    make_video
        .args([
            "generate",
            "--sandbox",
            "--prompt",
            "A cat",
            "--duration",
            "3",
            "--output",
            "cat.mp4",
        ])
        .current_dir(empty.path());
    output(&mut make_video)?;
    let size = fs::metadata(empty.path().join("cat.mp4"))?.len();
    ensure!(size > 0, "the video is empty");
    Ok(report)
}

fn find_archive(folder: &Path) -> Result<PathBuf> {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "gz") {
            return Ok(path);
        }
    }
    bail!("{} has no archive", folder.display())
}

fn program_name() -> String {
    format!("{PROGRAM}{}", env::consts::EXE_SUFFIX)
}

/// Builds the program. Paths of this machine do not get into it.
fn build(root: &Path, folder: &Path) -> Result<PathBuf> {
    let target_folder = folder.join("build");
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let home = home.context("neither CARGO_HOME nor a home folder is known")?;
    let mut flags = Vec::new();
    // The last one that matches counts.
    for (path, name) in [
        (&home, "/cargo"),
        (&root.to_owned(), "/kling-omni"),
        (&target_folder, "/target"),
    ] {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
    }
    let mut command = cargo(root);
    command
        .args(["build", "--quiet", "--locked", "--package", PACKAGE])
        .args(["--features", FEATURES, "--profile", PROFILE])
        .arg("--target-dir")
        .arg(&target_folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let status = command.status().context("cargo cannot be run")?;
    ensure!(status.success(), "the program cannot be built");
    Ok(target_folder.join(PROFILE).join(program_name()))
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

fn text(command: &mut Command) -> Result<String> {
    let text = String::from_utf8(output(command)?)?;
    Ok(text.trim().to_owned())
}

/// The target that the toolchain builds for by default.
fn host(root: &Path) -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let text = text(Command::new(rustc).arg("-vV").current_dir(root))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// The time of every file in the archive, in seconds since 1970: `SOURCE_DATE_EPOCH`
/// (<https://reproducible-builds.org/specs/source-date-epoch/>), or that of the commit.
fn commit_time(root: &Path) -> Result<u64> {
    let time = match env::var("SOURCE_DATE_EPOCH") {
        Ok(time) => time,
        Err(_) => text(
            Command::new("git")
                .args(["log", "-1", "--format=%ct"])
                .current_dir(root),
        )?,
    };
    time.parse()
        .with_context(|| format!("not a time in seconds: {time}"))
}

/// The manual pages, which the program writes.
fn manual_pages(program: &Path) -> Result<Vec<Entry>> {
    let folder = tempfile::tempdir()?;
    output(Command::new(program).arg("man").arg(folder.path()))?;
    let mut pages = Vec::new();
    for file in fs::read_dir(folder.path())? {
        let file = file?;
        let name = file.file_name();
        let name = name
            .to_str()
            .context("a name of a manual page is not UTF-8")?;
        pages.push(Entry::file(format!("man/{name}"), fs::read(file.path())?));
    }
    if pages.is_empty() {
        bail!("the program wrote no manual page");
    }
    Ok(pages)
}
