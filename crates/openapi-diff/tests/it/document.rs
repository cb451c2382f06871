//! Reading documents: hostile input, lines and references.

mod damage;

use std::fmt::Write as _;

use openapi_diff::document::{Document, MOST_BYTES, Position, locate};
use openapi_diff::tree::Node;

fn read(text: impl AsRef<[u8]>) -> Result<Node, String> {
    let document = Document::parse("doc", text.as_ref());
    document
        .map(|document| document.tree)
        .map_err(|error| error.to_string())
}

/// Each level of aliases is ten of the one before.
fn exploding_aliases() -> String {
    let mut text = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{items}]").expect("text grows");
    }
    text
}

fn exploding_merges() -> String {
    let keys: Vec<_> = (0..1000).map(|key| format!("k{key}: 1")).collect();
    let mut text = format!("a: &a {{{}}}\n", keys.join(", "));
    for key in 0..2000 {
        writeln!(text, "m{key}: {{<<: *a}}").expect("text grows");
    }
    text
}

fn deep_block() -> String {
    (0..2000)
        .map(|level| format!("{}a:\n", " ".repeat(level)))
        .collect()
}

#[test]
fn hostile_and_broken_input_is_refused_with_its_place() {
    let unfolds = "its anchors and aliases unfold into too much";
    let deep = "it nests deeper than 64 levels";
    let open = "unclosed bracket";
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        (
            "deep list",
            "[".repeat(100_000).into(),
            "1:6",
            "recursion limit",
        ),
        (
            "deep JSON",
            format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)).into(),
            "1:321",
            "recursion limit",
        ),
        ("deep block", deep_block().into(), "65:65", deep),
        ("deep dashes", "- ".repeat(50_000).into(), "1:129", deep),
        (
            "exploding aliases",
            exploding_aliases().into(),
            "6:",
            unfolds,
        ),
        ("exploding merges", exploding_merges().into(), "1:", unfolds),
        (
            "an alias of itself",
            "a: &a [*a]".into(),
            "1:8",
            "Recursive",
        ),
        ("an unknown alias", "a: 1\nb: *c".into(), "2:4", "unknown"),
        (
            "a repeated key",
            "a: 1\nb: 2\na: 3\n".into(),
            "3:1",
            "duplicate mapping key `a`",
        ),
        (
            "a repeated JSON key",
            "{\"a\": 1,\n \"a\": 2}".into(),
            "2:2",
            "duplicate mapping key `a`",
        ),
        (
            "one key in two forms",
            "200: 1\n'200': 2\n".into(),
            "",
            "`200` is there twice, again in line 2",
        ),
        (
            "no key",
            "a: 1\n~: 2\n".into(),
            "2:1",
            "null is not allowed",
        ),
        (
            "a list as a key",
            "? [a]\n: 1\n".into(),
            "1:3",
            "expected string",
        ),
        (
            "not UTF-8",
            b"a: 1\nb: \xff\n".to_vec(),
            "2:4",
            "byte 0xFF is not UTF-8; convert the file",
        ),
        ("UTF-16", b"\xff\xfea\0:\0".to_vec(), "1:1", "not UTF-8"),
        (
            "behind a byte order mark",
            "\u{feff}a: 1\nb: [\n".into(),
            "2:4",
            open,
        ),
        (
            "with Windows line ends",
            "a: 1\r\nb: |\r\n  x\r\nc: [\r\n".into(),
            "4:4",
            open,
        ),
        (
            "a zero byte",
            b"a: 1\nb: \0\n".to_vec(),
            "2:4",
            "unexpected character",
        ),
        (
            "two documents",
            "a: 1\n---\nb: 2\n".into(),
            "2:1",
            "a second document",
        ),
        ("a tab", "a:\n\tb: 1\n".into(), "2:2", "tabs"),
        (
            "no number",
            "a:\n  b: .nan\n".into(),
            "2:6",
            "not a finite number",
        ),
        (
            "an infinite number",
            "a: -.inf\n".into(),
            "1:4",
            "not a finite number",
        ),
        (
            "too large a number",
            "a: 1e999\n".into(),
            "1:4",
            "not a finite number",
        ),
        (
            "no number in JSON",
            "{\"a\":\n NaN}".into(),
            "2:2",
            "begins as JSON",
        ),
        (
            "a huge text",
            format!("a: {}", "x".repeat(MOST_BYTES)).into(),
            "",
            "larger than 16 MiB",
        ),
        (
            "many values",
            format!("[{}]", "1,".repeat(1_000_000)).into(),
            "1:800000",
            "400000 values",
        ),
        (
            "many lists",
            format!("[{}]", "[],".repeat(1_000_000)).into(),
            "1:",
            "400000 values",
        ),
        (
            "truncated YAML",
            "openapi: 3.0.0\npaths: {".into(),
            "2:8",
            open,
        ),
        (
            "truncated JSON",
            "{\"openapi\":\n \"3.0".into(),
            "2:5",
            "EOF while parsing a string",
        ),
        (
            "an open quote",
            "a: 1\nb: \"c\nd: 1\n".into(),
            "2:",
            "quote",
        ),
        (
            "two colons",
            "a: b: c\n".into(),
            "1:5",
            "mapping values are not allowed",
        ),
        (
            "another YAML",
            "%YAML 9.9\n---\na: 1\n".into(),
            "1:1",
            "unsupported",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, text, place, message) in cases {
        let start = match place {
            "" => "doc: ".to_owned(),
            place => format!("doc:{place}"),
        };
        match read(text) {
            Ok(_) => wrong.push(format!("{name} was read")),
            Err(error) if error.starts_with(&start) && error.contains(message) => {}
            Err(error) => wrong.push(format!("{name}: wanted {start} … {message}, got {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn harmless_oddities_are_read() {
    let cases = [
        ("{\n\t\"200\":\t1\n}", "200: 1"),
        ("\u{feff}{\"a\": \"\\ud83d\\ude00\\/\"}", "a: 😀/"),
        ("a: |\r\n  x\r\n  y\r\nb: 1\r\n", "a: \"x\\ny\\n\"\nb: 1"),
        (
            "a: no\nb: 1_000\nc: 2020-01-01\n",
            "a: 'no'\nb: '1_000'\nc: '2020-01-01'",
        ),
        (
            "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\n",
            "x: {a: 1, b: 2}\ny: {b: 3, a: 1}",
        ),
        ("a: &a [1]\nb: *a\n", "a: [1]\nb: [1]"),
        ("a: !include /etc/passwd\n", "a: /etc/passwd"),
        ("true: 1\n2: 3\n", "'true': 1\n'2': 3"),
    ];
    for (text, same) in cases {
        assert_eq!(read(text), read(same), "{text}");
    }
    let long = format!("{{\"{}\": 1}}", "k".repeat(10_000));
    assert_eq!(read(long).expect("a long key").entries().count(), 1);
}

#[test]
fn a_pointer_has_a_line_in_yaml_and_in_json() {
    let yaml = "a:\n  b/c:\n  - x\n  -\n    d: &d {e: 1}\nf: *d\n";
    let json = "{\n \"a\": {\n  \"b/c\": [\n   \"x\", {\n    \"d\": {\"e\": 1}\n   }]},\n \"f\": {\"e\": 1}\n}";
    let cases = [
        ("", 1, 1),
        ("/a", 1, 2),
        ("/a/b~1c", 2, 3),
        ("/a/b~1c/0", 3, 4),
        ("/a/b~1c/1", 5, 4),
        ("/a/b~1c/1/d/e", 5, 5),
        ("/f", 6, 7),
        // What is not there has the line of what would be around it.
        ("/a/b~1c/7/z", 2, 3),
        ("/nothing", 1, 1),
    ];
    let yaml = Document::parse("yaml", yaml.as_bytes()).expect("YAML");
    let json = Document::parse("json", json.as_bytes()).expect("JSON");
    assert_eq!(yaml.tree, json.tree);
    for (pointer, in_yaml, in_json) in cases {
        let line = |line| Position { line, column: None };
        assert_eq!(yaml.position(pointer), line(in_yaml), "{pointer} in YAML");
        assert_eq!(json.position(pointer), line(in_json), "{pointer} in JSON");
    }
}

#[test]
fn references_end() {
    let text = "a: {$ref: '#/b'}\nb: {$ref: '#/a'}\nc: {$ref: '#/d'}\nd: 1\ne: {$ref: '#/x'}\nf: {$ref: 'x#/d'}\n";
    let tree = read(text).expect("YAML");
    let follow = |key: &str| {
        let found = locate(&tree, "", tree.get(key).expect("there"));
        found
            .map(|(pointer, _)| pointer)
            .map_err(|error| error.to_string())
    };
    assert_eq!(follow("a").unwrap_err(), "`#/b` leads back to itself");
    assert_eq!(follow("c").unwrap(), "/d");
    assert_eq!(follow("e").unwrap_err(), "`#/x` leads nowhere");
    assert_eq!(follow("f").unwrap_err(), "`x#/d` leads nowhere");
}
