//! JSON as a tree that accepts what `serde_json` refuses: half of a surrogate pair, a repeated key, a number out of range, and nesting of
//! any depth. It is built only for JSON that did not decode otherwise.

use std::{borrow::Cow, collections::HashMap};

use serde_json::value::RawValue;

use crate::meter;

/// Values nested deeper than this are not read.
const DEEPEST: usize = 128;

/// A JSON value.
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    /// A number, in the form it was sent in.
    Number(&'a str),
    Text(Text<'a>),
    List(Vec<Node<'a>>),
    /// An object without repeated keys. Of several values for a key, the last one is kept.
    Object(Vec<Entry<'a>>),
    /// A list or object that is nested too deep to be read.
    TooDeep,
}

/// A text in which half of a surrogate pair becomes U+FFFD.
pub(crate) struct Text<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Whether such a half was replaced.
    pub(crate) mended: bool,
}

/// A field of an object.
pub(crate) struct Entry<'a> {
    pub(crate) key: Text<'a>,
    pub(crate) value: Node<'a>,
    /// Whether it replaced an earlier field with the same key.
    pub(crate) repeated: bool,
}

/// Why there is no tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoTree {
    /// The text is not JSON.
    Invalid,
    /// The tree would exceed the limit of the [`meter`].
    TooLarge,
}

impl<'a> Node<'a> {
    /// Reads a text that consists of one JSON value.
    pub(crate) fn parse(json: &'a str) -> Result<Self, NoTree> {
        // `serde_json` checks the grammar without recursion, and the parser below relies on this check.
        let raw: &'a RawValue = serde_json::from_str(json).map_err(|_| NoTree::Invalid)?;
        Self::of(raw)
    }

    /// Reads a value whose grammar has been checked.
    pub(crate) fn of(raw: &'a RawValue) -> Result<Self, NoTree> {
        let text = raw.get();
        Parser { text, at: 0 }.value(0)
    }

    /// The value of a field, if this is an object that has it.
    pub(crate) fn field(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else {
            return None;
        };
        entries
            .iter()
            .find(|entry| entry.key.text == key)
            .map(|entry| &entry.value)
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }

    /// Whether a part of the value is nested too deep to be read.
    pub(crate) fn is_too_deep(&self) -> bool {
        match self {
            Self::TooDeep => true,
            Self::List(items) => items.iter().any(Self::is_too_deep),
            Self::Object(entries) => entries.iter().any(|entry| entry.value.is_too_deep()),
            _ => false,
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, NoTree> {
        let byte = self.peek().ok_or(NoTree::Invalid)?;
        self.at += 1;
        Ok(byte)
    }

    /// Consumes blanks and returns the next byte, consumed too.
    fn token(&mut self) -> Result<u8, NoTree> {
        loop {
            let byte = self.next()?;
            if !byte.is_ascii_whitespace() {
                return Ok(byte);
            }
        }
    }

    fn slice(&self, from: usize) -> Result<&'a str, NoTree> {
        self.text.get(from..self.at).ok_or(NoTree::Invalid)
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, NoTree> {
        let first = self.token()?;
        self.value_from(first, depth)
    }

    fn value_from(&mut self, first: u8, depth: usize) -> Result<Node<'a>, NoTree> {
        match first {
            b'n' => Ok(self.word(Node::Null, 3)),
            b't' => Ok(self.word(Node::Bool(true), 3)),
            b'f' => Ok(self.word(Node::Bool(false), 4)),
            b'"' => Ok(Node::Text(self.string()?)),
            b'[' | b'{' if depth == DEEPEST => self.pass_by(),
            b'[' => self.list(depth),
            b'{' => self.object(depth),
            _ => {
                let from = self.at - 1;
                while self
                    .peek()
                    .is_some_and(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
                {
                    self.at += 1;
                }
                Ok(Node::Number(self.slice(from)?))
            }
        }
    }

    /// A word whose first letter has been consumed.
    fn word(&mut self, node: Node<'a>, rest: usize) -> Node<'a> {
        self.at += rest;
        node
    }

    fn list(&mut self, depth: usize) -> Result<Node<'a>, NoTree> {
        let mut items = Vec::new();
        let mut token = self.token()?;
        while token != b']' {
            if token == b',' {
                token = self.token()?;
            }
            if !meter::charge(size_of::<Node<'_>>()) {
                return Err(NoTree::TooLarge);
            }
            items.push(self.value_from(token, depth + 1)?);
            token = self.token()?;
        }
        Ok(Node::List(items))
    }

    fn object(&mut self, depth: usize) -> Result<Node<'a>, NoTree> {
        let mut entries = Vec::new();
        let mut token = self.token()?;
        while token != b'}' {
            if token == b',' {
                token = self.token()?;
            }
            // The cost of an entry, and of its place in the table that finds repeated keys.
            if token != b'"' || !meter::charge(size_of::<Entry<'_>>() + 48) {
                return Err(if token == b'"' {
                    NoTree::TooLarge
                } else {
                    NoTree::Invalid
                });
            }
            let key = self.string()?;
            if self.token()? != b':' {
                return Err(NoTree::Invalid);
            }
            entries.push(Entry {
                key,
                value: self.value(depth + 1)?,
                repeated: false,
            });
            token = self.token()?;
        }
        Ok(Node::Object(latest(entries)))
    }

    /// Skips a list or object whose first bracket has been consumed.
    fn pass_by(&mut self) -> Result<Node<'a>, NoTree> {
        let mut open = 1_usize;
        while open > 0 {
            match self.next()? {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open -= 1,
                b'"' => loop {
                    match self.next()? {
                        b'"' => break,
                        b'\\' => self.at += 1,
                        _ => {}
                    }
                },
                _ => {}
            }
        }
        Ok(Node::TooDeep)
    }

