//! Text from outside, as a terminal may be shown it.

use std::fmt::{self, Write as _};

use regentra_sync::model::{Sensitive, is_invisible, is_readable};

/// So many characters of a name are shown.
const NAME: usize = 60;

/// What stands where a name shows nothing.
const NO_NAME: &str = "no readable name";

/// Text that a terminal may be shown: in one line, and with every control, bidi, zero-width and other invisible character
/// written as its number, such as `\u{202e}`. There is no other way to make one, and a table takes nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// A name that a person or a machine gave, bounded in length. One that shows nothing is called that.
    #[must_use]
    pub fn name(name: &Sensitive) -> Self {
        Self::bounded(name.as_str())
    }

    /// The same, for a name that is no [`Sensitive`] text.
    #[must_use]
    pub fn bounded(name: &str) -> Self {
        if !is_readable(name) {
            return Self(NO_NAME.to_owned());
        }
        let mut shown = String::new();
        // Where the text would have to end so that the ellipsis fits.
        let (mut length, mut short) = (0, 0);
        for character in name.chars() {
            let escaped = escaped(character);
            length += escaped.chars().count();
            if length > NAME {
                shown.truncate(short);
                shown.push('…');
                break;
            }
            shown.push_str(&escaped);
            if length < NAME {
                short = shown.len();
            }
        }
        Self(shown)
    }

    /// A text, whole.
    #[must_use]
    pub fn text(text: impl fmt::Display) -> Self {
        Self(text.to_string().chars().map(escaped).collect())
    }

    /// Several texts, one below the other.
    pub fn lines(lines: impl IntoIterator<Item = Self>) -> Self {
        let lines: Vec<_> = lines.into_iter().map(|line| line.0).collect();
        Self(lines.join("\n"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

fn escaped(character: char) -> String {
    if is_invisible(character) {
        character.escape_unicode().to_string()
    } else {
        character.to_string()
    }
}

/// A page of text, line breaks and all: the last line of defence before a terminal. Colours are the tables' own, and pass
/// where the terminal takes them.
#[must_use]
pub fn page(text: &str, colours: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let colour = if colours { colour(rest) } else { 0 };
        let length = colour.max(character.len_utf8());
        let (now, later) = rest.split_at(length);
        if colour > 0 || character == '\n' || !is_invisible(character) {
            shown.push_str(now);
        } else {
            shown.push_str(&escaped(character));
        }
        rest = later;
    }
    shown
}

/// The length of the colour that the text begins with.
fn colour(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let numbers = rest
        .find(|c: char| !(c.is_ascii_digit() || c == ';'))
        .unwrap_or(rest.len());
    let is_colour = rest
        .get(numbers..)
        .is_some_and(|rest| rest.starts_with('m'));
    if is_colour { numbers + 3 } else { 0 }
}

/// JSON text with every invisible character written as its escape: it says the same to a program, and nothing to a terminal.
#[must_use]
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // Outside of strings JSON has no such character but the line break.
        if is_invisible(character) && character != '\n' {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_moves_no_cursor_and_turns_no_text() {
        let typed = "\u{1b}[2JAlder\u{7}\nDental \u{202e}LLC\u{2066}\u{9b}\u{200b}";
        assert_eq!(
            Shown::bounded(typed).as_str(),
            "\\u{1b}[2JAlder\\u{7}\\u{a}Dental \\u{202e}LLC\\u{2066}\\u{9b}…"
        );
        for text in [Shown::bounded(typed), Shown::text(typed)] {
            assert!(!text.as_str().chars().any(is_invisible), "{text}");
        }
        assert_eq!(
            Shown::bounded("Zürich 株式会社 👩").as_str(),
            "Zürich 株式会社 👩"
        );
    }

    #[test]
    fn a_name_has_an_end() {
        for (name, shown) in [
            ("x".repeat(60), "x".repeat(60)),
            ("x".repeat(61), format!("{}…", "x".repeat(59))),
            ("x".repeat(100_000), format!("{}…", "x".repeat(59))),
            ("\u{202e}".repeat(99), NO_NAME.to_owned()),
            (
                format!("{}\u{202e}", "x".repeat(55)),
                format!("{}…", "x".repeat(55)),
            ),
        ] {
            assert_eq!(Shown::bounded(&name).as_str(), shown);
        }
    }

    #[test]
    fn a_name_that_shows_nothing_is_called_that() {
        for name in ["", " ", "\u{200b}", "\u{feff}\u{202e}\n"] {
            assert_eq!(Shown::bounded(name).as_str(), NO_NAME, "{name:?}");
        }
    }

    #[test]
    fn json_says_the_same_and_shows_nothing() {
        let name = "a\u{9b}\u{202e}\u{200b}\u{7f}\u{e0041}\"\\\n";
        let text = json(&serde_json::to_string(&name).unwrap());
        assert!(!text.chars().any(is_invisible), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }

    #[test]
    fn a_page_keeps_line_breaks_and_its_own_colours_only() {
        let text = "\u{1b}[31mred\u{1b}[0m\n\u{1b}[2J\u{202e}x\r";
        assert_eq!(
            page(text, true),
            "\u{1b}[31mred\u{1b}[0m\n\\u{1b}[2J\\u{202e}x\\u{d}"
        );
        assert_eq!(
            page(text, false),
            "\\u{1b}[31mred\\u{1b}[0m\n\\u{1b}[2J\\u{202e}x\\u{d}"
        );
    }
}
