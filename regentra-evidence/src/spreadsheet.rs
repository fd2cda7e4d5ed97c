//! Signals as tables for spreadsheets.
//!
//! A spreadsheet would run a cell that begins like a formula (`=`, `+`, `-`, `@`, a tab or a line break). Such a cell gets an apostrophe in
//! front, which marks it as text. Only the label of a row can be such a cell, because it is the only text that does not come from this
//! crate.
//!
//! ```
//! use regentra_evidence::{Fleet, device_inventory, spreadsheet};
//! use time::macros::datetime;
//!
//! let inventory = device_inventory::finish(&Fleet::builder(datetime!(2026-11-23 06:30 UTC)).build());
//! let mut table = Vec::new();
//! spreadsheet::write_signals(&mut table, [("=HYPERLINK(\"x\")", &inventory)])?;
//! let table = String::from_utf8_lossy(&table);
//! assert!(table.lines().nth(1).is_some_and(|row| row.starts_with("\"'=HYPERLINK(\"\"x\"\")\",\"device_inventory\",\"warning\"")));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::{borrow::Cow, io};

use csv::{QuoteStyle, WriterBuilder};
use serde_json::{Map, Value};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::{claim::Claim, framework::Framework, signal::Signal};

/// Writes one row a signal: the verdict, its reasons, controls and times, and how many devices were measured.
///
/// The label, such as a customer's name, is the host's own text. Lists stand in one cell, separated by spaces.
///
/// # Errors
///
/// When `out` cannot be written to, or a time lies outside the years 0 to 9999.
pub fn write_signals<'a>(
    out: impl io::Write,
    signals: impl IntoIterator<Item = (&'a str, &'a Signal)>,
) -> io::Result<()> {
    let header = [
        "label",
        "signal",
        "status",
        "complete",
        "reasons",
        "controls",
        "collected_at",
        "expires_at",
        "approved",
        "measured",
        "unmeasured",
        "stale",
        "not_applicable",
        "not_approved",
    ];
    let rows = signals.into_iter().map(|(label, signal)| {
        let scope = signal.metadata.scope();
        let reasons: Vec<_> = signal
            .reasons
            .iter()
            .map(|reason| reason.as_str())
            .collect();
        let controls: Vec<_> = signal
            .controls
            .iter()
            .map(|control| control.as_str())
            .collect();
        Ok([
            label.to_owned(),
            signal.kind().to_string(),
            signal.status.to_string(),
            signal.complete.to_string(),
            reasons.join(" "),
            controls.join(" "),
            rfc3339(signal.collected_at)?,
            rfc3339(signal.expires_at)?,
            scope.approved.to_string(),
            scope.measured.to_string(),
            scope.unmeasured.to_string(),
            scope.stale.to_string(),
            scope.not_applicable.to_string(),
            scope.not_approved.to_string(),
        ])
    });
    write(out, header, rows)
}

/// Writes one row a figure: every number behind every signal, by the path at which it stands in the signal's JSON. What was not
/// measured has an empty value.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn write_figures<'a>(
    out: impl io::Write,
    signals: impl IntoIterator<Item = (&'a str, &'a Signal)>,
) -> io::Result<()> {
    let rows = signals.into_iter().flat_map(|(label, signal)| {
        let metadata = serde_json::to_value(&signal.metadata)
            .ok()
            .and_then(|mut tagged| tagged.get_mut("metadata").map(Value::take));
        let mut figures = Vec::new();
        if let Some(Value::Object(metadata)) = metadata {
            flatten("", &metadata, &mut figures);
        }
        figures.into_iter().map(move |(figure, value)| {
            Ok([label.to_owned(), signal.kind().to_string(), figure, value])
        })
    });
    write(out, ["label", "signal", "figure", "value"], rows)
}

/// Writes one row a claim: what the signals that pass at `now` speak to in these frameworks, how strongly, and with which limit.
///
/// # Errors
///
/// When `out` cannot be written to, or a time lies outside the years 0 to 9999.
pub fn write_claims<'a>(
    out: impl io::Write,
    signals: impl IntoIterator<Item = (&'a str, &'a Signal)>,
    frameworks: &[Framework],
    now: OffsetDateTime,
) -> io::Result<()> {
    let header = [
        "label",
        "signal",
        "control",
        "framework",
        "requirement",
        "topic",
        "strength",
        "limit",
        "claim",
        "expires_at",
    ];
    let rows = signals.into_iter().flat_map(|(label, signal)| {
        Claim::all_of(signal, frameworks, now)
            .into_iter()
            .map(move |claim| {
                let link = claim.link();
                Ok([
                    label.to_owned(),
                    claim.signal().to_string(),
                    link.control().to_string(),
                    link.framework().to_string(),
                    link.requirement().to_owned(),
                    link.topic().to_owned(),
                    link.strength().to_string(),
                    link.limit().unwrap_or_default().to_owned(),
                    claim.to_string(),
                    rfc3339(claim.expires_at())?,
                ])
            })
    });
    write(out, header, rows)
}

