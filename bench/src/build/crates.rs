//! Counts the dependencies of each feature.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

const CRATE: &str = "kling-omni";

/// Where the crates are counted for: others need some for their own TLS, and not those of Linux.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A crate with some of its features.
pub struct Build {
    pub name: &'static str,
    package: &'static str,
    default_features: bool,
    features: &'static str,
}

/// A feature of the crate.
pub struct Feature {
    pub name: &'static str,
    /// Whether it stands in for the default ones.
    is_instead: bool,
}

pub const FEATURES: &[Feature] = &[
    Feature {
        name: "rustls",
        is_instead: true,
    },
    Feature {
        name: "native-tls",
        is_instead: true,
    },
    Feature {
        name: "webhook",
        is_instead: false,
    },
    Feature {
        name: "object-store",
        is_instead: false,
    },
];

impl Feature {
    /// What is there without it.
    pub fn before<'a>(
        &self,
        bare: &'a BTreeSet<String>,
        usual: &'a BTreeSet<String>,
    ) -> &'a BTreeSet<String> {
        if self.is_instead { bare } else { usual }
    }

    pub fn base(&self) -> &'static str {
        match self.is_instead {
            true => "of no feature",
            false => "of the default features",
        }
    }
}

impl Build {
    pub const RAW: Self = Self {
        name: "`kling-omni-api`, the generated client, without TLS",
        package: "kling-omni-api",
        default_features: true,
        features: "",
    };
    pub const BARE: Self = Self {
        name: "`kling-omni` without features, and so without TLS",
        package: CRATE,
        default_features: false,
        features: "",
    };
    pub const USUAL: Self = Self {
        name: "`kling-omni` with default features",
        package: CRATE,
        default_features: true,
        features: "",
    };

    pub fn with(feature: &Feature) -> Self {
        Self {
            name: feature.name,
            default_features: !feature.is_instead,
            features: feature.name,
            ..Self::BARE
        }
    }

    /// What cargo is told.
    pub fn arguments(&self) -> Vec<&'static str> {
        let mut arguments = vec!["--package", self.package, "--features", self.features];
        if !self.default_features {
            arguments.push("--no-default-features");
        }
        arguments
    }

    /// Name and version of each crate that it takes, its own among them.
    pub fn crates(&self) -> Result<BTreeSet<String>> {
        crates(&self.arguments())
    }
}

/// Name and version of each crate in the tree that `cargo tree` prints with these arguments.
pub fn crates(arguments: &[&str]) -> Result<BTreeSet<String>> {
    let output = Command::new("cargo")
        .args(["tree", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--target", TARGET])
        .args(arguments)
        .output()
        .context("cargo cannot be run")?;
    ensure!(
        output.status.success(),
        "cargo tree ended with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout)?;
    let crates = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    });
    Ok(crates.collect())
}
