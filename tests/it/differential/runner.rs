//! Runs a property, and reports how to repeat a failure.

use std::hash::{BuildHasher, RandomState};
use std::thread;

use kling_omni_test_support::fail;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Tries `test` on many values; as one of several such tests, on a share of them. A failure tells the smallest value that
/// fails, and how to come by it again.
pub(super) fn check<S: Strategy>(
    name: &str,
    several: usize,
    values: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config::default();
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        // A random state has random keys: as good a seed as any.
        RngSeed::Random => RandomState::new().hash_one(name),
    };
    let config = Config {
        cases: (config.cases / several as u32).max(1),
        rng_seed: RngSeed::Fixed(seed),
        // A regressions file would be a second place for cases, and would name paths of this machine.
        failure_persistence: None,
        ..config
    };
    if let Err(error) = TestRunner::new(config).run(values, test) {
        let test = thread::current().name().unwrap_or_default().to_owned();
        fail(&format!(
            "{name}\n{error}\nAgain: PROPTEST_RNG_SEED={seed} cargo test -p kling-omni-tests {test}"
        ));
    }
}
