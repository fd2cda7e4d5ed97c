//! The sink that appends to a file.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{Anchor, AnchorSink, SinkError, SinkErrorKind};

/// Appends each anchor to a file, one line of JSON, synced to the disk before it returns.
///
/// The file helps as far as the database's administrator cannot write to it: let it lie on another machine, make it append-only
/// (`chattr +a` on Linux), or copy it away. [`regentra_evidence::anchor::read_anchors`] reads it.
#[derive(Clone, Debug)]
pub struct FileSink {
    path: PathBuf,
}

impl FileSink {
    /// The sink of this file, which is made when it is missing; its folder is not.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn append(&self, anchor: &Anchor) -> std::io::Result<()> {
        let mut line = serde_json::to_string(anchor)?;
        line.push('\n');
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&self.path)?;
        if ends_in_a_cut_line(&mut file)? {
            // An append that was cut off before. Its root was not taken for kept and comes again; what follows is whole.
            line.insert(0, '\n');
        }
        // One call: another process that appends does not come in between.
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }
}

fn ends_in_a_cut_line(file: &mut File) -> std::io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[async_trait]
impl AnchorSink for FileSink {
    async fn keep(&self, anchor: &Anchor) -> Result<(), SinkError> {
        self.append(anchor).map_err(|error| {
            let text = "the file of anchors could not be written";
            SinkError::new(SinkErrorKind::Unwritable, text).because(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use regentra_evidence::{Hash256, anchor::read_anchors};
    use time::macros::datetime;

    use super::*;

    fn anchor(number: u64) -> Anchor {
        Anchor {
            msp: "msp".to_owned(),
            number,
            tick: datetime!(2026-11-23 06:30 UTC),
            heads: 5,
            root: Hash256::from_bytes([7; 32]),
            at: datetime!(2026-11-23 12:30 UTC),
            time_stamp: None,
        }
    }

    #[tokio::test]
    async fn anchors_are_appended_and_a_line_that_was_cut_off_spoils_no_other() {
        let folder = std::env::temp_dir().join(format!("anchors-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("anchors.jsonl");
        let sink = FileSink::new(&path);
        sink.keep(&anchor(1)).await.unwrap();
        sink.keep(&anchor(2)).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(read_anchors(&text).unwrap().anchors, [anchor(1), anchor(2)]);

        std::fs::write(&path, format!("{text}{{\"msp\":\"ms")).unwrap();
        sink.keep(&anchor(3)).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let read = read_anchors(&text).unwrap();
        assert_eq!(read.anchors, [anchor(1), anchor(2), anchor(3)]);
        assert_eq!(read.cut_off, [3], "{text}");
        std::fs::remove_dir_all(&folder).unwrap();

        let error = sink.keep(&anchor(4)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the file of anchors could not be written"
        );
    }
}
