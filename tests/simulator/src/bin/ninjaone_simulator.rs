//! A simulated NinjaOne tenant in a process of its own.
//!
//! Prints its base URL, client id and client secret, one a line, and serves until it is stopped. A line `requests` on its input is
//! answered by a line that says how many requests were answered since the line before, by path, as JSON.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use clap::Parser;
use ninjaone_simulator::front::tcp::{self, Framing};
use ninjaone_simulator::{Clock, Fault, Preset, Tenant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A simulated NinjaOne tenant on loopback.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Devices of the whole fleet.
    #[arg(long, default_value_t = 100)]
    devices: usize,
    /// Organizations the devices are dealt to; the preset has a number of its own.
    #[arg(long)]
    organizations: Option<usize>,
    /// Seed of the fleet: the same seed, size and time give the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What the fleet is like: healthy, failing, mixed, empty, mac-only, network-only, dark or scale.
    #[arg(long, default_value = "mixed")]
    preset: Preset,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The time the fleet is made for (RFC 3339); from there it runs. Without it: the present.
    #[arg(long, value_parser = |text: &str| OffsetDateTime::parse(text, &Rfc3339))]
    now: Option<OffsetDateTime>,
    /// Rows that a page holds at most, whatever is asked for.
    #[arg(long)]
    page_cap: Option<usize>,
    /// Sends chunked bodies instead of those with a length.
    #[arg(long)]
    chunked: bool,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let (now, clock) = match arguments.now {
        Some(now) => (now, Clock::running(now)),
        None => (Clock::wall().now(), Clock::wall()),
    };
    let mut builder =
        Tenant::builder(now).preset(arguments.preset, arguments.seed, arguments.devices);
    if let Some(organizations) = arguments.organizations {
        builder = builder.organization_count(organizations);
    }
    let framing = if arguments.chunked {
        Framing::Chunked
    } else {
        Framing::ContentLength
    };
    let mut tenant = builder.build();
    if let Some(rows) = arguments.page_cap {
        tenant.fault(Fault::PageCapped { rows });
    }
    let front = tcp::serve_with(tenant, clock, framing, arguments.port).await?;
    let lines = {
        let tenant = front.tenant();
        format!(
            "{}\n{}\n{}\n",
            front.url(),
            tenant.client_id(),
            tenant.client_secret()
        )
    };
    say(&lines)?;
    let front = Arc::new(front);
    let counted = Arc::clone(&front);
    // Reading a line blocks. When the input ends, or nobody reads the answers, the tenant is served on.
    std::thread::spawn(move || {
        let commands = io::stdin().lock().lines().map_while(Result::ok);
        commands
            .filter(|command| command == "requests")
            .try_for_each(|_| {
                let mut tenant = counted.tenant();
                let line = serde_json::json!(tenant.requests_by_path()).to_string();
                tenant.clear_requests();
                say(&(line + "\n"))
            })
    });
    std::future::pending().await
}

fn say(lines: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(lines.as_bytes())?;
    output.flush()
}
