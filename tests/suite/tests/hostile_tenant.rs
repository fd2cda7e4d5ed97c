//! One tenant's answers end nobody else's run: whole syncs and sweeps of several MSPs by the scheduler, over real HTTP, beside a tenant
//! that answers with what is meant to hurt. All of it is one process, servers included, and its resident memory is measured.
//!
//! Memory is a process's: this is one test in a binary of its own.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test panics where it fails, and says what it measured"
)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration as Real,
};

use ninjaone_simulator::{Preset, Tenant, front::tcp};
use regentra_harness::{keys::keyring, onboarding::connect_and_promote_all, plan::PlanAll as _};
use regentra_sync::{
    Connect, ErrorKind, Integration, Scheduler, SyncAssets, SyncOutcome,
    host::{Clock as _, HostPolicy, ManualClock, Progress, ProgressObserver, StoreClock},
    model::{Actor, EventId, MspOrgId, RegionKey, Report, RunKind, RunOutcome},
    ninjaone::NinjaOneApi,
    ninjaone_client::{self, RateLimit, RetryPolicy},
    schedule::{Cadence, EventOutcome, PlanKind, Retry},
    store::Store,
};
use regentra_sync_sqlite::SqliteStore;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-23 06:31 UTC);
const MIB: usize = 1 << 20;

/// What the process may have resident at its peak, whatever one tenant answers.
const MOST_RESIDENT: u64 = 256 << 20;

/// The pages of a report after which it fails, by default.
const MOST_PAGES: u64 = 1_000;

/// Pages of long texts; what is kept of each would be seen.
const LONG_PAGES: i64 = 4;

/// MSP 0 is the hostile tenant's, with so many customers.
const HOSTILE_CUSTOMERS: i64 = 3;
const HEALTHY: u128 = 3;

/// What comes again and again in a body.
#[derive(Clone, Debug)]
enum Unit {
    Same(String),
    /// Rows of devices, each with a name of so many letters; ids have the same number of digits.
    Devices {
        first: i64,
        organization: i64,
        name: usize,
    },
    /// Rows of a report, each with a name of so many letters.
    ReportRows {
        name: usize,
    },
    /// Keys that differ.
    Keys,
}

impl Unit {
    fn append(&self, place: usize, to: &mut String) {
        match self {
            Self::Same(text) => to.push_str(text),
            Self::Devices {
                first,
                organization,
                name,
            } => {
                let id = first + i64::try_from(place).unwrap();
                let comma = if place == 0 { " " } else { "," };
                let name = "n".repeat(*name);
                let row = write!(
                    to,
                    r#"{comma}{{"id":{id},"organizationId":{organization},"approvalStatus":"APPROVED","systemName":"{name}"}}"#
                );
                row.unwrap();
            }
            Self::ReportRows { name } => {
                let comma = if place == 0 { " " } else { "," };
                let name = "n".repeat(*name);
                let row = write!(
                    to,
                    r#"{comma}{{"deviceId":{:07},"name":"{name}","productName":"","productState":"ON"}}"#,
                    place + 1
                );
                row.unwrap();
            }
            Self::Keys => write!(to, r#","{place:07}":1"#).unwrap(),
        }
    }

    fn len(&self) -> usize {
        let mut text = String::new();
        self.append(0, &mut text);
        text.len()
    }
}

/// A body that the server never holds: what it begins with, what comes again and again, and how it ends.
#[derive(Clone, Debug)]
struct Body {
    begin: String,
    unit: Unit,
    times: usize,
    /// Comes as many times as the unit.
    close: &'static str,
    end: &'static str,
    /// Before each mebibyte, or each unit that is shorter.
    pause: Real,
    /// Without an announced length.
    is_chunked: bool,
}

impl Body {
    fn of(
        begin: impl Into<String>,
        unit: impl Into<String>,
        times: usize,
        end: &'static str,
    ) -> Self {
        Self {
            begin: begin.into(),
            unit: Unit::Same(unit.into()),
            times,
            close: "",
            end,
            pause: Real::ZERO,
            is_chunked: false,
        }
    }

