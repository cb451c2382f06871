//! The packages that are linked into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand, Package, PackageId};

use super::{cargo, text};

/// A package that is linked into the program.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as an SPDX expression.
    pub licence: Option<String>,
    /// Where its source is kept.
    pub repository: Option<String>,
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// Whether it is not of this workspace.
    pub is_third_party: bool,
    /// Its own dependencies among the components, as names with versions.
    pub dependencies: BTreeSet<(String, String)>,
}

/// Lists the components of a program in the order of their names and versions: without what only builds or tests it.
pub(super) fn of_program(
    root: &Path,
    package: &str,
    features: &str,
    target: &str,
) -> Result<Vec<Component>> {
    let linked = linked(root, package, features, target)?;
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .other_options(["--locked".into(), format!("--filter-platform={target}")])
        .exec()?;
    let id = |package: &Package| (package.name.to_string(), package.version.to_string());
    let ids: BTreeMap<&PackageId, (String, String)> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, id(package)))
        .collect();
    let dependencies = dependencies(&metadata, &ids, &linked)?;
    let mut components = Vec::new();
    for package in &metadata.packages {
        let id = id(package);
        if !linked.contains(&id) {
            continue;
        }
        let folder = package
            .manifest_path
            .parent()
            .context("a manifest has no folder")?;
        components.push(Component {
            dependencies: dependencies.get(&id).cloned().unwrap_or_default(),
            name: id.0,
            version: id.1,
            // Before SPDX, a slash meant "or".
            licence: package
                .license
                .as_ref()
                .map(|licence| licence.replace('/', " OR ")),
            repository: package.repository.clone(),
            folder: folder.to_owned().into(),
            is_third_party: package.source.is_some(),
        });
    }
    components.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    Ok(components)
}

/// The names and versions of the packages that cargo links for a target. Its metadata has those of all targets and features.
fn linked(
    root: &Path,
    package: &str,
    features: &str,
    target: &str,
) -> Result<BTreeSet<(String, String)>> {
    let mut tree = cargo(root);
    tree.args([
        "tree",
        "--locked",
        "--package",
        package,
        "--features",
        features,
    ])
    .args(["--target", target, "--edges", "normal,no-proc-macro"])
    .args(["--prefix", "none", "--no-dedupe", "--format", "{p}"]);
    let mut linked = BTreeSet::new();
    for line in text(&mut tree)?.lines() {
        let mut words = line.split(' ');
        let (name, version) = words
            .next()
            .zip(words.next())
            .with_context(|| format!("cargo tree: {line}"))?;
        linked.insert((name.to_owned(), version.trim_start_matches('v').to_owned()));
    }
    Ok(linked)
}

type Dependencies = BTreeMap<(String, String), BTreeSet<(String, String)>>;

fn dependencies(
    metadata: &Metadata,
    ids: &BTreeMap<&PackageId, (String, String)>,
    linked: &BTreeSet<(String, String)>,
) -> Result<Dependencies> {
    let resolve = metadata
        .resolve
        .as_ref()
        .context("cargo resolved nothing")?;
    let mut all = Dependencies::new();
    for node in &resolve.nodes {
        let Some(package) = ids.get(&node.id).filter(|id| linked.contains(*id)) else {
            continue;
        };
        let dependencies = node.dependencies.iter().filter_map(|id| ids.get(id));
        let dependencies = dependencies.filter(|id| linked.contains(*id)).cloned();
        all.insert(package.clone(), dependencies.collect());
    }
    Ok(all)
}
