//! What can happen, in any order. Operands are chosen from what there is, whatever number they are, so that a history stays one
//! when parts of it are left out.

use proptest::{collection::vec, prelude::*};
use regentra_sync::{
    model::{Source, SweepStrategy},
    regentra_evidence::{SignalKind, Status},
};

use crate::history::{
    truth::{Fault, HOSTS, NAMES, ORGANIZATIONS, SERIALS, Tenant},
    view::folded,
};

/// How many of the latest planned events are chosen most.
pub const LATEST: usize = 6;

#[derive(Clone, Debug)]
pub enum HistoryStep {
    // What operators do.
    Connect {
        tenant: Tenant,
    },
    ConnectWithClientOf {
        tenant: Tenant,
        client: Tenant,
    },
    Disconnect {
        tenant: Tenant,
    },
    Discover {
        tenant: Tenant,
    },
    UseExisting {
        tenant: Tenant,
        organization: i64,
        name: &'static str,
    },
    CreateNew {
        tenant: Tenant,
        organization: i64,
    },
    DontSync {
        tenant: Tenant,
        organization: i64,
    },
    Undecide {
        tenant: Tenant,
        organization: i64,
    },
    AddCompany {
        msp: u8,
        name: &'static str,
    },
    Promote {
        msp: u8,
        name: &'static str,
        customer: usize,
    },
    Sync {
        tenant: Tenant,
    },
    SyncCompany {
        msp: u8,
        name: &'static str,
    },
    RotateKeys,
    // What happens by itself.
    Plan,
    Deliver {
        event: usize,
    },
    /// Those of these events that are of the connection and the tick of the first one, in one pass by this strategy.
    DeliverTogether {
        events: Vec<usize>,
        strategy: SweepStrategy,
    },
    DeliverTickets {
        msp: u8,
        rows: usize,
    },
    Pass {
        minutes: i64,
    },
    /// The clock of the processes shows this much more than the store's, or less.
    Skew {
        minutes: i64,
    },
    /// Both clocks had run ahead by this much, and are set right.
    SetBack {
        minutes: i64,
    },
    /// The future of the operation is dropped at a suspension; besides, the process may end.
    Interrupted {
        operation: Box<HistoryStep>,
        suspension: usize,
        ends: bool,
    },
    /// A run is held up at a suspension, in this process or in another one, until something else has happened.
    Meanwhile {
        run: Box<HistoryStep>,
        suspension: usize,
        others: Vec<HistoryStep>,
        elsewhere: bool,
    },
    // What happens in NinjaOne.
    AddOrganization {
        tenant: Tenant,
        organization: i64,
        name: &'static str,
    },
    RemoveOrganization {
        tenant: Tenant,
        organization: i64,
    },
    AddDevice {
        tenant: Tenant,
        organization: i64,
        serial: Option<&'static str>,
    },
    RemoveDevice {
        tenant: Tenant,
        device: usize,
    },
    MoveDevice {
        tenant: Tenant,
        device: usize,
        organization: i64,
    },
    CloneDevice {
        tenant: Tenant,
        device: usize,
    },
    RenameDevice {
        tenant: Tenant,
        device: usize,
        name: &'static str,
    },
    SeeSignatures {
        tenant: Tenant,
        device: usize,
        out_of_date: Option<bool>,
    },
    Health {
        tenant: Tenant,
        organization: i64,
        signal: SignalKind,
        status: Status,
        number: u64,
    },
    GoWrong {
        tenant: Tenant,
        fault: Fault,
    },
    GetWell {
        tenant: Tenant,
    },
    // What other sources of assets write.
    FindElsewhere {
        msp: u8,
        name: &'static str,
        source: Source,
        serial: Option<&'static str>,
        host: Option<&'static str>,
    },
    LoseElsewhere {
        msp: u8,
        asset: usize,
    },
}

/// Where most of a history happens: with few places, what belongs together meets.
#[derive(Clone, Copy, Debug)]
pub struct Focus(pub [Tenant; 2]);

impl Focus {
    pub fn tenant(self) -> BoxedStrategy<Tenant> {
        let [first, second] = self.0;
        let anywhere = prop::sample::select(&Tenant::ALL[..]);
        prop_oneof![8 => Just(first), 4 => Just(second), 1 => anywhere].boxed()
    }

    pub fn msp(self) -> BoxedStrategy<u8> {
        self.tenant().prop_map(Tenant::msp).boxed()
    }
}

pub fn organization() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![5 => Just(1_i64), 3 => Just(2), 1 => ORGANIZATIONS]
}

pub fn name() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(&NAMES[..])
}

fn serial() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(&SERIALS[..]))
}

pub fn signal() -> impl Strategy<Value = SignalKind> + Clone {
    let others = prop::sample::select(&SignalKind::ALL[..]);
    prop_oneof![2 => Just(SignalKind::DiskEncryption), 1 => Just(SignalKind::AntivirusPosture), 1 => others]
}