    fn whole(text: impl Into<String>) -> Self {
        Self::of(text, "", 0, "")
    }

    /// As many units as fit into so many bytes.
    fn filling(begin: &str, unit: &str, bytes: usize, end: &'static str) -> Self {
        Self::of(
            begin,
            unit,
            (bytes - begin.len() - end.len()) / unit.len(),
            end,
        )
    }

    fn chunked(mut self) -> Self {
        self.is_chunked = true;
        self
    }
}

/// What the hostile tenant answers where lists of devices and reports are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attack {
    /// 64 MiB of `[{},{},...]`.
    EmptyObjects,
    /// 40,000 rows of one id.
    OneId,
    /// As many rows of one id as a page may hold.
    OneIdInBounds,
    /// A row a page, and a count of nine million million.
    EndlessReport,
    /// A million levels in one field.
    Nesting,
    /// As much text in one field as an answer may hold.
    LongText,
    /// 60 MiB of texts of all devices.
    LongTexts,
    /// As much text of all devices as an answer may hold, page after page.
    LongTextsInBounds,
    /// As much text in reports that name neither a cursor nor a count, and are kept until they are known to be whole.
    LongReports,
    /// A million keys in one object that the model has, and in the row itself.
    MillionKeys,
    /// A list in one field, as long as an answer may be.
    WideList,
    /// Bytes that say of themselves that they are compressed.
    Compressed,
    /// A body without end or length.
    Endless,
    /// A byte now and then.
    Slow,
    /// A redirect to itself.
    Redirects,
    /// All of these in turn, request by request.
    Together,
}

impl Attack {
    const EACH: [Self; 15] = [
        Self::EmptyObjects,
        Self::OneId,
        Self::OneIdInBounds,
        Self::EndlessReport,
        Self::Nesting,
        Self::LongText,
        Self::LongTexts,
        Self::LongTextsInBounds,
        Self::LongReports,
        Self::MillionKeys,
        Self::WideList,
        Self::Compressed,
        Self::Endless,
        Self::Slow,
        Self::Redirects,
    ];

