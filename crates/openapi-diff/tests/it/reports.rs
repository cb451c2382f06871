//! The reports of a comparison, in each format.

use openapi_diff::compare::compare;
use openapi_diff::finding::Finding;
use openapi_diff::render::{Counts, SCHEMA_VERSION, Side, Sides, github, json, markdown, text};

use crate::sample::{base, edited, snapshot};

/// Findings of every severity, some with texts that try to break out of a report.
fn findings() -> Vec<Finding> {
    let nasty = "'| <b>bold</b> `code` @octocat fixes #1 [link](https://evil.example) *x* _y_ ::error::no, 100%'";
    let head = edited(&[
        ("/paths/~1things~1{id}/delete", "null"),
        ("/components/schemas/Thing/properties/size", "null"),
        ("/components/schemas/Thing/properties/b/description", nasty),
        ("/components/schemas/Thing/properties/c", "{type: string}"),
        (
            "/components/schemas/Thing/x-unheard-of",
            "['|', '@octocat']",
        ),
        ("/components/schemas/Shared/maxLength", "5"),
        ("/servers/1", "{url: 'https://three.example'}"),
        ("/info/description", "\"One\\n\\e[31mred\\n::error::two\""),
    ]);
    compare(&base(), &head)
}

fn told(render: impl Fn(&Sides<'_>, &[Finding]) -> String) -> String {
    let findings = findings();
    // The base document has no lines that could be found, so these come from the pointers alone.
    let line = |pointer: &str| pointer.matches('/').count();
    let sides = Sides {
        base: Side::named("main:openapi/things.yaml"),
        head: Side {
            name: "openapi/things.yaml",
            file: Some("openapi/things.yaml"),
            line: Some(&line),
        },
    };
    render(&sides, &findings)
}

#[test]
fn each_form_reads_as_it_should() {
    snapshot("diff.text", &told(text));
    snapshot("diff.markdown", &told(markdown));
    snapshot("diff.json", &told(json));
    snapshot("diff.github", &told(github));
}

#[test]
fn nothing_in_markdown_mentions_or_breaks_out() {
    let page = told(markdown);
    for bad in ["@octocat", "#1 ", "<b>", "`", "](", "https://"] {
        assert!(!page.contains(bad), "{bad} is in {page}");
    }
    for row in page.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(row.matches('|').count(), 6, "{row}");
    }
}

#[test]
fn annotations_are_one_line_each() {
    let findings = findings();
    let report = told(github);
    assert_eq!(report.lines().count(), findings.len());
    let commands = ["::error ", "::warning ", "::notice "];
    for line in report.lines() {
        assert!(
            commands.iter().any(|command| line.starts_with(command)),
            "{line}"
        );
        assert!(line.contains("file=openapi/things.yaml,line="), "{line}");
    }
}

#[test]
fn json_is_one_object_with_its_version() {
    let report: serde_json::Value = serde_json::from_str(&told(json)).expect("JSON");
    assert_eq!(report["schema_version"], SCHEMA_VERSION);
    let findings = findings();
    let counts = Counts::of(&findings);
    assert_eq!(report["counts"]["error"], counts.error);
    assert_eq!(
        report["findings"].as_array().map(Vec::len),
        Some(findings.len())
    );
    assert_eq!(counts.error + counts.warning + counts.info, findings.len());
}

#[test]
fn no_findings_are_told_as_well() {
    let sides = Sides {
        base: Side::named("one"),
        head: Side::named("other"),
    };
    assert_eq!(text(&sides, &[]), "one and other mean the same.\n");
    assert_eq!(markdown(&sides, &[]), "one and other mean the same.\n");
    assert_eq!(github(&sides, &[]), "");
}
