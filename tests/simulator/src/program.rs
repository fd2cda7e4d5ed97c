//! The program `ninjaone-simulator`: a tenant in a process of its own.
//!
//! A benchmark that has to be one program starts itself again and calls [`serve`].

use std::{
    ffi::OsString,
    io::{self, BufRead, Write},
    sync::Arc,
};

use clap::Parser;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::form_urlencoded;

use crate::{
    clock::Clock,
    fault::Fault,
    front::tcp::{self, Framing, Front},
    preset::Preset,
    tenant::{LoggedRequest, Tenant},
};

/// A simulated NinjaOne tenant on loopback.
///
/// Prints its base URL, client id and client secret, one a line, and serves until it is stopped.
///
/// Each line of its input is answered by a line of JSON. `requests`: how many requests were answered since this was last asked, by
/// path. `targets`: path and query of each of these requests, `GET` alone; they stay counted.
#[derive(Debug, Parser)]
#[command(name = "ninjaone-simulator", version, about)]
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
    /// Ends when its input ends, as it does when the program that started this one ends, in whatever way.
    #[arg(long)]
    attached: bool,
}

/// Serves a tenant by the program's arguments, the first of which is the program's name. It returns when its input ends, and only
/// with `--attached`. Arguments that are none of the program's, or ask for help, end the process.
///
/// # Errors
/// When no port can be bound, or the output is closed.
pub async fn serve<T: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
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
    let asked = Arc::clone(&front);
    let (ended, end) = tokio::sync::oneshot::channel();
    // Reading a line blocks, and a thread of the runtime would be waited for at the end.
    std::thread::spawn(move || {
        let commands = io::stdin().lock().lines().map_while(Result::ok);
        for command in commands {
            if answer(&asked, &command).is_err() {
                break;
            }
        }
        let _ = ended.send(());
    });
    if arguments.attached {
        drop(end.await);
        return Ok(());
    }
    std::future::pending().await
}

fn answer(front: &Front, command: &str) -> io::Result<()> {
    let mut tenant = front.tenant();
    let answer = match command {
        "requests" => {
            let counts = json!(tenant.requests_by_path());
            tenant.clear_requests();
            counts
        }
        "targets" => {
            let read = tenant.requests().iter();
            read.filter(|request| request.method == "GET")
                .map(target)
                .collect()
        }
        _ => json!({ "error": "a line is requests or targets" }),
    };
    say(&format!("{answer}\n"))
}

fn target(request: &LoggedRequest) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&request.query)
        .finish();
    format!("{}?{query}", request.path)
}

fn say(lines: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(lines.as_bytes())?;
    output.flush()
}
