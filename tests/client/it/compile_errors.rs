//! What the compiler says about the mistakes that beginners make: the line that names the mistake, or how to fix it.
//!
//! Only that line is compared, because the rest of the text changes with the version of the compiler. The table in
//! `guide/getting-started.md` explains each.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mistake, and a text of which the compiler's output must have a part.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "a create without `.await`",
        "let task = client.create(request)?;",
        "the `?` operator cannot be applied to type `kling_omni::Create`",
    ),
    (
        "a wait without `.await`",
        "let video = client.task(\"a\").wait()?;",
        "the `?` operator cannot be applied to type `kling_omni::polling::Wait`",
    ),
    (
        "a create that is dropped",
        "let _: () = { client.create(request); };",
        "unused `kling_omni::Create` that must be used",
    ),
    (
        "a wait as a future",
        "fn spawn(_: impl Future) {} spawn(client.task(\"a\").wait());",
        "`kling_omni::polling::Wait` is not a future",
    ),
    (
        "a builder without `build`",
        "client.create(VideoReference::builder().prompt(\"a\")).await?;",
        "`VideoReferenceBuilder` is not a request",
    ),
    (
        "a builder without `build`, and the fix",
        "client.create(VideoReference::builder().prompt(\"a\")).await?;",
        "finish a builder with `.build()?`",
    ),
    (
        "`build` without `?`",
        "client.create(VideoReference::builder().prompt(\"a\").build()).await?;",
        "finish a builder with `.build()?`",
    ),
    (
        "a preflight of a builder",
        "client.preflight(VideoReference::builder().prompt(\"a\")).await;",
        "finish a builder with `.build()?`",
    ),
    (
        "a borrowed request",
        "client.create(&request).await?;",
        "clone a borrowed request",
    ),
    (
        "`from_env` without `?`",
        "let client = Client::from_env(); client.create(request).await?;",
        "use the `?` operator to extract the `kling_omni::Client` value",
    ),
];

/// The folder with the libraries that this test is linked with.
fn libraries() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.parent().unwrap().to_owned()
}

/// The library that was built last: no mistake depends on features.
fn library(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let libraries = files.filter(|file| {
        let name = file.file_name().into_string().unwrap_or_default();
        name.starts_with("libkling_omni-") && name.ends_with(".rlib")
    });
    let newest = libraries.max_by_key(|file| file.metadata().unwrap().modified().unwrap());
    newest.expect("the library is beside the test").path()
}

fn compile(body: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("mistake.rs");
    let code = format!(
        "#![allow(unused_imports, unused_variables)]\n\
         use kling_omni::{{Client, VideoReference}};\n\
         pub async fn mistake(client: Client, request: VideoReference) -> kling_omni::Result<()> {{\n\
         {body}\n\
         Ok(())\n\
         }}\n"
    );
    fs::write(&source, code).unwrap();
    let libraries = libraries();
    let mut dependency = OsString::from("dependency=");
    dependency.push(&libraries);
    let mut own = OsString::from("kling_omni=");
    own.push(library(&libraries));
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
        .arg("--out-dir")
        .arg(folder.path())
        .arg("-L")
        .arg(dependency)
        .arg("--extern")
        .arg(own)
        .arg(&source)
        .output()
        .expect("rustc runs");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_correct_program_compiles_without_warnings() {
    let output = compile("client.create(request).await?.wait().await?.save(\"a.mp4\").await?;");
    assert_eq!(output, "");
}

#[test]
fn each_mistake_is_named() {
    for (mistake, body, hint) in MISTAKES {
        let output = compile(body);
        assert!(output.contains(hint), "{mistake}: {output}");
    }
}