    /// How the events of the hostile tenant end, and what the error says. Nothing where the rows are read as far as they can be.
    fn ends(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::OneId => Some((
                "ninjaone.limit_exceeded",
                &["devices.detailed", "10000 rows", "nothing of it is used"],
            )),
            Self::EmptyObjects
            | Self::LongTexts
            | Self::MillionKeys
            | Self::WideList
            | Self::Endless => Some((
                "ninjaone.limit_exceeded",
                &[
                    "devices.detailed",
                    "33554432 bytes",
                    "nothing of it is used",
                ],
            )),
            Self::Compressed => Some(("ninjaone.decode", &["devices.detailed"])),
            Self::Redirects => Some(("ninjaone.config", &["devices.detailed", "redirect"])),
            Self::Slow => Some(("deadline", &["devices.detailed", "event_deadline"])),
            _ => None,
        }
    }

    /// Whether it is held against its bounds in every run.
    fn is_quick(self) -> bool {
        !matches!(self, Self::LongReports | Self::Together)
    }

    /// How long an event may take: long where an end is waited for, on a busy machine, too.
    fn deadline(self) -> Duration {
        match self {
            Self::Slow => Duration::seconds(5),
            Self::Together => Duration::seconds(30),
            _ => Duration::minutes(3),
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Compressed => "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n",
            Self::Redirects => "HTTP/1.1 302 Found\r\nlocation: /v2/devices-detailed\r\n",
            _ => "HTTP/1.1 200 OK\r\n",
        }
    }

    /// The answer to a request about an organization.
    fn body(self, request: &ListRequest) -> Body {
        let is_devices = request.path.contains("devices-detailed");
        let organization = request.organization;
        let device = format!(
            r#""id":{},"organizationId":{organization}"#,
            organization * 1_000_000
        );
        let row = |field: &str| format!("[{{{device},{field}");
        let no_more = Body::whole(if is_devices {
            "[]"
        } else {
            r#"{"results":[]}"#
        });
        match self {
            Self::EmptyObjects => Body::filling("[{}", ",{}", 64 * MIB, "]"),
            Self::OneId => Body::of(
                format!("[{{{device}}}"),
                format!(",{{{device}}}"),
                39_999,
                "]",
            ),
            Self::OneIdInBounds if is_devices && request.after == 0 => Body::of(
                format!("[{{{device}}}"),
                format!(",{{{device}}}"),
                9_999,
                "]",
            ),
            Self::EndlessReport if organization == 1 && request.path.ends_with("/volumes") => {
                let page = request.cursor.unwrap_or(0);
                let next = page + 1;
                Body::whole(format!(
                    r#"{{"cursor":{{"name":"{next}","offset":{page},"count":9000000000000}},"results":[{{"deviceId":{page},"name":"C:"}}]}}"#
                ))
            }
            Self::Nesting if is_devices && request.after == 0 => Body {
                close: "]}",
                ..Body::filling(&row(r#""userData":"#), r#"{"a":["#, 4 * MIB, "}]")
            },
            Self::LongText if is_devices && request.after == 0 => Body::filling(
                &row(r#""approvalStatus":"APPROVED","systemName":""#),
                "name",
                31 * MIB,
                r#""}]"#,
            ),
            Self::LongTexts | Self::LongTextsInBounds
                if is_devices && request.after < organization * 1_000_000 + LONG_PAGES * 1_000 =>
            {
                let unit = Unit::Devices {
                    first: request.after.max(organization * 1_000_000) + 1,
                    organization,
                    name: if self == Self::LongTexts {
                        60_000
                    } else {
                        32_000
                    },
                };
                Body {
                    unit,
                    ..Body::of("[", "", 1_000, "]")
                }
            }
            Self::LongReports if is_devices && request.after == 0 => {
                let unit = Unit::Devices {
                    first: 1,
                    organization,
                    name: 1,
                };
                Body {
                    unit,
                    ..Body::of("[", "", 9, "]")
                }
            }
            Self::LongReports
                if ["/volumes", "/antivirus-status"]
                    .iter()
                    .any(|report| request.path.ends_with(report)) =>
            {
                Body {
                    unit: Unit::ReportRows { name: 32_000 },
                    ..Body::of(r#"{"results":["#, "", 1_000, "]}")
                }
            }
            Self::MillionKeys if is_devices && request.after == 0 => Body {
                unit: Unit::Keys,
                ..Body::of(row(r#""userData":{"k":0"#), "", 1_000_000, "}}]")
            },
            Self::WideList if is_devices && request.after == 0 => {
                Body::filling(&row(r#""volumes":[{}"#), ",{}", 31 * MIB, "]}]")
            }
            Self::Compressed => Body::filling("\u{1f}\u{8b}", "\u{8}", MIB, ""),
            Self::Endless => Body::of("[", "{},", usize::MAX, "").chunked(),
            Self::Slow => Body {
                pause: Real::from_millis(50),
                ..Body::of("[", " ", usize::MAX, "").chunked()
            },
            Self::Redirects => Body::whole(""),
            _ => no_more,
        }
    }
}

/// A request as the hostile tenant reads it.
struct ListRequest {
    path: String,
    organization: i64,
    after: i64,
    cursor: Option<u64>,
}

impl ListRequest {
    fn of(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let number = |name: &str| -> Option<i64> {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(key, _)| *key == name)?;
            value.rsplit("%20").next()?.parse().ok()
        };
        Self {
            path: path.to_owned(),
            organization: number("df").unwrap_or(1),
            after: number("after").unwrap_or(0),
            cursor: number("cursor").map(i64::unsigned_abs),
        }
    }
}

/// The server of the hostile tenant.
#[derive(Clone, Debug)]
struct Hostile {
    attack: Arc<Mutex<(Attack, usize)>>,
}

impl Hostile {
    async fn serve(attack: Attack) -> (Self, String) {
        let hostile = Self {
            attack: Arc::new(Mutex::new((attack, 0))),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let accepting = hostile.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let hostile = accepting.clone();
                // A client that goes away in mid-answer does so for a reason.
                tokio::spawn(async move { drop(hostile.converse(stream).await) });
            }
        });
        (hostile, url)
    }

    fn set(&self, attack: Attack) {
        *self.attack.lock().unwrap_or_else(PoisonError::into_inner) = (attack, 0);
    }

    fn next(&self) -> Attack {
        let mut attack = self.attack.lock().unwrap_or_else(PoisonError::into_inner);
        attack.1 += 1;
        match *attack {
            (Attack::Together, times) => Attack::EACH[times % Attack::EACH.len()],
            (attack, _) => attack,
        }
    }

    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        // Or the end of a small answer waits until its beginning is acknowledged.
        stream.set_nodelay(true)?;
        let mut buffer = Vec::new();
        loop {
            let head = loop {
                if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                    break end + 4;
                }
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            };
            let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
            let length = text.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            let all = head + length.unwrap_or(0);
            while buffer.len() < all {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            }
            buffer.drain(..all);
            let target = text.split(' ').nth(1).unwrap_or_default();
            let request = ListRequest::of(target);
            let (head, body) = if target.contains("oauth") {
                let token = r#"{"access_token":"t","token_type":"Bearer","expires_in":3600,"scope":"monitoring"}"#;
                ("HTTP/1.1 200 OK\r\n", Body::whole(token))
            } else if request.path.ends_with("/organizations") {
                let rows = (request.after + 1..=HOSTILE_CUSTOMERS)
                    .map(|id| format!(r#"{{"id":{id},"name":"Organization {id}"}}"#));
                let rows = rows.collect::<Vec<_>>().join(",");
                ("HTTP/1.1 200 OK\r\n", Body::whole(format!("[{rows}]")))
            } else {
                let attack = self.next();
                (attack.head(), attack.body(&request))
            };
            send(&mut stream, head, &body).await?;
        }
    }
}

/// Sends a body a mebibyte at a time.
async fn send(stream: &mut TcpStream, head: &str, body: &Body) -> std::io::Result<()> {
    let unit = body.unit.len();
    let length = (unit + body.close.len())
        .saturating_mul(body.times)
        .saturating_add(body.begin.len() + body.end.len());
    let framing = if body.is_chunked {
        "transfer-encoding: chunked\r\n\r\n".to_owned()
    } else {
        format!("content-length: {length}\r\n\r\n")
    };
    stream
        .write_all(format!("{head}{framing}").as_bytes())
        .await?;
    let mut piece = async |bytes: &[u8]| {
        if body.is_chunked {
            stream
                .write_all(format!("{:x}\r\n", bytes.len()).as_bytes())
                .await?;
        }
        stream.write_all(bytes).await?;
        if body.is_chunked {
            stream.write_all(b"\r\n").await?;
        }
        std::io::Result::Ok(())
    };
    piece(body.begin.as_bytes()).await?;
    let at_once = if body.pause.is_zero() {
        (MIB / unit.max(1)).max(1)
    } else {
        1
    };
    let (mut many, mut sent) = (String::new(), 0);
    while sent < body.times {
        many.clear();
        let last = body.times.min(sent.saturating_add(at_once));
        for place in sent..last {
            body.unit.append(place, &mut many);
        }
        sent = last;
        tokio::time::sleep(body.pause).await;
        piece(many.as_bytes()).await?;
    }
    let closes = body.close.repeat(body.close.len().min(1) * body.times);
    for part in [closes.as_str(), body.end] {
        if !part.is_empty() {
            piece(part.as_bytes()).await?;
        }
    }
    if body.is_chunked {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

/// The most that was resident since the last call of [`forget_peak`], in bytes; `None` where there is no Linux to say so.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1_024)
}

fn forget_peak() {
    // Where it cannot be forgotten the peak of all cases is held against the limit, which is stricter.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// How the events of each MSP ended.
#[derive(Debug, Default)]
struct Ends(Mutex<BTreeMap<EventId, EventOutcome>>);

impl ProgressObserver for Ends {
    fn progress(&self, progress: &Progress) {
        if let Progress::EventFinished { event, outcome, .. } = progress {
            let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            ends.insert(*event, *outcome);
        }
    }
}

struct Host {
    store: Arc<dyn Store>,
    clock: ManualClock,
    live: Arc<NinjaOneApi>,
    ends: Arc<Ends>,
    regions: BTreeMap<MspOrgId, RegionKey>,
}

fn msp(number: u128) -> MspOrgId {
    MspOrgId::from_uuid(Uuid::from_u128(number + 1))
}

fn event(label: &str) -> EventId {
    EventId::of_request("hostile", label)
}

impl Host {
    async fn new(folder: &std::path::Path) -> Self {
        let clock = ManualClock::at(NOW);
        let store = SqliteStore::migrate(folder.join("hostile.db"))
            .await
            .unwrap();
        let store: Arc<dyn Store> = Arc::new(store.with_clock(StoreClock::of(clock.clone())));
        let live = NinjaOneApi::new()
            .rate_limit(RateLimit::unlimited())
            .retry(RetryPolicy::default().backoff(Real::from_millis(1), Real::from_millis(5)));
        Self {
            store,
            clock,
            live: Arc::new(live),
            ends: Arc::default(),
            regions: BTreeMap::new(),
        }
    }

    fn integration(&self, deadline: Duration) -> Integration {
        let keyring = keyring();
        let policy = HostPolicy::default()
            .allow_hosts(|_| true)
            .sweep_deadline(deadline)
            .event_deadline(deadline);
        let live = Arc::<NinjaOneApi>::clone(&self.live);
        Integration::builder(Arc::clone(&self.store), keyring, live)
            .clock(Arc::new(self.clock.clone()))
            .observer(Arc::<Ends>::clone(&self.ends))
            .policy(policy)
            .build()
    }

    /// Connects an MSP, and promotes every customer of its.
    async fn connect(&mut self, number: u128, url: &str, id: &str, secret: &str) {
        let (host, msp, region) = (
            self.integration(Duration::minutes(3)),
            msp(number),
            RegionKey::parse(url).unwrap(),
        );
        let connect = Connect {
            event: event(&format!("connect {number}")),
            region: region.clone(),
            client_id: id.into(),
            client_secret: secret.into(),
            allow_duplicate: false,
            actor: Actor::Schedule,
        };
        connect_and_promote_all(&host, &*self.store, msp, connect, event).await;
        self.regions.insert(msp, region);
    }

    /// In the last sweeps of the hostile tenant.
    async fn one_report_failed(&self) {
        // That report has failed, by the limit of pages; all others were judged.
        let runs = self.store.runs(msp(0)).await.unwrap();
        let mut sweeps: Vec<_> = runs
            .iter()
            .filter(|run| run.subject.kind == RunKind::EvidenceSweep)
            .map(|run| (run.requests, &run.outcome))
            .collect();
        sweeps.sort_by_key(|(requests, _)| *requests);
        let (requests, outcome) = sweeps.pop().unwrap();
        assert!(requests >= MOST_PAGES, "{requests}");
        let failed_reports = [(
            Report::Volumes,
            ErrorKind::Ninjaone(ninjaone_client::ErrorKind::LimitExceeded),
        )];
        let failed_reports = failed_reports.into();
        assert_eq!(*outcome, RunOutcome::Partial { failed_reports });
        assert!(
            sweeps
                .iter()
                .all(|(_, outcome)| **outcome == RunOutcome::Succeeded),
            "{sweeps:?}"
        );
    }

    /// Everything that is due in the next tick, by the scheduler; how the events of each MSP ended.
    async fn tick(&self, attack: Attack) -> BTreeMap<MspOrgId, Vec<EventOutcome>> {
        self.clock
            .set(Cadence::EVIDENCE_SWEEP.next(self.clock.now()) + Duration::minutes(1));
        self.ends
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let (now, integration) = (self.clock.now(), self.integration(attack.deadline()));
        let policy = [
            (PlanKind::EvidenceSweep, Cadence::EVIDENCE_SWEEP),
            (PlanKind::AssetSync, Cadence::ASSET_SYNC),
        ];
        let mut of = BTreeMap::new();
        for (kind, cadence) in policy {
            for event in integration.plan_all(kind, cadence.last(now)).await.unwrap() {
                of.insert(event.id(), event.msp());
            }
        }
        // All four slots could be the hostile tenant's, were they not shared.
        let scheduler = Scheduler::new(integration)
            .parallel(4)
            .retry(Retry::default().attempts(1));
        scheduler.run_due(std::future::pending()).await;
        let mut ends: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (event, end) in self
            .ends
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            ends.entry(of[event]).or_default().push(*end);
        }
        ends
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_one_tenant_answers_the_others_are_served_and_memory_stays_in_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::new(folder.path()).await;
    let (hostile, url) = Hostile::serve(Attack::Redirects).await;
    host.connect(0, &url, "hostile", "secret").await;
    let mut servers = Vec::new();
    for number in 1..=HEALTHY {
        let tenant = Tenant::builder(NOW)
            .preset(Preset::Healthy, 1, 40)
            .organization_count(2)
            .build();
        let (id, secret) = (
            tenant.client_id().to_owned(),
            tenant.client_secret().to_owned(),
        );
        let server = tcp::serve(tenant).await.unwrap();
        host.connect(number, &server.url(), &id, &secret).await;
        servers.push(server);
    }
    if peak().is_none() {
        println!("!! no /proc/self/status here: resident memory is NOT measured");
    }
    // The others are run only when they are asked for: all of them, or those that are named.
    let asked = std::env::var("REGENTRA_HOSTILE_ALL").ok();
    let all = Attack::EACH.into_iter().chain([Attack::Together]);
    for attack in all {
        if !match asked.as_deref() {
            None => attack.is_quick(),
            Some("1") => true,
            Some(names) => names.split(',').any(|name| name == format!("{attack:?}")),
        } {
            continue;
        }
        hostile.set(attack);
        forget_peak();
        let began = std::time::Instant::now();
        let ends = host.tick(attack).await;
        let (took, peak) = (began.elapsed(), peak());
        println!(
            "{attack:?}: {took:.1?}, peak {} MiB: {:?}",
            peak.unwrap_or(0) >> 20,
            ends[&msp(0)]
        );
        for number in 1..=HEALTHY {
            assert_eq!(
                ends[&msp(number)],
                [EventOutcome::Done; 3],
                "{attack:?}, MSP {number}"
            );
        }
        if let Some(peak) = peak {
            assert!(peak < MOST_RESIDENT, "{attack:?}: {} MiB", peak >> 20);
        }
        if attack == Attack::EndlessReport {
            host.one_report_failed().await;
        }
        let Some((kind, words)) = attack.ends() else {
            continue;
        };
        let error = ErrorKind::from_name(kind);
        let is_of_kind = |end: &EventOutcome| *end == EventOutcome::Failed { error };
        assert!(
            ends[&msp(0)].iter().all(is_of_kind),
            "{attack:?}: {:?}",
            ends[&msp(0)]
        );
        let label = event(&format!("{attack:?}"));
        let region = &host.regions[&msp(0)];
        let synced = host
            .integration(attack.deadline())
            .sync_assets(
                msp(0),
                SyncAssets {
                    region: region.clone(),
                    actor: Actor::Schedule,
                    event: label,
                },
            )
            .await;
        let texts: Vec<String> = match synced {
            Err(error) => vec![error.to_string()],
            Ok(synced) => synced
                .into_iter()
                .map(|sync| match sync.outcome {
                    Err(error) => error.to_string(),
                    Ok(SyncOutcome::Synced { .. }) => "synced".to_owned(),
                    Ok(other) => format!("{other:?}"),
                })
                .collect(),
        };
        for text in &texts {
            assert!(
                words.iter().all(|word| text.contains(word)),
                "{attack:?}: {text}"
            );
        }
    }
}
