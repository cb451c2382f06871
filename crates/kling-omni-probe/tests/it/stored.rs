//! Sample files that are checked in, against what the table says of them.

use kling_omni_probe::probe_bytes;

use crate::expected::{line, samples, stored};

#[test]
fn samples_are_what_the_table_says() {
    let mut wrong = Vec::new();
    for sample in samples() {
        let is = line(&probe_bytes(&stored(&sample.name)));
        if is != sample.is {
            wrong.push(format!(
                "{}\n  is:    {is}\n  table: {}",
                sample.name, sample.is
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
