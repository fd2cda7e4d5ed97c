//! What comes along when something is copied from a web page, a document or a file, and cannot be seen.

/// Whether a character is blank or invisible: white space, control characters, byte order mark, and those of no width.
pub(crate) fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// Without the invisible characters around it.
pub(crate) fn trim_pasted(text: &str) -> &str {
    text.trim_matches(is_invisible)
}

/// Whether a text stands in quotation marks, of whichever kind.
pub(crate) fn is_quoted(text: &str) -> bool {
    let mut characters = text.chars();
    let (first, last) = (characters.next(), characters.next_back());
    matches!(
        (first, last),
        (Some('"' | '\'' | '`' | '\u{201c}'..='\u{201e}' | '\u{2018}'..='\u{201a}' | '\u{ab}' | '\u{bb}'), Some(last))
            if "\"\'`\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\u{201a}\u{ab}\u{bb}".contains(last)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_trimmed_and_nothing_else() {
        for pasted in [
            "\u{feff}id",
            "id\u{200b}",
            " \t id\r\n",
            "\u{a0}id\u{2060}",
            "\0id",
        ] {
            assert_eq!(trim_pasted(pasted), "id", "{pasted:?}");
        }
        for kept in ["i d", "i\u{200b}d", "\"id\"", "-id_"] {
            assert_eq!(trim_pasted(kept), kept);
        }
    }

    #[test]
    fn quotation_marks_around_and_no_others() {
        for quoted in [
            "\"a\"",
            "'a'",
            "`a`",
            "\u{201c}a\u{201d}",
            "\u{201e}a\u{201c}",
            "\"\"",
        ] {
            assert!(is_quoted(quoted), "{quoted}");
        }
        for plain in ["a", "", "\"", "\"a", "a'", "a\"b\"c"] {
            assert!(!is_quoted(plain), "{plain}");
        }
    }
}