fn write<const COLUMNS: usize>(
    out: impl io::Write,
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = io::Result<[String; COLUMNS]>>,
) -> io::Result<()> {
    // Where another character separates cells, one without quotes would be split.
    let mut table = WriterBuilder::new()
        .quote_style(QuoteStyle::Always)
        .from_writer(out);
    table.write_record(header)?;
    for row in rows {
        table.write_record(row?.iter().map(|cell| text(cell).into_owned()))?;
    }
    table.flush()
}

/// A cell that no spreadsheet takes for a formula, whichever of the usual characters it takes for a separator.
#[must_use]
pub fn text(cell: &str) -> Cow<'_, str> {
    const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];
    const FORMULAS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let begins = |part: &str| {
        let begins = part.trim_start_matches([' ', '\u{a0}', '\u{feff}']);
        begins.chars().next()
    };
    let is_formula = |part: &str| begins(part).is_some_and(|first| FORMULAS.contains(&first));
    let blank = begins(cell).is_some_and(|first| ['\t', '\r', '\n'].contains(&first));
    if !blank && !cell.split(SEPARATORS).any(is_formula) {
        return Cow::Borrowed(cell);
    }
    let mut safe = String::with_capacity(cell.len().saturating_add(4));
    for (place, part) in cell.split_inclusive(SEPARATORS).enumerate() {
        if is_formula(part) || (blank && place == 0) {
            safe.push('\'');
        }
        safe.push_str(part);
    }
    Cow::Owned(safe)
}

fn flatten(path: &str, figures: &Map<String, Value>, found: &mut Vec<(String, String)>) {
    for (name, value) in figures {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}/{name}")
        };
        match value {
            Value::Object(figures) => flatten(&path, figures, found),
            Value::Null => found.push((path, String::new())),
            Value::String(word) => found.push((path, word.clone())),
            other => found.push((path, other.to_string())),
        }
    }
}

