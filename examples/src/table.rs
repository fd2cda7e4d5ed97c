//! Tables for a terminal: plain columns under one line, no wider than the terminal.

use std::io::IsTerminal as _;

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle,
};
use regentra_evidence::Status;

use crate::{verdict, wording::shown};

/// The width where there is no terminal to ask.
const WIDTH: u16 = 130;

const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with these columns. One whose name begins with `>` is aligned to the right, as numbers are.
#[must_use]
pub fn new(columns: &[&str]) -> Table {
    let mut table = Table::new();
    let name =
        |column: &&str| Cell::new(column.trim_start_matches('>')).add_attribute(Attribute::Bold);
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(columns.iter().map(name));
    for (column, name) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if name.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let width = table.width();
    if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        table.force_no_tty();
    }
    // A terminal knows better than what a shell has remembered of it.
    let asked = || std::env::var("COLUMNS").ok()?.parse().ok();
    table.set_width(width.or_else(asked).unwrap_or(WIDTH).max(60));
    table
}

/// The table as text, a line break at its end.
#[must_use]
pub fn text(table: &Table) -> String {
    format!("{}\n", table.trim_fmt())
}

/// A name that somebody typed, as far as a terminal may be shown it.
#[must_use]
pub fn cell(name: &str) -> Cell {
    Cell::new(shown(name))
}

/// A number.
#[must_use]
pub fn number(n: u64) -> Cell {
    Cell::new(crate::wording::number(n))
}

/// A verdict in its colour.
#[must_use]
pub fn status(status: Status) -> Cell {
    let cell = Cell::new(verdict::word(status));
    match status {
        Status::Pass => cell.fg(Color::Green),
        Status::Warning => cell.fg(Color::Yellow),
        Status::Fail => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Status::Unknown => cell.fg(Color::Magenta),
        Status::NotApplicable => cell.fg(Color::DarkGrey),
    }
}
