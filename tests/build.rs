//! Lets insta take its settings from this package's `.config/insta.yaml`: those of the workspace are for the others.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-env=INSTA_WORKSPACE_ROOT={}",
        env!("CARGO_MANIFEST_DIR")
    );
}
