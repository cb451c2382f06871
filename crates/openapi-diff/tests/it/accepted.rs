//! The file of accepted differences.

use std::collections::BTreeSet;

use openapi_diff::accepted::{Accepted, AcceptedSyntax, Classified};
use openapi_diff::finding::Finding;
use openapi_diff::rules;

const ACCEPTED: &str = "accepted.yaml";

fn parse(text: &str) -> Result<Accepted, Vec<String>> {
    let syntax = AcceptedSyntax {
        base: "ours",
        head: "vendor",
        ..AcceptedSyntax::new(ACCEPTED)
    };
    Accepted::parse(text, syntax)
}

fn finding(id: &str, base: Option<&str>, head: Option<&str>) -> Finding {
    Finding {
        rule: rules::find(id).unwrap_or_else(|| panic!("there is no rule {id}")),
        subject: "a subject".to_owned(),
        message: "a message".to_owned(),
        base: base.map(str::to_owned),
        head: head.map(str::to_owned),
        used_by: Vec::new(),
    }
}

fn judge(entries: &str, findings: &[Finding]) -> Classified {
    let text = format!("accepted:\n{entries}");
    let accepted = parse(&text).unwrap_or_else(|faults| panic!("{}", faults.join("\n")));
    accepted.classify(findings.to_vec())
}

#[test]
fn every_part_of_an_entry_has_to_match() {
    let docs = finding("summary-changed", Some("/paths/~1a/get/summary"), None);
    let entry = "id: [summary-changed, description-changed], ours: [/info/**, /paths/**]";
    let judged = judge(&format!("- {{{entry}, {WHY}}}"), &[docs]);
    assert_eq!(judged.accepted.len(), 1);
    let [unused] = &judged.open[..] else {
        panic!("{:?}", judged.open);
    };
    let wanted = "accepted.yaml:2: nothing is found any more for description-changed, /info/**; take that out";
    assert!(unused.message.starts_with(wanted), "{unused:?}");
}

const WHY: &str = "reason: because, date: 2026-02-28";

#[test]
fn an_entry_accepts_what_it_names_and_nothing_else() {
    let docs = finding(
        "description-changed",
        Some("/paths/~1a/get/description"),
        Some("/paths/~1b/get/description"),
    );
    let added = finding("description-changed", None, Some("/info/description"));
    let error = finding("api-security-removed", Some("/paths/~1a/get"), None);
    let print = docs.fingerprint();
    let cases = [
        (
            &docs,
            "id: description-changed, ours: /paths/~1a/get/description".to_owned(),
            true,
        ),
        (
            &docs,
            "id: description-changed, vendor: /paths/~1b/get/description".to_owned(),
            true,
        ),
        (
            &docs,
            "id: description-changed, ours: /paths/~1b/get/description".to_owned(),
            false,
        ),
        (
            &docs,
            "id: description-changed, ours: /paths/**, vendor: /paths/~1c/**".to_owned(),
            false,
        ),
        (
            &docs,
            "id: summary-changed, ours: /paths/~1a/get/description".to_owned(),
            false,
        ),
        (&docs, "id: '*-changed', ours: /paths/**".to_owned(), true),
        (
            &docs,
            "id: description-changed, ours: /paths/*/*/description".to_owned(),
            true,
        ),
        (
            &docs,
            "id: description-changed, ours: /paths/*/description".to_owned(),
            false,
        ),
        (
            &docs,
            "id: description-changed, ours: /paths/~1*/get/desc*".to_owned(),
            true,
        ),
        (
            &docs,
            "id: description-changed, ours: /path".to_owned(),
            false,
        ),
        (
            &docs,
            format!("id: description-changed, ours: /paths/**, fingerprint: '{print}'"),
            true,
        ),
        (
            &docs,
            "id: description-changed, ours: /paths/**, fingerprint: 0123456789ab".to_owned(),
            false,
        ),
        (
            &added,
            "id: description-changed, ours: /info/**".to_owned(),
            false,
        ),
        (
            &added,
            "id: description-changed, vendor: /info/**".to_owned(),
            true,
        ),
        // What breaks programs is accepted one by one.
        (
            &error,
            "id: api-security-removed, ours: /paths/~1a/get".to_owned(),
            true,
        ),
        (
            &error,
            "id: api-security-removed, ours: /paths/~1a/**".to_owned(),
            false,
        ),
        (
            &error,
            "id: api-security-rem*, ours: /paths/~1a/get".to_owned(),
            false,
        ),
    ];
    for (finding, entry, accepts) in cases {
        let judged = judge(
            &format!("- {{{entry}, {WHY}}}"),
            std::slice::from_ref(finding),
        );
        assert_eq!(judged.accepted.len(), usize::from(accepts), "{entry}");
        let open: BTreeSet<_> = judged.open.iter().map(|one| one.rule.id).collect();
        let both = BTreeSet::from([finding.rule.id, "acceptance-unused"]);
        let wanted = if accepts { BTreeSet::new() } else { both };
        assert_eq!(open, wanted, "{entry}");
    }
}

