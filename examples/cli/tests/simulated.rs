//! A simulated tenant, a folder with a database, and `regentra` on both.
#![allow(dead_code, reason = "each test program uses another part of it")]

#[cfg(unix)]
pub(crate) mod running;

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use ninjaone_simulator::{Preset, Tenant, TenantBuilder, front};
use serde_json::Value;
use tempfile::TempDir;
use time::{OffsetDateTime, macros::datetime};

/// When the fleets are made: some minutes before a sweep is due.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 05:45 UTC);

/// A dozen customers of every character.
pub(crate) fn mixed() -> TenantBuilder {
    Tenant::builder(NOW).preset(Preset::Mixed, 7, 120)
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The text of a run that succeeded.
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }

    /// The JSON of a run that succeeded.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap()
    }

    /// The rows of a list that succeeded.
    pub(crate) fn rows(&self) -> Vec<Value> {
        serde_json::from_str(self.text()).unwrap()
    }

    /// The one message of a run that failed.
    pub(crate) fn message(&self) -> &str {
        assert!(self.code.is_some_and(|code| code != 0), "{self:?}");
        assert_eq!(self.stdout, "", "only results belong on standard output");
        assert_eq!(self.stderr.matches("error:").count(), 1, "{}", self.stderr);
        &self.stderr
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A person at a terminal: a tenant, credentials for it, a folder, and the time.
pub(crate) struct Person {
    pub(crate) server: front::tcp::Front,
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) folder: TempDir,
    /// What `NINJAONE_REGION` says.
    pub(crate) region: Option<String>,
    pub(crate) now: String,
    /// A database that is no file of the folder.
    pub(crate) server_db: Option<String>,
    pub(crate) log: &'static str,
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl Person {
    pub(crate) async fn of(tenant: Tenant) -> Self {
        let id = tenant.client_id().to_owned();
        let secret = tenant.client_secret().to_owned();
        let server = front::tcp::serve(tenant).await.unwrap();
        Self {
            region: Some(server.url()),
            id,
            secret,
            server,
            folder: tempfile::tempdir().unwrap(),
            now: "2026-11-23T05:45:00Z".to_owned(),
            server_db: None,
            log: "off",
            variables: Vec::new(),
        }
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.folder.path().join("msp.db")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("msp.db.key")
    }

    /// Runs `regentra` on the person's database.
    pub(crate) async fn does(&self, args: &[&str]) -> Run {
        let file = self.db();
        let db = self.server_db.as_deref().unwrap_or(file.to_str().unwrap());
        let mut all = vec!["--db", db];
        all.extend(args);
        self.runs(&all).await
    }

    /// Runs `regentra` with these arguments alone, apart from the time.
    pub(crate) async fn runs(&self, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regentra"));
        command
            .args(["--now", &self.now])
            .args(args)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("NINJAONE_CLIENT_ID", &self.id)
            .env("NINJAONE_CLIENT_SECRET", &self.secret)
            .envs(self.region.iter().map(|region| ("NINJAONE_REGION", region)))
            .env("RUST_LOG", self.log)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        output.await.unwrap().into()
    }

    /// Connects, promotes Northwind Logistics with two organizations and Harbour Legal with one, in this order of promotion, and sweeps
    /// at each of these times.
    pub(crate) async fn sweeps_two_customers(&mut self, promoted: [&str; 2], times: &[&str]) {
        self.does(&["connect"]).await.text();
        self.does(&["organizations"]).await.text();
        self.does(&["map", "5", "8", "--create"]).await.text();
        let second = ["map", "29", "--company", "Northwind Logistics"];
        self.does(&second).await.text();
        let [first, second] = promoted;
        self.does(&["promote", first, second]).await.text();
        for at in times {
            (*at).clone_into(&mut self.now);
            self.does(&["sweep"]).await.text();
        }
    }

    /// What is in the database, as the lists show it.
    pub(crate) async fn everything(&self) -> Vec<Value> {
        let lists: [&[&str]; 5] = [
            &["organizations", "--known"],
            &["companies"],
            &["tickets"],
            &["signals"],
            &["audit", "--limit", "1000"],
        ];
        let mut everything = Vec::new();
        for list in lists {
            let mut args = vec!["--json"];
            args.extend(list);
            everything.push(self.does(&args).await.json());
        }
        everything
    }
}
