//! The generated code is that of the document.

use xtask::check;
use xtask::codegen::{self, Mode, Outcome, report};

use crate::workspace::root;

/// The same as `cargo xtask codegen --check`. Plain `cargo test` finds stale code.
#[test]
fn the_generated_code_matches_the_spec() {
    let outcome = codegen::run(&root(), Mode::Check).expect("code generation works");
    assert_eq!(
        outcome,
        Outcome::Fresh,
        "\n{}",
        report::report(&outcome, check::ACCEPT)
    );
}

#[test]
fn the_header_names_the_generator_that_the_workspace_pins() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let (name, version) = openapi_codegen::GENERATOR
        .split_once(' ')
        .expect("name and version");
    for name in [name, "progenitor-client"] {
        let line = manifest
            .lines()
            .find(|line| line.starts_with(&format!("{name} = ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not a dependency of the workspace"));
        assert!(line.contains(&format!("\"={version}\"")), "{line}");
    }
}