pub fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        1 => Just(Fault::OrganizationsTimeOut),
        1 => Just(Fault::OrganizationsTruncated),
        1 => Just(Fault::OrganizationsMalformed),
        1 => Just(Fault::OrganizationsEmpty),
        2 => Just(Fault::FilterIgnored),
        2 => organization().prop_map(Fault::DevicesTimeOut),
        2 => organization().prop_map(Fault::DevicesTruncated),
        2 => organization().prop_map(Fault::DevicesMalformed),
        2 => organization().prop_map(Fault::DevicesEmpty),
        2 => signal().prop_map(Fault::ReportTimesOut),
        1 => signal().prop_map(Fault::ReportNotAvailable),
    ]
}

pub fn decision(focus: Focus) -> impl Strategy<Value = HistoryStep> {
    (focus.tenant(), organization(), name(), 0..8_u8).prop_map(
        |(tenant, organization, name, choice)| match choice {
            0..=2 => HistoryStep::UseExisting {
                tenant,
                organization,
                name,
            },
            3..=4 => HistoryStep::CreateNew {
                tenant,
                organization,
            },
            5 => HistoryStep::DontSync {
                tenant,
                organization,
            },
            _ => HistoryStep::Undecide {
                tenant,
                organization,
            },
        },
    )
}

/// The place of the compliance organization that a company is promoted to, when nobody makes a mistake.
pub fn own_customer(msp: u8, name: &str) -> usize {
    let place = ["contoso", "fabrikam", "tailspin", "wingtip"]
        .iter()
        .position(|known| *known == folded(name));
    (usize::from(msp) - 1) * 4 + place.unwrap_or(0)
}

pub fn operator(focus: Focus) -> impl Strategy<Value = HistoryStep> {
    let t = focus.tenant();
    prop_oneof![
        3 => t.clone().prop_map(|tenant| HistoryStep::Connect { tenant }),
        1 => (t.clone(), t.clone()).prop_map(|(tenant, client)| HistoryStep::ConnectWithClientOf { tenant, client }),
        2 => t.clone().prop_map(|tenant| HistoryStep::Disconnect { tenant }),
        3 => t.prop_map(|tenant| HistoryStep::Discover { tenant }),
        7 => decision(focus),
        2 => (focus.msp(), name()).prop_map(|(msp, name)| HistoryStep::AddCompany { msp, name }),
        4 => (focus.msp(), name(), prop::option::weighted(0.2, 0..12_usize)).prop_map(|(msp, name, other)| {
            // Its own compliance organization, or by mistake another one's.
            let customer = other.unwrap_or_else(|| own_customer(msp, name));
            HistoryStep::Promote { msp, name, customer }
        }),
        1 => Just(HistoryStep::RotateKeys),
    ]
}

/// One of the last few events, or any.
pub fn event() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0..LATEST, 1 => LATEST..1_000]
}

fn run(focus: Focus) -> impl Strategy<Value = HistoryStep> {
    prop_oneof![
        5 => focus.tenant().prop_map(|tenant| HistoryStep::Sync { tenant }),
        2 => (focus.msp(), name()).prop_map(|(msp, name)| HistoryStep::SyncCompany { msp, name }),
        5 => event().prop_map(|event| HistoryStep::Deliver { event }),
        3 => together(),
    ]
}

fn together() -> impl Strategy<Value = HistoryStep> {
    let strategy = prop_oneof![Just(SweepStrategy::Group), Just(SweepStrategy::WholeTenant)];
    (vec(event(), 1..6), strategy)
        .prop_map(|(events, strategy)| HistoryStep::DeliverTogether { events, strategy })
}

fn interrupted(focus: Focus) -> impl Strategy<Value = HistoryStep> {
    let operation = prop_oneof![3 => run(focus), 1 => operator(focus)];
    (operation, 1..24_usize, any::<bool>()).prop_map(|(operation, suspension, ends)| {
        let operation = Box::new(operation);
        HistoryStep::Interrupted {
            operation,
            suspension,
            ends,
        }
    })
}

pub fn health(focus: Focus) -> impl Strategy<Value = HistoryStep> {
    let status = [
        Status::Pass,
        Status::Warning,
        Status::Fail,
        Status::Fail,
        Status::Unknown,
    ];
    let status = prop::sample::select(status.to_vec());
    (focus.tenant(), organization(), signal(), status, 0..3_u64).prop_map(
        |(tenant, organization, signal, status, number)| HistoryStep::Health {
            tenant,
            organization,
            signal,
            status,
            number,
        },
    )
}

pub fn devices(focus: Focus) -> impl Strategy<Value = HistoryStep> {
    let (t, o, device) = (focus.tenant(), organization(), any::<usize>());
    prop_oneof![
        2 => (t.clone(), o.clone(), serial()).prop_map(|(tenant, organization, serial)| {
            HistoryStep::AddDevice { tenant, organization, serial }
        }),
        2 => (t.clone(), device).prop_map(|(tenant, device)| HistoryStep::RemoveDevice { tenant, device }),
        4 => (t.clone(), device, o).prop_map(|(tenant, device, organization)| {
            HistoryStep::MoveDevice { tenant, device, organization }
        }),
        1 => (t.clone(), device).prop_map(|(tenant, device)| HistoryStep::CloneDevice { tenant, device }),
        1 => (t.clone(), device, prop::sample::select(&HOSTS[..])).prop_map(|(tenant, device, name)| {
            HistoryStep::RenameDevice { tenant, device, name }
        }),
        2 => (t, device, any::<Option<bool>>()).prop_map(|(tenant, device, out_of_date)| {
            HistoryStep::SeeSignatures { tenant, device, out_of_date }
        }),
    ]
}

