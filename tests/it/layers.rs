//! The direction of imports in the ergonomic crate: down its layers, and in no circle.

use std::collections::{BTreeMap, BTreeSet};

use kling_omni_test_support::{fail_on, sources};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

const SOURCE: &str = "crates/kling-omni/src/";

/// The folder that must not know what Kling is.
const ENGINE: &str = "engine";

/// The crate that is generated from the document of Kling.
const GENERATED_CRATE: &str = "kling_omni_api";

/// What the crate says of its layers: the rows of the table in ARCHITECTURE.md, from the top down.
fn layers() -> Vec<String> {
    let text = sources::read("ARCHITECTURE.md");
    let (_, table) = text
        .split_once("<!-- layers -->")
        .expect("ARCHITECTURE.md has the mark");
    let (table, _) = table
        .split_once("<!-- /layers -->")
        .expect("ARCHITECTURE.md has the end mark");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned()));
    names.collect()
}

/// A module, by the names on the way to it.
type Module = Vec<String>;

struct Graph {
    modules: BTreeSet<Module>,
    /// The public names at the root, and where they are defined.
    root: BTreeMap<String, Module>,
    files: BTreeMap<Module, TokenStream>,
}

impl Graph {
    fn read() -> Self {
        let mut files = BTreeMap::new();
        for path in sources::files_below(SOURCE) {
            let Some(name) = path
                .strip_prefix(SOURCE)
                .and_then(|name| name.strip_suffix(".rs"))
            else {
                continue;
            };
            let module = match name {
                "lib" => Vec::new(),
                name => name.split('/').map(str::to_owned).collect(),
            };
            let tokens = sources::read(&path).parse().expect("the file is Rust");
            files.insert(module, without_tests(tokens));
        }
        let mut graph = Self {
            modules: files.keys().cloned().collect(),
            root: BTreeMap::new(),
            files,
        };
        for path in paths(&graph.files[&Vec::new()], &[]) {
            if let Some(name) = path.last() {
                graph.root.insert(name.clone(), path.clone());
            }
        }
        graph
    }

    /// The module in which the last name of a path is defined; none for the root.
    fn resolve(&self, path: &[String]) -> Option<Module> {
        let is_known = |length: &usize| self.modules.contains(&path[..*length]);
        if let Some(length) = (1..=path.len()).rev().find(is_known) {
            return Some(path[..length].to_vec());
        }
        let root = self.root.get(path.first()?)?;
        (root.len() > 1).then(|| self.resolve(root))?
    }

    /// Each import, from the module that has it to the one that it names.
    fn imports(&self) -> impl Iterator<Item = (&Module, Module)> {
        self.files
            .iter()
            .filter(|(module, _)| !module.is_empty())
            .flat_map(|(module, tokens)| {
                let targets = paths(tokens, module).into_iter();
                let targets = targets.filter_map(|path| self.resolve(&path));
                targets.map(move |target| (module, target))
            })
    }
}

/// What a rule is about: a module at the root of the crate, or one in the engine, with all that is below it.
fn unit(module: &[String]) -> String {
    let depth = match module.first().map(String::as_str) {
        Some(ENGINE) => 2,
        _ => 1,
    };
    module[..depth.min(module.len())].join("::")
}

/// The tokens without the modules of unit tests, which may import what they like.
fn without_tests(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let is_test = |at: usize| {
        let text = |at: usize| tokens.get(at).map(ToString::to_string);
        text(at).as_deref() == Some("#")
            && text(at + 1).is_some_and(|group| {
                let group = group.replace(' ', "");
                group == "[cfg(test)]" || group.starts_with("[cfg(all(test,")
            })
            && text(at + 2).as_deref() == Some("mod")
    };
    let end = (0..tokens.len()).find(|at| is_test(*at));
    tokens.into_iter().take(end.unwrap_or(usize::MAX)).collect()
}

