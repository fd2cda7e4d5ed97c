//! Tables for a terminal: plain columns under one line, no wider than the terminal.

use std::io::IsTerminal as _;

use comfy_table::{
    Attribute, Cell as Inner, CellAlignment, Color, ContentArrangement, LineStyle, Table as Rows,
    TableStyle,
};
use regentra_evidence::Status;

use crate::{shown::Shown, verdict};

/// The width where there is no terminal to ask.
const WIDTH: u16 = 130;

const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table. Its cells hold [`Shown`] text and nothing else, so that no name from outside reaches a terminal as it is.
///
/// ```compile_fail
/// let mut table = quickstart::table::new(&["Name"]);
/// table.add_row(["a name from outside"]);
/// ```
#[derive(Debug)]
pub struct Table(Rows);

impl Table {
    /// Adds a row.
    pub fn add_row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.0.add_row(cells.into_iter().map(|cell| cell.0));
    }

    /// Whether it has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One cell of a [`Table`].
#[derive(Clone, Debug)]
pub struct Cell(Inner);

/// A table with these columns. One whose name begins with `>` is aligned to the right, as numbers are.
#[must_use]
pub fn new(columns: &[&str]) -> Table {
    let mut table = Rows::new();
    let name =
        |column: &&str| Inner::new(column.trim_start_matches('>')).add_attribute(Attribute::Bold);
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
    Table(table)
}

/// The table as text, a line break at its end.
#[must_use]
pub fn text(table: &Table) -> String {
    format!("{}\n", table.0.trim_fmt())
}

/// A cell of text.
#[must_use]
pub fn cell(text: impl Into<Shown>) -> Cell {
    Cell(Inner::new(text.into()))
}

/// A number.
#[must_use]
pub fn number(n: u64) -> Cell {
    Cell(Inner::new(crate::format::number(n)))
}

/// A verdict in its colour.
#[must_use]
pub fn status(status: Status) -> Cell {
    let cell = Inner::new(verdict::word(status));
    Cell(match status {
        Status::Pass => cell.fg(Color::Green),
        Status::Warning => cell.fg(Color::Yellow),
        Status::Fail => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Status::Unknown => cell.fg(Color::Magenta),
        Status::NotApplicable => cell.fg(Color::DarkGrey),
    })
}
