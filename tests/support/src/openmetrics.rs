//! Reads OpenMetrics text, and refuses what its specification forbids.

use std::collections::{BTreeMap, BTreeSet};

/// The samples of a text: the name with the labels in their order, such as `cats{color="black"}`, and the value.
#[derive(Debug, Default)]
pub struct Samples(BTreeMap<(String, Vec<(String, String)>), f64>);

impl Samples {
    /// The value of a sample.
    ///
    /// # Panics
    ///
    /// Panics if the sample is missing.
    #[track_caller]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let owned = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let key = (name.to_owned(), owned.collect());
        *self
            .0
            .get(&key)
            .unwrap_or_else(|| panic!("no {key:?} in {self:#?}"))
    }

    /// The sum of all samples of a name.
    pub fn sum(&self, name: &str) -> f64 {
        let of_name = self.0.iter().filter(|((other, _), _)| other == name);
        of_name.map(|(_, value)| value).sum()
    }
}

/// A metric whose descriptors were read.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    has_samples: bool,
}

/// Reads a text.
///
/// # Panics
///
/// Panics if it violates a rule of OpenMetrics 1.0.
#[track_caller]
pub fn parse(text: &str) -> Samples {
    let body = text
        .strip_suffix("# EOF\n")
        .expect("the last line is # EOF");
    assert!(body.is_empty() || body.ends_with('\n'));
    let mut samples = Samples::default();
    let (mut names, mut family) = (BTreeSet::new(), Family::default());
    for line in body.lines() {
        let Some(descriptor) = line.strip_prefix("# ") else {
            let (name, labels, value) = sample(line);
            let suffix = match family.kind.as_str() {
                "counter" => "_total",
                "gauge" => "",
                other => panic!("{other} is not read by the textfile collector: {line}"),
            };
            assert_eq!(name, format!("{}{suffix}", family.name), "{line}");
            assert!(family.kind != "counter" || value >= 0.0, "{line}");
            family.has_samples = true;
            let is_new = samples.0.insert((name, labels), value).is_none();
            assert!(is_new, "twice: {line}");
            continue;
        };
        let mut words = descriptor.splitn(3, ' ');
        let (keyword, name) = (words.next().unwrap(), words.next().unwrap());
        let text = words.next().unwrap_or_default();
        if name != family.name {
            assert!(
                family.name.is_empty() || family.has_samples,
                "{}",
                family.name
            );
            assert!(names.insert(name.to_owned()), "interleaved: {line}");
            assert!(is_name(name), "{line}");
            family = Family {
                name: name.to_owned(),
                ..Family::default()
            };
        }
        assert!(!family.has_samples, "after its samples: {line}");
        match keyword {
            "HELP" => assert!(!text.is_empty(), "{line}"),
            "TYPE" => family.kind = text.to_owned(),
            "UNIT" => assert!(name.ends_with(&format!("_{text}")), "{line}"),
            _ => panic!("{line}"),
        }
    }
    samples
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// Reads `name{label="value",…} number`.
fn sample(line: &str) -> (String, Vec<(String, String)>, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels: Vec<(String, String)> = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            let label = label.trim_start_matches(',');
            assert!(
                is_name(label) && labels.iter().all(|(other, _)| other != label),
                "{line}"
            );
            let (value, after) = quoted_text(quoted);
            labels.push((label.to_owned(), value));
            rest = after;
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
    (name.to_owned(), labels, value)
}

/// Reads a text up to its quotation mark, and returns what follows it.
fn quoted_text(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next() {
                Some((_, 'n')) => '\n',
                Some((_, c @ ('"' | '\\'))) => c,
                other => panic!("the escape {other:?} does not exist"),
            }),
            c => value.push(c),
        }
    }
    panic!("no end of {text}")
}