fn rfc3339(time: OffsetDateTime) -> io::Result<String> {
    time.to_offset(UtcOffset::UTC)
        .format(&Rfc3339)
        .map_err(|_| io::Error::other("a time lies outside the years 0 to 9999"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        device_inventory,
        disk_encryption::DiskEncryption,
        fixture::{NOW, workstations},
        guard::Guard,
        report::ReportState,
        signal::Status,
    };

    fn signals() -> [Signal; 2] {
        [
            DiskEncryption::new(workstations(9)).finish(ReportState::answered()),
            device_inventory::finish(&workstations(9)),
        ]
    }

    fn table(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Vec<String> {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_row_a_signal() {
        let signals = signals();
        let rows = table(|out| write_signals(out, signals.iter().map(|signal| ("acme", signal))));
        assert_eq!(
            rows,
            [
                r#""label","signal","status","complete","reasons","controls","collected_at","expires_at","approved","measured","unmeasured","stale","not_applicable","not_approved""#,
                r#""acme","disk_encryption","unknown","true","coverage_below_half unmeasured_devices unmeasured_volumes","IC-024 IC-052","2026-11-23T06:30:00Z","2026-11-30T06:30:00Z","9","0","9","0","0","0""#,
                r#""acme","device_inventory","pass","true","","IC-031 IC-032","2026-11-23T06:30:00Z","2026-11-30T06:30:00Z","9","9","0","0","0","0""#,
            ]
        );
    }

    #[test]
    fn a_row_a_figure() {
        let signals = signals();
        let rows = table(|out| write_figures(out, signals.iter().map(|signal| ("acme", signal))));
        assert_eq!(rows[0], r#""label","signal","figure","value""#);
        for expected in [
            r#""acme","disk_encryption","scope/unmeasured","9""#,
            r#""acme","disk_encryption","volumes/in_scope","9""#,
            r#""acme","disk_encryption","encrypted_percent","""#,
            r#""acme","device_inventory","by_family/workstation","9""#,
        ] {
            assert!(
                rows.iter().any(|row| row == expected),
                "{expected}: {rows:?}"
            );
        }
    }

    #[test]
    fn a_row_a_claim() {
        let signals = signals();
        let claims = |now| {
            table(|out| {
                let signals = signals.iter().map(|signal| ("acme", signal));
                write_claims(out, signals, &[Framework::NistCsf], now)
            })
        };
        let rows = claims(NOW);
        assert_eq!(
            rows[1],
            r#""acme","device_inventory","IC-031","NIST CSF 2.0","ID.AM-01","Inventory of hardware","direct","","IC-031 Asset Inventory (device_inventory: pass) evidences NIST CSF 2.0 ID.AM-01: Inventory of hardware.","2026-11-30T06:30:00Z""#
        );
        assert_eq!(rows.len(), 4);
        assert_eq!(claims(signals[1].expires_at).len(), 1);
        assert_eq!(signals[1].status, Status::Pass);
    }

    #[test]
    fn no_cell_begins_like_a_formula() {
        let [signal, _] = signals();
        for label in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            " =1",
            "\u{feff}=1",
            "＝1",
        ] {
            assert!(text(label).starts_with('\''), "{label}");
            let mut out = Vec::new();
            write_signals(&mut out, [(label, &signal)]).unwrap();
            let mut reader = csv::Reader::from_reader(out.as_slice());
            let row = reader.records().next().unwrap().unwrap();
            assert_eq!(row[0], text(label));
            for cell in &row {
                assert_eq!(text(cell), cell);
            }
        }
        for label in ["", "acme", "a=b", "1-1", "'=1", "a; b", "a;b=c"] {
            assert_eq!(text(label), label);
        }
    }

    /// Where semicolons or tabs separate cells, a spreadsheet would split there, and run what follows.
    #[test]
    fn no_part_of_a_cell_behind_a_separator_begins_like_a_formula() {
        let [signal, _] = signals();
        for (label, expected) in [
            ("Acme;=1+cmd|' /C calc'!A0", "Acme;'=1+cmd|' /C calc'!A0"),
            ("Acme; =1", "Acme;' =1"),
            ("Acme\t=1", "Acme\t'=1"),
            ("Acme\n@SUM(A1)", "Acme\n'@SUM(A1)"),
            ("Acme\r\n-1", "Acme\r\n'-1"),
            ("=1;+1", "'=1;'+1"),
            ("\tAcme", "'\tAcme"),
        ] {
            assert_eq!(text(label), expected);
            assert_eq!(text(expected), expected);
            let mut out = Vec::new();
            write_signals(&mut out, [(label, &signal)]).unwrap();
            let table = String::from_utf8(out).unwrap();
            assert!(table.contains(&format!("\n\"{expected}\",")), "{table}");
        }
    }

    /// Some readers drop what is blank before they look for a formula.
    #[test]
    fn a_cell_that_begins_with_a_tab_or_a_line_break_is_text() {
        for label in ["\tacme", " \tacme", "\racme", "\nacme", "\u{feff}\t"] {
            assert_eq!(text(label), format!("'{label}"));
        }
    }

    /// A cell that is not quoted is split by whatever the reader takes for a separator.
    #[test]
    fn every_cell_is_quoted() {
        let signals = signals();
        for row in table(|out| write_signals(out, signals.iter().map(|signal| ("a;b", signal)))) {
            assert!(
                row.split(',')
                    .all(|cell| cell.starts_with('"') && cell.ends_with('"')),
                "{row}"
            );
        }
    }

    #[test]
    fn quotes_commas_and_line_breaks_stay_in_their_cell() {
        let [signal, _] = signals();
        let label = "a,\"b\"\nc";
        let mut out = Vec::new();
        write_signals(&mut out, [(label, &signal)]).unwrap();
        let mut reader = csv::Reader::from_reader(out.as_slice());
        assert_eq!(&reader.records().next().unwrap().unwrap()[0], label);
    }

    #[test]
    fn a_table_that_cannot_be_written_is_an_error() {
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::other("full"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::Error::other("full"))
            }
        }
        let [signal, _] = signals();
        assert!(write_signals(Full, [("x", &signal)]).is_err());
    }

    #[test]
    fn tables_hold_nothing_that_must_not_be_published() {
        let signals = signals();
        let pairs = || signals.iter().map(|signal| ("acme", signal));
        for rows in [
            table(|out| write_signals(out, pairs())),
            table(|out| write_figures(out, pairs())),
            table(|out| write_claims(out, pairs(), Framework::ALL, NOW)),
        ] {
            for row in rows {
                assert!(Guard::new().scan_text(&row).is_empty(), "{row}");
            }
        }
    }
}
