//! What can happen, in any order. Operands are chosen from what there is, whatever number they are, so that a history stays one
//! when parts of it are left out.

use proptest::{collection::vec, prelude::*};
use regentra_sync::{
    asset::Source,
    regentra_evidence::{SignalKind, Status},
};

use crate::{
    truth::{Fault, HOSTS, LAST, NAMES, ORGANIZATIONS, SERIALS, Tenant, name_in_the_beginning},
    view::folded,
};

/// How many of the latest planned events are chosen most.
pub(crate) const LATEST: usize = 6;

#[derive(Clone, Debug)]
pub(crate) enum Operation {
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
    DeliverTickets {
        msp: u8,
        rows: usize,
    },
    Pass {
        minutes: i64,
    },
    /// The future of the operation is dropped at a suspension; besides, the process may end.
    Interrupted {
        operation: Box<Operation>,
        suspension: usize,
        ends: bool,
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
struct Focus([Tenant; 2]);

impl Focus {
    fn tenant(self) -> BoxedStrategy<Tenant> {
        let [first, second] = self.0;
        let anywhere = prop::sample::select(&Tenant::ALL[..]);
        prop_oneof![8 => Just(first), 4 => Just(second), 1 => anywhere].boxed()
    }

    fn msp(self) -> BoxedStrategy<u8> {
        self.tenant().prop_map(Tenant::msp).boxed()
    }
}

fn organization() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![5 => Just(1_i64), 3 => Just(2), 1 => ORGANIZATIONS]
}

fn name() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(&NAMES[..])
}

fn serial() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(&SERIALS[..]))
}

fn signal() -> impl Strategy<Value = SignalKind> + Clone {
    let others = prop::sample::select(&SignalKind::ALL[..]);
    prop_oneof![2 => Just(SignalKind::DiskEncryption), 1 => Just(SignalKind::AntivirusPosture), 1 => others]
}

fn fault() -> impl Strategy<Value = Fault> {
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

fn decision(focus: Focus) -> impl Strategy<Value = Operation> {
    (focus.tenant(), organization(), name(), 0..8_u8).prop_map(
        |(tenant, organization, name, choice)| match choice {
            0..=2 => Operation::UseExisting {
                tenant,
                organization,
                name,
            },
            3..=4 => Operation::CreateNew {
                tenant,
                organization,
            },
            5 => Operation::DontSync {
                tenant,
                organization,
            },
            _ => Operation::Undecide {
                tenant,
                organization,
            },
        },
    )
}

/// The place of the compliance organization that a company is promoted to, when nobody makes a mistake.
fn own_customer(msp: u8, name: &str) -> usize {
    let place = ["contoso", "fabrikam", "tailspin", "wingtip"]
        .iter()
        .position(|known| *known == folded(name));
    (usize::from(msp) - 1) * 4 + place.unwrap_or(0)
}

fn operator(focus: Focus) -> impl Strategy<Value = Operation> {
    let t = focus.tenant();
    prop_oneof![
        3 => t.clone().prop_map(|tenant| Operation::Connect { tenant }),
        1 => (t.clone(), t.clone()).prop_map(|(tenant, client)| Operation::ConnectWithClientOf { tenant, client }),
        2 => t.clone().prop_map(|tenant| Operation::Disconnect { tenant }),
        3 => t.prop_map(|tenant| Operation::Discover { tenant }),
        7 => decision(focus),
        2 => (focus.msp(), name()).prop_map(|(msp, name)| Operation::AddCompany { msp, name }),
        4 => (focus.msp(), name(), prop::option::weighted(0.2, 0..12_usize)).prop_map(|(msp, name, other)| {
            // Its own compliance organization, or by mistake another one's.
            let customer = other.unwrap_or_else(|| own_customer(msp, name));
            Operation::Promote { msp, name, customer }
        }),
        1 => Just(Operation::RotateKeys),
    ]
}

/// One of the last few events, or any.
fn event() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0..LATEST, 1 => LATEST..1_000]
}

fn run(focus: Focus) -> impl Strategy<Value = Operation> {
    prop_oneof![
        5 => focus.tenant().prop_map(|tenant| Operation::Sync { tenant }),
        2 => (focus.msp(), name()).prop_map(|(msp, name)| Operation::SyncCompany { msp, name }),
        5 => event().prop_map(|event| Operation::Deliver { event }),
    ]
}

fn interrupted(focus: Focus) -> impl Strategy<Value = Operation> {
    let operation = prop_oneof![3 => run(focus), 1 => operator(focus)];
    (operation, 1..24_usize, any::<bool>()).prop_map(|(operation, suspension, ends)| {
        let operation = Box::new(operation);
        Operation::Interrupted {
            operation,
            suspension,
            ends,
        }
    })
}

