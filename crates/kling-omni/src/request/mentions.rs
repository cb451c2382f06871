//! Mentions of references in a prompt.

/// The maximum length of a mention in a message, in bytes after the word.
const MAX_NUMBER_LENGTH: usize = 9;

/// Finds everything in a prompt that looks like a mention with one of `words`, such as `@video`, in any case: the word
/// with or without a number. Only whole words count: `me@video.example` and `@Videography` do not.
pub(super) fn find_mentions<'a>(prompt: &'a str, words: &[&str]) -> Vec<&'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = None;
    prompt
        .char_indices()
        .filter_map(|(at, c)| {
            let alone = !before.replace(c).is_some_and(is_part);
            if c != '@' || !alone {
                return None;
            }
            let rest = &prompt[at..];
            let is_start = |word: &&&str| {
                let start = rest.get(..word.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(word))
            };
            let word = words.iter().find(is_start)?;
            let end = rest[1..]
                .find(|c| !is_part(c))
                .map_or(rest.len(), |end| end + 1);
            let number = &rest[word.len()..end];
            number
                .chars()
                .all(|c| c.is_ascii_digit())
                .then(|| &rest[..end.min(word.len() + MAX_NUMBER_LENGTH)])
        })
        .collect()
}
