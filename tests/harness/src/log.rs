//! What a program logs, kept in memory.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;

/// Makes a subscriber hear everything that happens on its thread, whatever other threads are the first to come by: while this lives.
///
/// As long as a process has one subscriber alone, whether an event is of interest is asked of the thread that meets it first, and kept
/// for all of them. On a thread without a subscriber it is of none. So there is a second one, which is nobody's.
#[must_use]
pub fn heard_whatever_other_threads_do() -> Dispatch {
    Dispatch::new(tracing_subscriber::registry())
}

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// All that was logged until now.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
