//! What the fuzz targets check, with their seeds and with random bytes. A failure shows the bytes and how to repeat it.

use std::fs;

use kling_omni_properties::ALL;
use kling_omni_test_support::sources;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 256;

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = sources::files_below(&format!("fuzz/seeds/{target}"));
    let read = |path: String| {
        let bytes = fs::read(sources::root().join(&path)).unwrap();
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn what_is_known_holds() {
    for (target, property) in ALL {
        let seeds = seeds(target);
        assert!(seeds.len() > 4, "{target} has too few seeds");
        for (path, bytes) in seeds {
            println!("{path}");
            property(&bytes);
        }
    }
}

#[test]
fn every_target_runs_its_property() {
    let files = sources::files_below("fuzz/fuzz_targets");
    let targets = files.iter().map(|path| {
        let name = path
            .rsplit('/')
            .next()
            .and_then(|name| name.strip_suffix(".rs"))
            .unwrap();
        assert!(sources::read(path).contains(&format!("kling_omni_properties::{name}(data)")));
        assert!(sources::read("fuzz/Cargo.toml").contains(&format!("\"{name}\"")));
        name
    });
    let mut names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(targets.collect::<Vec<_>>(), names);
}

#[test]
fn what_is_random_holds() {
    for (target, property) in ALL {
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let seeds: Vec<_> = seeds(target).into_iter().map(|(_, bytes)| bytes).collect();
        let bytes = prop_oneof![
            1 => proptest::collection::vec(any::<u8>(), 0..200),
            4 => changed(seeds),
        ];
        let run = TestRunner::new(config).run(&bytes, |bytes| {
            property(&bytes);
            Ok(())
        });
        if let Err(problem) = run {
            panic!("{target}: {problem}");
        }
    }
}

/// Seeds with some bytes replaced, taken out or put in.
fn changed(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), 0..3_u8, any::<u8>());
    let changes = proptest::collection::vec(change, 0..4);
    (proptest::sample::select(seeds), changes).prop_map(|(mut bytes, changes)| {
        for (at, change, byte) in changes {
            let at = at.index(bytes.len() + 1);
            match change {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    })
}
