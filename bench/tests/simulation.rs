//! The model of a fleet agrees with a run of a batch.

use std::process::Command;

/// Both run in virtual time, with one seed.
#[test]
fn model_agrees_with_a_run() {
    let program = env!("CARGO_BIN_EXE_kling-omni-bench");
    let output = Command::new(program)
        .args(["simulation", "--check"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let compared: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let [model, run] = ["model", "run"].map(|name| compared[name].as_f64().unwrap());
    let ratio = model / run;
    assert!((0.8..=1.2).contains(&ratio), "{compared}");
}
