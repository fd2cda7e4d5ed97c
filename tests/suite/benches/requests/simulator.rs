//! The simulated tenant in a process of its own: this program, started once more.

use std::{collections::BTreeMap, process::Stdio};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use time::format_description::well_known::Rfc3339;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{SIMULATOR, cases::Case, host::NOW};

pub(crate) struct Simulator {
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// It ends when this is dropped; and when this process ends in any other way, because its input does.
    _process: Child,
}

impl Simulator {
    pub(crate) async fn start(case: &Case) -> anyhow::Result<Self> {
        let mut program = Command::new(std::env::current_exe()?);
        program
            .args([SIMULATOR, "--attached", "--preset", "scale", "--seed", "7"])
            .args(["--now", &NOW.format(&Rfc3339)?])
            .args(["--organizations", &case.organizations.to_string()])
            .args(["--devices", &case.devices.to_string()]);
        if let Some(rows) = case.page_cap {
            program.args(["--page-cap", &rows.to_string()]);
        }
        let mut process = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let commands = process.stdin.take().context("its input is a pipe")?;
        let output = process.stdout.take().context("its output is a pipe")?;
        let mut lines = BufReader::new(output).lines();
        let mut line = async || {
            let line = lines.next_line().await?;
            line.context("the simulated tenant ended")
        };
        let (url, client_id, client_secret) = (line().await?, line().await?, line().await?);
        Ok(Self {
            url,
            client_id,
            client_secret,
            commands,
            lines,
            _process: process,
        })
    }

    /// Requests since this was last asked, by path.
    pub(crate) async fn requests(&mut self) -> anyhow::Result<BTreeMap<String, u64>> {
        self.ask("requests").await
    }

    /// Path and query of each request since then.
    pub(crate) async fn targets(&mut self) -> anyhow::Result<Vec<String>> {
        self.ask("targets").await
    }

    async fn ask<T: DeserializeOwned>(&mut self, command: &str) -> anyhow::Result<T> {
        self.commands
            .write_all(format!("{command}\n").as_bytes())
            .await?;
        let line = self.lines.next_line().await?;
        let line = line.context("the simulated tenant ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}