/// All paths that begin with `crate`, `$crate` or `super`, in macros too, as paths from the root of the crate.
fn paths(tokens: &TokenStream, module: &[String]) -> Vec<Module> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => found.extend(paths(&group.stream(), module)),
            TokenTree::Ident(ident) if is_separator(&tokens, at + 1) => {
                let base = match ident.to_string().as_str() {
                    "crate" => Some(Vec::new()),
                    "super" => {
                        let mut parents = 1;
                        while tokens
                            .get(at + 3)
                            .is_some_and(|next| next.to_string() == "super")
                        {
                            parents += 1;
                            at += 3;
                        }
                        Some(module[..module.len().saturating_sub(parents)].to_vec())
                    }
                    _ => None,
                };
                if let Some(base) = base {
                    at = tree(&tokens, at + 3, base, &mut found);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads the tree of names at `at`, and returns where it ends.
fn tree(tokens: &[TokenTree], mut at: usize, mut path: Module, found: &mut Vec<Module>) -> usize {
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => path.push(ident.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                let mut next = 0;
                while next < inner.len() {
                    next = tree(&inner, next, path.clone(), found);
                    let is_comma = |token: &TokenTree| token.to_string() == ",";
                    while next < inner.len() && !is_comma(&inner[next]) {
                        next += 1;
                    }
                    next += 1;
                }
                return at + 1;
            }
            _ => {
                found.push(path);
                return at;
            }
        }
        at += 1;
        if !is_separator(tokens, at) {
            found.push(path);
            return at;
        }
        at += 2;
    }
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |at: usize| tokens.get(at).is_some_and(|token| token.to_string() == ":");
    is_colon(at) && is_colon(at + 1)
}

#[test]
fn every_import_leads_down() {
    let layers = layers();
    let place = |unit: &str| layers.iter().position(|layer| layer == unit);
    let graph = Graph::read();
    let mut findings = BTreeSet::new();
    for module in graph.modules.iter().filter(|module| !module.is_empty()) {
        let unit = unit(module);
        if unit != ENGINE && place(&unit).is_none() {
            findings.insert(format!("`{unit}` is in no layer of ARCHITECTURE.md"));
        }
    }
    for layer in &layers {
        let module: Module = layer.split("::").map(str::to_owned).collect();
        if !graph.modules.contains(&module) {
            findings.insert(format!(
                "ARCHITECTURE.md has a layer `{layer}`, and there is no such module"
            ));
        }
    }
    for (from, to) in graph.imports() {
        let (above, below) = (unit(from), unit(&to));
        if above != below && place(&above) >= place(&below) {
            let (from, to) = (from.join("::"), to.join("::"));
            findings.insert(format!("{from} imports {to}, which is not below it"));
        }
    }
    fail_on(findings);
}

#[test]
fn the_engine_does_not_know_kling() {
    let layers = layers();
    let first = layers
        .iter()
        .position(|layer| layer.starts_with("engine::"));
    let kling: BTreeSet<_> = layers.iter().take(first.unwrap_or_default()).collect();
    let graph = Graph::read();
    let mut findings = BTreeSet::new();
    for (from, to) in graph.imports() {
        if from[0] == ENGINE && kling.contains(&unit(&to)) {
            let (from, to) = (from.join("::"), to.join("::"));
            findings.insert(format!("{from} imports {to}, which knows Kling"));
        }
    }
    for (module, tokens) in &graph.files {
        let is_engine = module.first().is_some_and(|name| name == ENGINE);
        if is_engine && tokens.to_string().contains(GENERATED_CRATE) {
            findings.insert(format!("{} names {GENERATED_CRATE}", module.join("::")));
        }
    }
    fail_on(findings);
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let tokens: TokenStream = "use crate::a::{b::C, d::{self, E as F}};
        macro_rules! m { () => { fn f(x: $crate::g::H) {} } }
        fn i() { super::super::j::k(crate::l::m!()) }"
        .parse()
        .expect("it is Rust");
    let module = ["x", "y", "z"].map(str::to_owned);
    let found: Vec<_> = paths(&tokens, &module)
        .iter()
        .map(|path| path.join("::"))
        .collect();
    let expected = [
        "a::b::C",
        "a::d::self",
        "a::d::E",
        "g::H",
        "x::j::k",
        "l::m",
    ];
    assert_eq!(found, expected);
}
