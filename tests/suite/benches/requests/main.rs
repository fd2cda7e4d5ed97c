//! What a tick of many customers asks of NinjaOne: requests, memory and processor time, by strategy.
//!
//! ```console
//! $ cargo bench --package regentra-suite --bench requests
//! $ cargo bench --package regentra-suite --bench requests -- --only groups --json
//! $ cargo bench --package regentra-suite --bench requests -- --organizations 1000 --promoted 1000 --strategy group
//! ```
//!
//! NinjaOne is a simulated tenant in a process of its own, which counts the requests. Each case has a host of its own, in another
//! process, with a store on SQLite: it connects, maps every organization, promotes some of them, and does one tick, without a limit
//! of requests. Then it reads the pages of that tick once more, with nothing but an HTTP client and the rows' types, and adds up one
//! field: what no sync can do without.
//!
//! Without `--bench`, as `cargo test` runs it, the same goes on in small, and only what it asserts counts.

mod cases;
mod host;
mod meter;
mod metered;
mod plain;
mod simulator;

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use cases::{Case, Figures, Work};
use clap::Parser;
use regentra_sync::model::StrategyChoice;
use tokio::process::Command;

/// The hidden argument that makes this program the simulated tenant; those of the tenant's program follow it.
const SIMULATOR: &str = "--simulator";

/// What a tick of many customers asks of NinjaOne.
#[derive(Debug, Parser)]
struct Arguments {
    /// Prints a line of JSON a case, and no table.
    #[arg(long)]
    json: bool,
    /// Only the cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// One case of one's own instead: organizations of the tenant, all of them mapped.
    #[arg(long)]
    organizations: Option<usize>,
    /// Devices of that case; 20 an organization unless told otherwise.
    #[arg(long, requires = "organizations")]
    devices: Option<usize>,
    /// Customers of that case that are promoted; all unless told otherwise.
    #[arg(long, requires = "organizations")]
    promoted: Option<usize>,
    /// The strategy of that case: `cheapest`, `per_customer`, `group` or `whole_tenant`.
    #[arg(long, requires = "organizations", default_value = "cheapest")]
    strategy: StrategyChoice,
    /// Rows that NinjaOne sends a page at most, in that case.
    #[arg(long, requires = "organizations")]
    page_cap: Option<usize>,
    /// That case syncs assets, and sweeps nobody.
    #[arg(long, requires = "organizations")]
    assets: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// One case, as JSON, in this process: how this program starts itself.
    #[arg(long, hide = true)]
    case: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut arguments = std::env::args_os();
    let own = arguments.next().context("a program has a name")?;
    let mut rest = arguments.peekable();
    if rest.next_if(|first| first == SIMULATOR).is_some() {
        let arguments = std::iter::once(own).chain(rest);
        return Ok(runtime.block_on(ninjaone_simulator::program::serve(arguments))?);
    }
    let arguments = Arguments::parse();
    if let Some(case) = &arguments.case {
        let figures = runtime.block_on(host::run(&serde_json::from_str(case)?))?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    runtime.block_on(all(&arguments))
}

/// Each case in a process of its own: none sees what another left in memory.
async fn all(arguments: &Arguments) -> anyhow::Result<()> {
    let cases = match arguments.organizations {
        Some(organizations) => vec![Case {
            name: "as given".to_owned(),
            organizations,
            devices: arguments.devices.unwrap_or(20 * organizations),
            promoted: arguments.promoted.unwrap_or(organizations),
            strategy: arguments.strategy,
            page_cap: arguments.page_cap,
            work: if arguments.assets {
                Work::Assets
            } else {
                Work::Sweep
            },
            most: None,
        }],
        None if arguments.bench => cases::of_the_readme(),
        None => cases::in_small(),
    };
    let mut done: Vec<Figures> = Vec::new();
    for case in cases {
        if !case.name.contains(&arguments.only) {
            continue;
        }
        let figures = one(&case)
            .await
            .with_context(|| format!("the case \"{}\"", case.name))?;
        if arguments.json {
            println!("{}", serde_json::to_string(&figures)?);
        } else {
            if done.is_empty() {
                println!("{}", Figures::HEAD);
            }
            println!("{figures}");
        }
        // Whatever the strategy, the same tenant has the same verdicts.
        let mut others = done.iter().filter(|other| other.case.is_as_large_as(&case));
        ensure!(
            others.all(|other| other.verdicts == figures.verdicts),
            "the verdicts of \"{}\" are others than those of another strategy: {:?}",
            case.name,
            figures.verdicts
        );
        if !arguments.bench
            && let Some(most) = case.most
        {
            ensure!(
                figures.requests <= most,
                "{} requests are more than {most} in \"{}\": {:?}",
                figures.requests,
                case.name,
                figures.by_path
            );
        }
        done.push(figures);
    }
    Ok(())
}

async fn one(case: &Case) -> anyhow::Result<Figures> {
    let host = Command::new(std::env::current_exe()?)
        .args(["--case", &serde_json::to_string(case)?])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let ended = host.wait_with_output().await?;
    ensure!(ended.status.success(), "its host failed: {}", ended.status);
    Ok(serde_json::from_slice(&ended.stdout)?)
}
