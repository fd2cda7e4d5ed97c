//! Shapes of text that identify a device or a person.

use std::{collections::BTreeSet, net::Ipv6Addr};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::LeakKind;
use crate::{crosswalk, hash::Hash256};

/// Every shape in a text.
pub(super) fn kinds(text: &str) -> BTreeSet<LeakKind> {
    // A separator is whatever stands between words and in none of the shapes.
    text.split(|letter: char| letter.is_whitespace() || "\"'`,;()[]{}<>|=*".contains(letter))
        .filter(|word| !is_ours(word.trim_end_matches(['.', ':', '!', '?'])))
        .flat_map(word_kinds)
        .collect()
}

/// Words that we write ourselves and that look like something else: times, hashes, and requirements such as PCI DSS 9.4.1.1.
fn is_ours(word: &str) -> bool {
    OffsetDateTime::parse(word, &Rfc3339).is_ok()
        || word.parse::<Hash256>().is_ok()
        || crosswalk::all()
            .iter()
            .any(|link| link.requirement() == word)
}

fn word_kinds(word: &str) -> impl Iterator<Item = LeakKind> {
    [
        (LeakKind::Ipv4, has_ipv4(word)),
        (LeakKind::Ipv6, has_ipv6(word)),
        (LeakKind::Mac, has_mac(word)),
        (LeakKind::Drive, has_drive(word)),
        (LeakKind::Uuid, runs(word, is_hex_or_hyphen).any(is_uuid)),
        (LeakKind::Email, has_email(word)),
        (LeakKind::DomainUser, has_domain_user(word)),
        (LeakKind::Fqdn, has_fqdn(word)),
        (LeakKind::Serial, has_serial(word)),
    ]
    .into_iter()
    .filter_map(|(kind, holds)| holds.then_some(kind))
}

/// The longest runs of such characters whose first and last letter or digit no other one touches. A run that begins or ends with
/// a separator is touched by nothing there: in `ip.10.0.0.1` the label is no part of the address.
fn runs(word: &str, of: fn(char) -> bool) -> impl Iterator<Item = &str> {
    let touch = |one: Option<char>, other: Option<char>| {
        one.is_some_and(char::is_alphanumeric) && other.is_some_and(char::is_alphanumeric)
    };
    let mut rest = word;
    let mut before = None;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(of)?;
            let (skipped, run) = rest.split_at(start);
            before = skipped.chars().next_back().or(before);
            let (run, after) = run.split_at(run.find(|letter| !of(letter)).unwrap_or(run.len()));
            let own_before = before;
            (rest, before) = (after, run.chars().next_back());
            let touched = touch(own_before, run.chars().next())
                || touch(run.chars().next_back(), after.chars().next());
            if !touched {
                return Some(run);
            }
        }
    })
}

fn is_hex_or_hyphen(letter: char) -> bool {
    letter.is_ascii_hexdigit() || letter == '-'
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_hexdigit())
}

fn has_ipv4(word: &str) -> bool {
    runs(word, |letter| letter.is_ascii_digit() || letter == '.').any(|run| {
        let parts: Vec<&str> = run.trim_matches('.').split('.').collect();
        parts.len() == 4
            && parts
                .iter()
                .all(|part| part.len() <= 3 && part.parse::<u8>().is_ok())
    })
}

fn has_ipv6(word: &str) -> bool {
    let groups: Vec<&str> = word.split(':').collect();
    let is_address = |groups: &[&str]| {
        let [first, inner @ .., last] = groups else {
            return false;
        };
        let last = last.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.');
        let mut address = String::with_capacity(40);
        address.push_str(behind(first));
        for group in inner {
            address.push(':');
            address.push_str(group);
        }
        address.push(':');
        address.push_str(
            last.map(|last| last.trim_end_matches('.'))
                .next()
                .unwrap_or_default(),
        );
        let parsed = address.parse::<Ipv6Addr>();
        parsed.is_ok_and(|address| !address.is_unspecified())
    };
    // Behind a label, and before something else: any row of groups may be one. The longest has eight, or an empty one besides.
    let from = |start: usize| groups.get(start..).unwrap_or_default();
    (0..groups.len()).any(|start| {
        let from = from(start);
        (3..=from.len().min(9)).any(|length| is_address(from.get(..length).unwrap_or_default()))
    })
}

