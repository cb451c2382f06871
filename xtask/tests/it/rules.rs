//! The rules, their page and their explanations.

use xtask::codegen::Mode;
use xtask::explain::explain;
use xtask::rules_page;
use xtask::spec::rules::rules;

use crate::workspace::root;

#[test]
fn the_page_of_rules_is_fresh() {
    let change = rules_page::run(&root(), Mode::Check).expect("the page can be read");
    let report = rules_page::report(change.as_ref(), Mode::Check);
    assert!(change.is_none(), "run `cargo xtask accept`\n{report}");
}

#[test]
fn every_rule_can_be_explained() {
    for rule in rules() {
        let text = explain(rule.id).expect(rule.id);
        assert!(
            text.contains(rule.explanation) && text.contains(rule.title),
            "{text}"
        );
        assert!(
            rule.explanation.ends_with('.') && !rule.title.ends_with('.'),
            "{}",
            rule.id
        );
        assert!(
            !rule.effects.is_empty() && rule.effects.is_sorted(),
            "{}",
            rule.id
        );
    }
}

#[test]
fn a_near_miss_is_offered() {
    let error = explain("request-property-max-lenght-decreased").expect_err("misspelt");
    assert!(
        error.contains("did you mean request-property-max-length-decreased"),
        "{error}"
    );
    let error = explain("zzz").expect_err("no rule");
    assert!(error.contains("docs/spec-rules.md"), "{error}");
}
