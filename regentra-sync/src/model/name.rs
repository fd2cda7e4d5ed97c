//! How names of companies and organizations are compared.

use unicode_normalization::UnicodeNormalization as _;

use super::sensitive::is_invisible;

/// A name in the form in which names are compared: in Unicode's compatibility form (NFKC), case-folded, without invisible characters, and
/// with each run of white space as one space. Empty for a name that shows nothing: such a name equals no other name.
#[must_use]
pub fn fold_name(name: &str) -> String {
    let folded: String = name
        .nfkc()
        .flat_map(char::to_lowercase)
        .nfkc()
        .filter(|character| !is_invisible(*character) || character.is_whitespace())
        .collect();
    let words: Vec<_> = folded.split_whitespace().collect();
    words.join(" ")
}

/// Whether a program may take two names for the same company's: both show something, and both have the same folded form.
#[must_use]
pub fn is_same_name(one: &str, other: &str) -> bool {
    let one = fold_name(one);
    !one.is_empty() && one == fold_name(other)
}

/// A stricter form for comparing names if two confused names would become one company: like [`fold_name`], but without white space.
#[must_use]
pub(crate) fn confusable_name(name: &str) -> String {
    fold_name(name).replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_by_compatibility_form_case_white_space_and_zero_width_characters() {
        let folded = fold_name("Fisch & Sohn GmbH");
        for same in [
            "  FISCH &\u{a0}Sohn\tGmbH ",
            "F\u{200b}isch & Sohn GmbH\u{feff}",
            "\u{ff26}isch \u{ff06} Sohn GmbH",
            "Fisch & Sohn \u{202e}GmbH\u{202c}",
            "Fi\u{ad}sch  &  Sohn\nGmbH",
            "\u{fb01}sch & Sohn GmbH",
        ] {
            assert_eq!(fold_name(same), folded, "{same:?}");
            assert!(is_same_name(same, "Fisch & Sohn GmbH"), "{same:?}");
        }
        assert_eq!(fold_name("Cafe\u{301}"), fold_name("CAF\u{c9}"));
        assert_eq!(fold_name("\u{3000}\u{200b} \u{feff}"), "");
        assert_ne!(fold_name("Ab Cd"), fold_name("Abc D"));
        assert_eq!(confusable_name("Ab Cd"), confusable_name("Abc D"));
        // A name that shows nothing equals no name, not even itself.
        assert!(!is_same_name("", ""));
        assert!(!is_same_name("\u{200b}", "\u{200b}"));
    }

    #[test]
    fn folding_twice_changes_nothing_more() {
        for name in [
            "\u{130}stanbul",
            "Stra\u{df}e",
            "\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}",
            " A\u{200d}B ",
        ] {
            assert_eq!(fold_name(&fold_name(name)), fold_name(name), "{name:?}");
        }
    }
}