fn health(focus: Focus) -> impl Strategy<Value = Operation> {
    let status = [
        Status::Pass,
        Status::Warning,
        Status::Fail,
        Status::Fail,
        Status::Unknown,
    ];
    let status = prop::sample::select(status.to_vec());
    (focus.tenant(), organization(), signal(), status, 0..3_u64).prop_map(
        |(tenant, organization, signal, status, number)| Operation::Health {
            tenant,
            organization,
            signal,
            status,
            number,
        },
    )
}

fn devices(focus: Focus) -> impl Strategy<Value = Operation> {
    let (t, o, device) = (focus.tenant(), organization(), any::<usize>());
    prop_oneof![
        2 => (t.clone(), o.clone(), serial()).prop_map(|(tenant, organization, serial)| {
            Operation::AddDevice { tenant, organization, serial }
        }),
        2 => (t.clone(), device).prop_map(|(tenant, device)| Operation::RemoveDevice { tenant, device }),
        4 => (t.clone(), device, o).prop_map(|(tenant, device, organization)| {
            Operation::MoveDevice { tenant, device, organization }
        }),
        1 => (t.clone(), device).prop_map(|(tenant, device)| Operation::CloneDevice { tenant, device }),
        1 => (t.clone(), device, prop::sample::select(&HOSTS[..])).prop_map(|(tenant, device, name)| {
            Operation::RenameDevice { tenant, device, name }
        }),
        2 => (t, device, any::<Option<bool>>()).prop_map(|(tenant, device, out_of_date)| {
            Operation::SeeSignatures { tenant, device, out_of_date }
        }),
    ]
}

fn organizations(focus: Focus) -> impl Strategy<Value = Operation> {
    (focus.tenant(), organization(), name(), 0..3_u8).prop_map(
        |(tenant, organization, name, what)| match what {
            0 => Operation::RemoveOrganization {
                tenant,
                organization,
            },
            _ => Operation::AddOrganization {
                tenant,
                organization,
                name,
            },
        },
    )
}

fn elsewhere(focus: Focus) -> impl Strategy<Value = Operation> {
    let source = prop::sample::select(&Source::ALL[1..]);
    let host = prop::option::of(prop::sample::select(&HOSTS[..]));
    prop_oneof![
        4 => (focus.msp(), name(), source, serial(), host).prop_map(|(msp, name, source, serial, host)| {
            Operation::FindElsewhere { msp, name, source, serial, host }
        }),
        1 => (focus.msp(), any::<usize>()).prop_map(|(msp, asset)| Operation::LoseElsewhere { msp, asset }),
    ]
}

fn anything(focus: Focus, with_interruptions: bool) -> impl Strategy<Value = Operation> {
    let minutes = prop::sample::select(vec![1, 6, 60, 6 * 60, 6 * 60, 3 * 24 * 60, 8 * 24 * 60]);
    let rows = prop::sample::select(vec![1, 2, 50]);
    prop_oneof![
        6 => operator(focus),
        5 => run(focus),
        3 => devices(focus),
        1 => organizations(focus),
        3 => health(focus),
        2 => elsewhere(focus),
        1 => (focus.tenant(), fault()).prop_map(|(tenant, fault)| Operation::GoWrong { tenant, fault }),
        1 => focus.tenant().prop_map(|tenant| Operation::GetWell { tenant }),
        1 => Just(Operation::Plan),
        2 => (focus.msp(), rows).prop_map(|(msp, rows)| Operation::DeliverTickets { msp, rows }),
        2 => minutes.prop_map(|minutes| Operation::Pass { minutes }),
        3 => if with_interruptions { interrupted(focus).boxed() } else { run(focus).boxed() },
    ]
}

/// Some things that change, and somebody who looks.
fn looked_at(focus: Focus) -> impl Strategy<Value = Vec<Operation>> {
    let change = prop_oneof![
        4 => devices(focus),
        2 => elsewhere(focus),
        1 => organizations(focus),
        2 => (focus.tenant(), fault()).prop_map(|(tenant, fault)| Operation::GoWrong { tenant, fault }),
    ];
    (vec(change, 1..4), focus.tenant(), any::<bool>()).prop_map(|(mut operations, tenant, well)| {
        operations.push(Operation::Sync { tenant });
        operations.extend(well.then_some(Operation::GetWell { tenant }));
        operations
    })
}

/// Some verdicts that change, and the tick of a sweep: its events are planned, each is delivered, and its time passes.
fn tick(focus: Focus) -> impl Strategy<Value = Vec<Operation>> {
    let change = prop_oneof![
        6 => health(focus),
        1 => devices(focus),
        1 => (focus.tenant(), fault()).prop_map(|(tenant, fault)| Operation::GoWrong { tenant, fault }),
    ];
    (vec(change, 0..4), focus.tenant(), any::<bool>()).prop_map(|(mut operations, tenant, well)| {
        operations.push(Operation::Plan);
        operations.extend((0..LATEST).map(|event| Operation::Deliver { event }));
        operations.push(Operation::Pass { minutes: 6 * 60 });
        operations.extend(well.then_some(Operation::GetWell { tenant }));
        operations
    })
}