pub fn organizations(focus: Focus) -> impl Strategy<Value = HistoryStep> {
    (focus.tenant(), organization(), name(), 0..3_u8).prop_map(
        |(tenant, organization, name, what)| match what {
            0 => HistoryStep::RemoveOrganization {
                tenant,
                organization,
            },
            _ => HistoryStep::AddOrganization {
                tenant,
                organization,
                name,
            },
        },
    )
}

pub fn elsewhere(focus: Focus) -> impl Strategy<Value = HistoryStep> {
    let source = prop::sample::select(&Source::ALL[1..]);
    let host = prop::option::of(prop::sample::select(&HOSTS[..]));
    prop_oneof![
        4 => (focus.msp(), name(), source, serial(), host).prop_map(|(msp, name, source, serial, host)| {
            HistoryStep::FindElsewhere { msp, name, source, serial, host }
        }),
        1 => (focus.msp(), any::<usize>()).prop_map(|(msp, asset)| HistoryStep::LoseElsewhere { msp, asset }),
    ]
}

/// What may happen while a run is held up.
fn meanwhile(tenant: Tenant) -> impl Strategy<Value = Vec<HistoryStep>> {
    let focus = Focus([tenant, tenant]);
    let decided = decision(focus).prop_filter_map("creates a company", |operation| {
        (!matches!(operation, HistoryStep::CreateNew { .. })).then_some(operation)
    });
    let again = (organization(), name()).prop_map(move |(organization, name)| {
        let undecide = HistoryStep::Undecide {
            tenant,
            organization,
        };
        let decide = HistoryStep::UseExisting {
            tenant,
            organization,
            name,
        };
        vec![undecide, decide]
    });
    let one = prop_oneof![
        2 => decided,
        1 => Just(HistoryStep::Disconnect { tenant }),
        1 => Just(HistoryStep::Connect { tenant }),
        4 => devices(focus),
        1 => health(focus),
        1 => Just(HistoryStep::DeliverTickets { msp: tenant.msp(), rows: 50 }),
        3 => event().prop_map(|event| HistoryStep::Deliver { event }),
        1 => together(),
        2 => Just(HistoryStep::Sync { tenant }),
    ];
    let reconnect = vec![
        HistoryStep::Disconnect { tenant },
        HistoryStep::Connect { tenant },
    ];
    prop_oneof![4 => vec(one, 1..4), 1 => again, 1 => Just(reconnect)]
}

/// A run that is held up while something else happens.
pub fn held_up(
    focus: Focus,
    run: impl Fn(Tenant) -> BoxedStrategy<HistoryStep> + 'static,
) -> impl Strategy<Value = HistoryStep> {
    let others = focus.tenant().prop_flat_map(move |tenant| {
        let (run, others) = (run(tenant), meanwhile(tenant));
        (run, 1..14_usize, others, any::<bool>())
    });
    others.prop_map(|(run, suspension, mut others, elsewhere)| {
        if elsewhere {
            // By then the lease has expired.
            others.insert(0, HistoryStep::Pass { minutes: 6 });
        }
        HistoryStep::Meanwhile {
            run: Box::new(run),
            suspension,
            others,
            elsewhere,
        }
    })
}

/// By how many minutes the processes' clock is ahead of the store's.
pub fn skew() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![-3 * 24 * 60, -10, -4, 0, 4, 5, 10, 20 * 24 * 60])
}

pub fn anything(focus: Focus, with_interruptions: bool) -> impl Strategy<Value = HistoryStep> {
    let minutes = prop::sample::select(vec![1, 6, 60, 6 * 60, 6 * 60, 3 * 24 * 60, 8 * 24 * 60]);
    let rows = prop::sample::select(vec![1, 2, 50]);
    prop_oneof![
        6 => operator(focus),
        5 => run(focus),
        3 => devices(focus),
        1 => organizations(focus),
        3 => health(focus),
        2 => elsewhere(focus),
        1 => (focus.tenant(), fault()).prop_map(|(tenant, fault)| HistoryStep::GoWrong { tenant, fault }),
        1 => focus.tenant().prop_map(|tenant| HistoryStep::GetWell { tenant }),
        1 => Just(HistoryStep::Plan),
        2 => (focus.msp(), rows).prop_map(|(msp, rows)| HistoryStep::DeliverTickets { msp, rows }),
        2 => minutes.prop_map(|minutes| HistoryStep::Pass { minutes }),
        1 => skew().prop_map(|minutes| HistoryStep::Skew { minutes }),
        1 => Just(HistoryStep::Skew { minutes: 0 }),
        3 => if with_interruptions { interrupted(focus).boxed() } else { run(focus).boxed() },
    ]
}