#[test]
fn an_entry_without_a_match_is_a_finding_that_names_its_line() {
    let docs = finding("summary-changed", Some("/paths/~1a/get/summary"), None);
    let entries = format!(
        "- {{id: summary-changed, ours: /paths/**, {WHY}}}\n\
         # An entry that says no more than the one before.\n\
         - {{id: summary-changed, ours: /paths/~1a/get/summary, {WHY}}}\n"
    );
    let judged = judge(&entries, &[docs]);
    assert_eq!(judged.accepted.len(), 1);
    assert_eq!(judged.accepted[0].1.reason, "because");
    let [unused] = &judged.open[..] else {
        panic!("{:?}", judged.open);
    };
    assert_eq!(unused.rule.id, "acceptance-unused");
    assert!(
        unused.message.contains(&format!("{ACCEPTED}:4 ")),
        "{unused:?}"
    );
    assert_eq!(unused.subject, "accepted summary-changed");
}

#[test]
fn a_malformed_entry_is_said_with_its_line() {
    let good = "id: summary-changed, ours: /info, reason: because, date: 2026-02-28";
    let without = |part: &str| good.replacen(part, "", 1);
    let instead = |part: &str, other: &str| good.replacen(part, other, 1);
    let cases = [
        (without("id: summary-changed, "), "`id` is missing"),
        (
            instead("summary-changed", "[]"),
            "`id` has to be a text, and not an empty one",
        ),
        (instead("summary-changed", "7"), "`id` has to be a text"),
        (
            instead("summary-changed", "summary-change"),
            "there is no rule `summary-change`; did you mean `summary-changed`?",
        ),
        (
            instead("summary-changed", "nothing-like-it-at-all"),
            "there is no rule `nothing-like-it-at-all`",
        ),
        (
            instead("summary-changed", "'*-altered'"),
            "no rule matches `*-altered`",
        ),
        (
            instead("summary-changed", "'*'"),
            "`*` would accept everything",
        ),
        (without("ours: /info, "), "`ours` or `vendor` is missing"),
        (instead("/info", "info"), "`info` is not a JSON pointer"),
        (
            instead("/info", "/**"),
            "`/**` is not a JSON pointer with a first step",
        ),
        (without("reason: because, "), "`reason` is missing"),
        (
            instead("because", "' '"),
            "`reason` has to be a text, and not an empty one",
        ),
        (without(", date: 2026-02-28"), "`date` is missing"),
        (
            instead("2026-02-28", "2026-02-29"),
            "`2026-02-29` is not a date",
        ),
        (
            instead("2026-02-28", "28.2.2026"),
            "`28.2.2026` is not a date",
        ),
        (
            instead("reason", "cause: x, reason"),
            "`cause` is unknown; an entry has id, ours, vendor, fingerprint, reason, date",
        ),
        (
            format!("{good}, fingerprint: abc"),
            "a fingerprint has twelve hexadecimal digits",
        ),
    ];
    for (entry, wanted) in cases {
        let text = format!("accepted:\n- {{{good}}}\n- {{{entry}}}\n");
        let faults = parse(&text).expect_err(&entry);
        assert_eq!(faults.len(), 1, "{faults:?}");
        let start = format!("{ACCEPTED}:3: {wanted}");
        assert!(faults[0].starts_with(&start), "{start}: {}", faults[0]);
    }
}

#[test]
fn a_malformed_file_is_refused_and_an_empty_one_accepts_nothing() {
    for text in ["", "# nothing\n", "accepted: []\n"] {
        let accepted = parse(text).expect(text);
        assert!(accepted.classify(Vec::new()).open.is_empty(), "{text}");
    }
    for (text, wanted) in [
        ("[]", "one key `accepted`"),
        ("accepted: {}", "one key `accepted`"),
        ("accepted: []\nmore: []", "one key `accepted`"),
        ("accepted: [", "unclosed bracket"),
        ("accepted:\n- a", ":2: an entry is a mapping of id, ours"),
    ] {
        let faults = parse(text).expect_err(text);
        assert!(faults[0].contains(wanted), "{text}: {}", faults[0]);
    }
}

#[test]
fn every_fault_is_said_at_once() {
    let faults = parse("accepted:\n- {id: a}\n- 7\n").expect_err("faults");
    assert_eq!(faults.len(), 5, "{faults:#?}");
}
