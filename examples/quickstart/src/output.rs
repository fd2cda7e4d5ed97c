//! Standard output, which its reader may close early, and standard error beside it, which nothing has to read.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

use serde::Serialize;

use crate::shown;

/// Prints a text. What moves a cursor or turns text never passes.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    let text = shown::page(text, stdout.is_terminal());
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Prints a line.
///
/// # Errors
/// When standard output cannot be written.
pub fn line(text: impl AsRef<str>) -> anyhow::Result<()> {
    print(&format!("{}\n", text.as_ref()))
}

/// Prints a value as JSON.
///
/// # Errors
/// When standard output cannot be written.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(shown::json(&serde_json::to_string_pretty(value)?))
}

/// Says something beside the result, on standard error: progress, a warning, what went wrong. That nobody listens there is
/// no reason for anything to end.
pub fn note(text: impl Display) {
    let text = shown::page(&text.to_string(), false);
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Writes the log to standard error, as far as `RUST_LOG` asks for it.
pub fn log() {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        // The message that standard error cannot be written would go to standard error.
        .log_internal_errors(false)
        .init();
}

/// Whether this is what becomes of a program whose reader has had enough, such as `head`.
#[must_use]
pub fn is_closed(error: &anyhow::Error) -> bool {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref().is_some_and(closed)
}