/// What becomes of one ticket: its signal is judged again and again.
fn a_ticket(focus: Focus) -> impl Strategy<Value = Vec<Operation>> {
    let status = prop::sample::select(vec![
        Status::Fail,
        Status::Fail,
        Status::Pass,
        Status::Pass,
        Status::Warning,
        Status::Unknown,
    ]);
    let judged = vec((status, 0..2_u64), 2..6);
    (focus.tenant(), 1..=2_i64, signal(), judged).prop_map(
        |(tenant, organization, signal, judged)| {
            let tick = |(status, number)| {
                let health = Operation::Health {
                    tenant,
                    organization,
                    signal,
                    status,
                    number,
                };
                let deliver = (0..LATEST).map(|event| Operation::Deliver { event });
                let pass = Operation::Pass { minutes: 6 * 60 };
                [health, Operation::Plan]
                    .into_iter()
                    .chain(deliver)
                    .chain([pass])
            };
            judged.into_iter().flat_map(tick).collect()
        },
    )
}

/// What becomes of one machine that several sources know: it goes to another organization, or its organization does.
fn a_machine(focus: Focus) -> impl Strategy<Value = Vec<Operation>> {
    let sources = vec(prop::sample::select(&Source::ALL[1..]), 1..3);
    let machine = (
        focus.tenant(),
        1..=2_i64,
        prop::sample::select(&SERIALS[..]),
        sources,
    );
    let after = prop_oneof![
        3 => (1..=3_i64).prop_map(Some),
        1 => Just(None),
    ];
    (machine, after, decision(focus)).prop_map(
        |((tenant, organization, serial, sources), after, decision)| {
            let (serial, device) = (Some(serial), LAST);
            let (msp, name) = (tenant.msp(), name_in_the_beginning(tenant, organization));
            let mut operations = vec![Operation::AddDevice {
                tenant,
                organization,
                serial,
            }];
            operations.extend(sources.into_iter().map(|source| Operation::FindElsewhere {
                msp,
                name,
                source,
                serial,
                host: None,
            }));
            operations.push(Operation::Sync { tenant });
            operations.push(match after {
                Some(organization) => Operation::MoveDevice {
                    tenant,
                    device,
                    organization,
                },
                None => decision,
            });
            operations.push(Operation::Sync { tenant });
            operations
        },
    )
}

/// Devices whose signatures are seen out of date, and what lets go of that.
fn signatures(focus: Focus) -> impl Strategy<Value = Vec<Operation>> {
    let seen = (focus.tenant(), 0..4_usize, any::<bool>());
    let seen = seen.prop_map(|(tenant, device, old)| Operation::SeeSignatures {
        tenant,
        device,
        out_of_date: Some(old),
    });
    (vec(seen, 2..4), operator(focus)).prop_map(|(mut operations, then)| {
        operations.push(Operation::Plan);
        operations.extend((0..LATEST).map(|event| Operation::Deliver { event }));
        operations.push(then);
        operations
    })
}

/// A tenant that is connected, mapped and promoted.
fn settled(tenant: Tenant) -> Vec<Operation> {
    let mut operations = vec![
        Operation::Connect { tenant },
        Operation::Discover { tenant },
    ];
    operations.extend((1..=3).map(|organization| Operation::CreateNew {
        tenant,
        organization,
    }));
    let msp = tenant.msp();
    let promote = |name: &'static str| {
        let customer = own_customer(msp, name);
        Operation::Promote {
            msp,
            name,
            customer,
        }
    };
    operations.extend(["Contoso", "Fabrikam", "Tailspin"].map(promote));
    operations.push(Operation::Sync { tenant });
    operations
}

/// A history: of some tenants that are settled already, or of none.
pub(crate) fn histories(with_interruptions: bool) -> impl Strategy<Value = Vec<Operation>> {
    let focus = prop::sample::select(vec![
        Focus([Tenant(1), Tenant(0)]),
        Focus([Tenant(1), Tenant(2)]),
        Focus([Tenant(2), Tenant(3)]),
        Focus([Tenant(0), Tenant(3)]),
    ]);
    (focus, 0..4_usize).prop_flat_map(move |(focus, begun)| {
        let part = prop_oneof![
            12 => anything(focus, with_interruptions).prop_map(|operation| vec![operation]),
            4 => looked_at(focus),
            3 => tick(focus),
            2 => a_ticket(focus),
            2 => a_machine(focus),
            1 => signatures(focus),
        ];
        let begun: Vec<_> = focus.0.into_iter().take(begun).flat_map(settled).collect();
        vec(part, 2..12).prop_map(move |parts| {
            let parts = parts.into_iter().flatten();
            begun.clone().into_iter().chain(parts).collect()
        })
    })
}