    /// A text whose first quotation mark has been consumed.
    fn string(&mut self) -> Result<Text<'a>, NoTree> {
        let mut from = self.at;
        let mut decoded: Option<String> = None;
        let mut mended = false;
        loop {
            match self.next()? {
                b'"' => {
                    self.at -= 1;
                    let rest = self.slice(from)?;
                    self.at += 1;
                    let text = match decoded {
                        None => Cow::Borrowed(rest),
                        Some(mut text) => {
                            text.push_str(rest);
                            if !meter::charge(text.capacity()) {
                                return Err(NoTree::TooLarge);
                            }
                            Cow::Owned(text)
                        }
                    };
                    return Ok(Text { text, mended });
                }
                b'\\' => {
                    self.at -= 1;
                    let before = self.slice(from)?;
                    self.at += 1;
                    let text = decoded.get_or_insert_default();
                    text.push_str(before);
                    let letter = self.escape()?;
                    mended |= letter.is_none();
                    text.push(letter.unwrap_or(char::REPLACEMENT_CHARACTER));
                    from = self.at;
                }
                _ => {}
            }
        }
    }

    /// The character of an escape; none for half of a surrogate pair.
    fn escape(&mut self) -> Result<Option<char>, NoTree> {
        Ok(Some(match self.next()? {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return Ok(char::from_u32(first));
                }
                let after = self.at;
                if self.peek() == Some(b'\\') {
                    self.at += 1;
                    if self.next()? == b'u' {
                        let second = self.hex()?;
                        if (0xdc00..0xe000).contains(&second) {
                            let pair = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                            return Ok(char::from_u32(pair));
                        }
                    }
                }
                // What follows the half is read as a separate character.
                self.at = after;
                return Ok(None);
            }
            other => char::from(other),
        }))
    }

    fn hex(&mut self) -> Result<u32, NoTree> {
        let from = self.at;
        self.at += 4;
        u32::from_str_radix(self.slice(from)?, 16).map_err(|_| NoTree::Invalid)
    }
}

