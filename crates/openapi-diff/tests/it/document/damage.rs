//! Reading documents that are damaged at random.

use openapi_diff::document::{Document, Unreadable};
use openapi_diff::tree::Node;
use proptest::prelude::*;

use crate::sample::{SOURCE, base};

/// One thing that happens to a text. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Damage {
    CutAt(usize),
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Take(usize, usize),
    Repeat(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<usize>;
    let signs: Vec<Vec<u8>> = [
        "{", "}", "[", "]", "&a ", "*a", "<<: *a", "? ", ": ", "- ", "\"", "'", "|\n", ">\n", "\t",
        "\n", "\r", "#", "!!int ", "---\n", "...\n", "%", "\u{feff}", "\0", "\u{85}",
    ]
    .map(|sign| sign.as_bytes().to_vec())
    .into();
    prop_oneof![
        at().prop_map(Damage::CutAt),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), prop::sample::select(signs)).prop_map(|(at, sign)| Damage::Insert(at, sign)),
        (at(), 0..400_usize).prop_map(|(at, length)| Damage::Take(at, length)),
        (at(), 0..400_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ]
}

fn apply(text: &mut Vec<u8>, damage: Damage) {
    let length = text.len() + 1;
    let span = |at: usize, long: usize| at % length..(at % length + long).min(length - 1);
    match damage {
        Damage::CutAt(at) => text.truncate(at % length),
        Damage::Set(at, byte) if length > 1 => text[at % (length - 1)] = byte,
        Damage::Set(..) => {}
        Damage::Insert(at, sign) => {
            let at = at % length;
            text.splice(at..at, sign);
        }
        Damage::Take(at, long) => {
            text.drain(span(at, long));
        }
        Damage::Repeat(at, long) => {
            let again = text[span(at, long)].to_vec();
            let at = at % length;
            text.splice(at..at, again);
        }
    }
}

fn check(text: &[u8]) -> Result<(), TestCaseError> {
    // One more line than there are line feeds, and a return alone or a next-line sign counts as one to YAML.
    let is_end =
        |character: char| matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let lines = String::from_utf8_lossy(text).matches(is_end).count() + 1;
    match Document::parse("doc", text) {
        Ok(document) => {
            let mut farthest = 0;
            let mut visit = |pointer: &str, _: &Node| {
                farthest = farthest.max(document.position(pointer).line);
            };
            document.tree.walk("", &mut visit);
            prop_assert!(farthest <= lines, "line {farthest} of {lines}");
        }
        Err(Unreadable {
            position, message, ..
        }) => {
            prop_assert!(!message.is_empty());
            let line = position.map_or(1, |position| position.line);
            prop_assert!(
                (1..=lines).contains(&line),
                "line {line} of {lines}: {message}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_crashes_the_reader(
        yaml in any::<bool>(),
        damages in prop::collection::vec(damage(), 1..6),
    ) {
        let mut text = match yaml {
            true => SOURCE.into(),
            false => serde_json::to_vec_pretty(&base()).expect("JSON"),
        };
        for damage in damages {
            apply(&mut text, damage);
        }
        check(&text)?;
    }

    #[test]
    fn no_noise_crashes_the_reader(text in prop::collection::vec(damage(), 0..40)) {
        let mut noise = Vec::new();
        for damage in text {
            apply(&mut noise, damage);
        }
        check(&noise)?;
    }
}
