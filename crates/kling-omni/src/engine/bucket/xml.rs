//! Reads the XML errors of object stores.

/// Returns the text of the first element with this name in the XML error of an object store.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let text = xml
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once('<'));
    text.map_or("", |(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_finds_the_text_of_store_errors() {
        for (xml, code) in [
            (
                "<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
                "NoSuchKey",
            ),
            ("<Error><Code></Code></Error>", ""),
            ("<Error><Code>cut off", ""),
            ("{}", ""),
        ] {
            assert_eq!(element(xml, "Code"), code, "{xml}");
        }
    }
}