/// Keeps the last of several fields with the same key.
fn latest(entries: Vec<Entry<'_>>) -> Vec<Entry<'_>> {
    let mut last = HashMap::with_capacity(entries.len());
    let mut repeated = vec![false; entries.len()];
    for (index, entry) in entries.iter().enumerate() {
        if last.insert(&*entry.key.text, index).is_some()
            && let Some(repeated) = repeated.get_mut(index)
        {
            *repeated = true;
        }
    }
    if last.len() == entries.len() {
        return entries;
    }
    let mut holds = vec![false; entries.len()];
    for index in last.into_values() {
        if let Some(holds) = holds.get_mut(index) {
            *holds = true;
        }
    }
    entries
        .into_iter()
        .zip(holds)
        .zip(repeated)
        .filter(|((_, holds), _)| *holds)
        .map(|((entry, _), repeated)| Entry { repeated, ..entry })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn plain(node: &Node<'_>) -> Value {
        match node {
            Node::Null => Value::Null,
            Node::Bool(flag) => (*flag).into(),
            Node::Number(number) => serde_json::from_str(number).unwrap(),
            Node::Text(text) => text.text.clone().into(),
            Node::List(items) => items.iter().map(plain).collect(),
            Node::Object(entries) => entries
                .iter()
                .map(|entry| (entry.key.text.clone().into_owned(), plain(&entry.value)))
                .collect(),
            Node::TooDeep => "too deep".into(),
        }
    }

    #[test]
    fn halves_of_pairs_become_replacement_characters_and_pairs_become_letters() {
        for (json, text, mended) in [
            (r#""\ud83d\ude00""#, "\u{1f600}", false),
            (r#""a\ud83d""#, "a\u{fffd}", true),
            (r#""\ude00b""#, "\u{fffd}b", true),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}", true),
            (r#""\ud83d\u0041""#, "\u{fffd}A", true),
            (r#""\ud83d\n""#, "\u{fffd}\n", true),
            (
                r#""\"\\\/\b\f\n\r\t\u00fc""#,
                "\"\\/\u{8}\u{c}\n\r\t\u{fc}",
                false,
            ),
            (r#""""#, "", false),
        ] {
            let Ok(Node::Text(read)) = Node::parse(json) else {
                panic!("{json}");
            };
            assert_eq!((&*read.text, read.mended), (text, mended), "{json}");
        }
    }

    #[test]
    fn of_a_key_twice_the_later_holds_and_says_so() {
        let node = Node::parse(r#"{"a":{},"b":1,"a":[2],"\ud800":1,"\udfff":2}"#).unwrap();
        let Node::Object(entries) = &node else {
            panic!("an object");
        };
        let read: Vec<_> = entries
            .iter()
            .map(|entry| (&*entry.key.text, entry.repeated))
            .collect();
        assert_eq!(read, [("b", false), ("a", true), ("\u{fffd}", true)]);
        assert_eq!(plain(node.field("a").unwrap()), serde_json::json!([2]));
    }

    #[test]
    fn nesting_without_end_is_passed_by() {
        let deep = format!(
            r#"{{"a":{}"]"{},"b":1}}"#,
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        let node = Node::parse(&deep).unwrap();
        assert!(node.is_too_deep());
        assert!(matches!(node.field("b"), Some(Node::Number("1"))));
    }

    #[test]
    fn a_tree_stays_within_its_allowance() {
        let meter = meter::Meter::start(1 << 20);
        let wide = format!("[{}0]", "0,".repeat(1_000_000));
        assert_eq!(Node::parse(&wide).err(), Some(NoTree::TooLarge));
        assert!(meter.is_exceeded());
    }

    proptest! {
        #[test]
        fn any_json_is_read_as_serde_json_reads_it(
            value in any::<bool>().prop_map(Value::from)
                .boxed()
                .prop_union(any::<i64>().prop_map(Value::from).boxed())
                .or("\\PC{0,8}|[\\x00-\\x1f\"\\\\]{0,4}".prop_map(Value::from).boxed())
                .prop_recursive(4, 40, 6, |inner| prop_oneof![
                    proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                    proptest::collection::btree_map("[a-c\u{e9}\"]{0,3}", inner, 0..6)
                        .prop_map(|map| map.into_iter().collect()),
                ]),
            pretty in any::<bool>(),
        ) {
            let json = if pretty { format!("{value:#}") } else { value.to_string() };
            prop_assert_eq!(plain(&Node::parse(&json).unwrap()), value);
        }

        #[test]
        fn arbitrary_text_never_panics(text in "[\\[\\]{}:,\"\\\\u0d8e+.\\-ntf \\PC]{0,60}") {
            let _ = Node::parse(&text);
        }
    }
}
