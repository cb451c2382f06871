//! Files that editors, spreadsheets and accidents produce.

use kling_omni_batch::manifest::{Manifest, ManifestOptions};

use super::{Files, assert_findings};

/// A file, the number of its valid rows, and its findings.
type Case<'a> = (&'a str, &'a [u8], usize, &'a [&'a str]);

fn check(name: &str, cases: &[Case]) {
    for (case, bytes, valid, expected) in cases {
        let files = Files::new().with(name, bytes);
        let (rows, findings) = files.read(name, ManifestOptions::new());
        assert_eq!(rows.len(), *valid, "{case}: {findings:?}");
        let expected: Vec<_> = expected
            .iter()
            .map(|text| format!("{name}{text}"))
            .collect();
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        assert_findings(case, &findings, &expected);
    }
}

#[test]
fn json_lines() {
    let deep = format!("{{\"elements\": {}{}}}", "[".repeat(5000), "]".repeat(5000));
    check(
        "a.jsonl",
        &[
            ("empty", b"", 0, &[": has no rows [empty-manifest]"]),
            (
                "only empty lines",
                b"\n\r\n  \n",
                0,
                &[": has no rows [empty-manifest]"],
            ),
            (
                "byte order mark",
                b"\xEF\xBB\xBF{\"prompt\": \"p\"}\n",
                1,
                &[],
            ),
            (
                "CRLF",
                b"{\"prompt\": \"p\"}\r\n\r\n{\"prompt\": 1}\r\n",
                1,
                &[":3: prompt: "],
            ),
            ("no last newline", b"{\"prompt\": \"p\"}", 1, &[]),
            (
                "broken line between others",
                b"{\"prompt\": \"a\"}\n{\"prompt\": \"b\",}\n{\"prompt\": \"c\"}\n",
                2,
                &[":2: is not valid JSON: trailing comma at column 16 [invalid-json]"],
            ),
            (
                "list",
                b"[\"p\"]",
                0,
                &[":1: is not a JSON object [invalid-json]"],
            ),
            (
                "text",
                b"hello",
                0,
                &[":1: is not valid JSON: expected value at column 1"],
            ),
            (
                "two objects",
                b"{} {}",
                0,
                &[":1: is not valid JSON: trailing characters at column 4"],
            ),
            (
                "pretty-printed",
                b"{\n\"prompt\": \"p\"\n}\n",
                0,
                &[":1: is not", ":2: is not", ":3: is not"],
            ),
            (
                "duplicate key",
                b"{\"prompt\": \"a\", \"prompt\": \"b\"}",
                0,
                &[":1: is not valid JSON: duplicate key \"prompt\""],
            ),
            (
                "huge number",
                b"{\"prompt\": \"p\", \"cfg_scale\": 1e999}",
                0,
                &[":1: is not valid JSON: number out of range"],
            ),
            (
                "huge integer",
                b"{\"prompt\": \"p\", \"duration\": 99999999999999999999}",
                0,
                &[":1: duration: duration must be a whole number of seconds [invalid-value]"],
            ),
            (
                "huge id",
                b"{\"prompt\": \"p\", \"id\": 99999999999999999999}",
                0,
                &[":1: id: is not a text"],
            ),
            ("number as id", b"{\"prompt\": \"p\", \"id\": 7}", 1, &[]),
            (
                "blank id",
                b"{\"prompt\": \"p\", \"id\": \" \"}",
                0,
                &[":1: id: has no text"],
            ),
            (
                "NUL in a text",
                b"{\"prompt\": \"a\\u0000b\"}",
                0,
                &[":1: prompt: has a NUL character"],
            ),
            (
                "NUL byte",
                b"{\"prompt\": \"a\0b\"}",
                0,
                &[":1: is not valid JSON: control character"],
            ),
            (
                "NUL in a path",
                b"{\"prompt\": \"a\", \"image_url\": \"a\\u0000b\"}",
                0,
                &[":1: image_url: has a NUL", ":1: image_url: "],
            ),
            (
                "not UTF-8",
                b"{\"prompt\": \"\xFF\"}\n{\"prompt\": \"p\"}",
                1,
                &[":1: is not valid UTF-8 at byte 13"],
            ),
            (
                "lone surrogate",
                b"{\"prompt\": \"\\ud800\"}",
                0,
                &[":1: is not valid JSON: "],
            ),
            (
                "deep",
                deep.as_bytes(),
                0,
                &[":1: is not valid JSON: recursion limit exceeded"],
            ),
        ],
    );
}

#[test]
fn csv() {
    check(
        "a.csv",
        &[
            ("empty", b"", 0, &[": has no rows [empty-manifest]"]),
            (
                "only a header",
                b"id,prompt\n",
                0,
                &[": has no rows [empty-manifest]"],
            ),
            ("byte order mark", b"\xEF\xBB\xBFprompt\np\n", 1, &[]),
            (
                "CRLF",
                b"id,prompt,duration\r\na,p,\r\nb,p,99\r\nc,p,98\r\n",
                1,
                &[":3: duration: ", ":4: duration: "],
            ),
            (
                "empty lines",
                b"prompt,duration\n\n\na,\n\nb,99\n",
                1,
                &[":6: duration: "],
            ),
            (
                "quoted newlines",
                b"prompt,duration\n\"a\nb\",\n\"c\n\nd\",99\ne,98\n",
                1,
                &[":4: duration: ", ":7: duration: "],
            ),
            (
                "quoted CRLF",
                b"prompt,duration\r\n\"a\r\nb\",\r\nd,99\r\n",
                1,
                &[":4: duration: "],
            ),
            (
                "trailing comma",
                b"id,prompt\na,p,\nb,p\n",
                1,
                &[":2: has 3 cells, the header has 2 [cell-count]"],
            ),
            (
                "missing cell",
                b"id,prompt,duration\na,p\n",
                0,
                &[":2: has 2 cells, the header has 3 [cell-count]"],
            ),
            (
                "comma without quotes",
                b"id,prompt\na,It rains, hard\n",
                0,
                &[":2: has 3 cells"],
            ),
            (
                "trailing comma in the header",
                b"id,prompt,\na,p,\n",
                1,
                &[":1: column 3 has no name [unnamed-column]"],
            ),
            (
                "unknown column",
                b"id,promt\na,p\n",
                0,
                &[
                    ":1: promt: is not a field, did you mean prompt?",
                    ":2: prompt: ",
                ],
            ),
            (
                "duplicate column",
                b"prompt,prompt\na,b\n",
                1,
                &[":1: prompt: is the name of two columns [duplicate-field]"],
            ),
            (
                "semicolons",
                b"id;prompt\na;p\n",
                0,
                &[":1: has semicolons between its columns, save it with commas [separator]"],
            ),
            (
                "semicolons between quoted cells",
                b"\"id\";\"prompt\"\n\"a\";\"p\"\n",
                0,
                &[":1: has semicolons between its columns, save it with commas [separator]"],
            ),
            ("spaces in the header", b" id , prompt \na,p\n", 1, &[]),
            (
                "invalid list",
                b"multi_prompt\nrain\n",
                0,
                &[":2: multi_prompt: is not JSON: "],
            ),
            (
                "text as list",
                b"multi_prompt\n\"\"\"a\"\"\"\n",
                0,
                &[":2: multi_prompt: invalid type: string, expected a sequence"],
            ),
            (
                "invalid flag",
                b"prompt,generate_audio\np,yes\n",
                0,
                &[":2: generate_audio: is not JSON: "],
            ),
            (
                "invalid number",
                b"prompt,video_url,cfg_scale\np,https://h.example/a.mp4,\"0,5\"\n",
                0,
                &[":2: cfg_scale: is not JSON: "],
            ),
            (
                "not UTF-8",
                b"id,prompt\na,\xFF\nb,p\n",
                1,
                &[":2: prompt: is not valid UTF-8"],
            ),
            (
                "NUL",
                b"prompt\na\0b\n",
                0,
                &[":2: prompt: has a NUL character"],
            ),
            (
                "text as media",
                b"prompt,image_url\np,the image of a dog\n",
                0,
                &[":2: image_url: \"the image of a dog\" is neither"],
            ),
        ],
    );
}

#[test]
fn unreadable_manifests() {
    let files = Files::new()
        .with("a.json", "{}")
        .with("utf16.csv", b"\xFF\xFEp\0r\0")
        .with("none", "");
    for (name, problem) in [
        (
            "a.json",
            "is neither a folder nor a .jsonl, .ndjson or .csv file",
        ),
        (
            "none",
            "is neither a folder nor a .jsonl, .ndjson or .csv file",
        ),
        ("missing.jsonl", "cannot read "),
    ] {
        let error = Manifest::open(files.path(name), ManifestOptions::new()).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
    let error = files
        .open("utf16.csv", ManifestOptions::new())
        .check()
        .unwrap_err();
    assert!(
        error.to_string().contains("it is UTF-16, save it as UTF-8"),
        "{error}"
    );
}

/// A pipe without a writer would block forever.
#[cfg(unix)]
#[test]
fn a_device_is_not_a_manifest() {
    let files = Files::new();
    std::os::unix::fs::symlink("/dev/zero", files.path("a.jsonl")).unwrap();
    let error = Manifest::open(files.path("a.jsonl"), ManifestOptions::new()).unwrap_err();
    assert!(error.to_string().contains("is neither"), "{error}");
}