/// The letters and digits that a text ends with.
fn behind(text: &str) -> &str {
    let start = text
        .char_indices()
        .rev()
        .take_while(|(_, letter)| letter.is_alphanumeric())
        .last();
    start.and_then(|(at, _)| text.get(at..)).unwrap_or_default()
}

fn has_mac(word: &str) -> bool {
    has_groups(word, ':', 6, 2) || has_groups(word, '-', 6, 2) || has_groups(word, '.', 3, 4)
}

/// Whether so many groups of so many hexadecimal digits follow each other, whatever stands before and behind.
fn has_groups(word: &str, separator: char, count: u8, length: usize) -> bool {
    let is_group = |text: &str| text.len() == length && is_hex(text);
    let mut row = 0_u8;
    word.split(separator).any(|part| {
        if is_group(part) {
            row = row.saturating_add(1);
            return row >= count;
        }
        let mut words = part.split(|letter: char| !letter.is_alphanumeric());
        let is_last = row.saturating_add(1) >= count && words.next().is_some_and(is_group);
        row = u8::from(is_group(behind(part)));
        is_last
    })
}

/// `C:` alone or at the end of a word or a sentence, or any drive before a slash.
fn has_drive(word: &str) -> bool {
    word.match_indices(':').any(|(at, _)| {
        let (before, after) = word.split_at(at);
        let after = after.get(1..).unwrap_or_default();
        let mut letters = before.chars().rev();
        let Some(letter) = letters.next().filter(char::is_ascii_alphabetic) else {
            return false;
        };
        let alone = !letters.next().is_some_and(char::is_alphanumeric);
        let path = after.starts_with(['\\', '/']);
        let ends = after.chars().all(|letter| ".!?…".contains(letter));
        alone && (path || (letter.is_ascii_uppercase() && ends))
    })
}

/// 32 hexadecimal digits, in the five groups of a UUID or in one.
pub(super) fn is_uuid(text: &str) -> bool {
    let text = text.trim_matches('-');
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    (groups == [8, 4, 4, 4, 12] || groups == [32]) && text.split('-').all(is_hex)
}

fn has_email(word: &str) -> bool {
    word.match_indices('@').any(|(at, _)| {
        let (before, after) = word.split_at(at);
        before.ends_with(char::is_alphanumeric)
            && after
                .get(1..)
                .is_some_and(|domain| domain.starts_with(char::is_alphanumeric))
    })
}

/// `DOMAIN\user` and `\\server\share`, with backslashes escaped or not.
fn has_domain_user(word: &str) -> bool {
    let is_name = |letter: char| letter.is_alphanumeric() || "_-.$".contains(letter);
    word.match_indices('\\').any(|(at, _)| {
        let (before, after) = word.split_at(at);
        let name = after.trim_start_matches('\\');
        name.starts_with(is_name) && (before.ends_with(is_name) || after.starts_with("\\\\"))
    })
}

/// Two labels or more, the last of letters alone.
fn has_fqdn(word: &str) -> bool {
    let is_label = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    word.split(|letter| !is_label(letter)).any(|name| {
        let name = name.trim_matches(['.', '-', '_']);
        let Some((rest, last)) = name.rsplit_once('.') else {
            return false;
        };
        last.chars().count() >= 2
            && last.chars().all(char::is_alphabetic)
            && rest
                .rsplit('.')
                .next()
                .is_some_and(|label| label.chars().any(char::is_alphanumeric))
    })
}

/// Seven or more letters and digits with at least one of each, nine or more digits, or three or more groups of four digits.
fn has_serial(word: &str) -> bool {
    let mixed = word
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .any(|run| {
            let digits = run.chars().filter(char::is_ascii_digit).count();
            (run.len() >= 7 && digits > 0 && digits < run.len()) || digits >= 9
        });
    let grouped = runs(word, |letter| letter.is_ascii_digit() || letter == '-').any(|run| {
        let groups: Vec<&str> = run.trim_matches('-').split('-').collect();
        groups.len() >= 3 && groups.iter().all(|group| group.len() == 4)
    });
    mixed || grouped
}
