//! Lets insta take its settings from this package's `.config/insta.yaml`: those of the workspace are for the others.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A checkout may be moved with all that was built in it.
    println!("cargo::rerun-if-env-changed=CARGO_MANIFEST_DIR");
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo names the folder of the package");
    println!("cargo::rustc-env=INSTA_WORKSPACE_ROOT={folder}");
}
