//! What can happen, in any order. Operands are chosen from what there is, whatever number they are, so that a history stays one
//! when parts of it are left out.

use proptest::{collection::vec, prelude::*};
use regentra_sync::{
    asset::Source,
    regentra_evidence::{SignalKind, Status},
};

use crate::truth::{Fault, HOSTS, NAMES, ORGANIZATIONS, SERIALS, Tenant};

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

fn tenant() -> impl Strategy<Value = Tenant> + Clone {
    prop::sample::select(&Tenant::ALL[..])
}

fn organization() -> impl Strategy<Value = i64> + Clone {
    // Most of what happens happens to few.
    prop_oneof![3 => 1..=3_i64, 1 => ORGANIZATIONS]
}

fn name() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(&NAMES[..])
}

fn serial() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(&SERIALS[..]))
}

fn msp() -> impl Strategy<Value = u8> + Clone {
    1..=3_u8
}

fn signal() -> impl Strategy<Value = SignalKind> + Clone {
    prop::sample::select(&SignalKind::ALL[..])
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

fn decision() -> impl Strategy<Value = Operation> {
    let (t, o) = (tenant(), organization());
    prop_oneof![
        3 => (t.clone(), o.clone(), name()).prop_map(|(tenant, organization, name)| {
            Operation::UseExisting { tenant, organization, name }
        }),
        2 => (t.clone(), o.clone()).prop_map(|(tenant, organization)| Operation::CreateNew { tenant, organization }),
        1 => (t.clone(), o.clone()).prop_map(|(tenant, organization)| Operation::DontSync { tenant, organization }),
        2 => (t, o).prop_map(|(tenant, organization)| Operation::Undecide { tenant, organization }),
    ]
}

fn operator() -> impl Strategy<Value = Operation> {
    let t = tenant();
    prop_oneof![
        3 => t.clone().prop_map(|tenant| Operation::Connect { tenant }),
        1 => (t.clone(), t.clone()).prop_map(|(tenant, client)| Operation::ConnectWithClientOf { tenant, client }),
        2 => t.clone().prop_map(|tenant| Operation::Disconnect { tenant }),
        3 => t.prop_map(|tenant| Operation::Discover { tenant }),
        7 => decision(),
        2 => (msp(), name()).prop_map(|(msp, name)| Operation::AddCompany { msp, name }),
        4 => (msp(), name(), prop::option::weighted(0.2, 0..12_usize)).prop_map(|(msp, name, other)| {
            // Its own compliance organization, or by mistake another one's.
            let own = (usize::from(msp) - 1) * 4 + NAMES.iter().position(|known| *known == name).unwrap_or(0) % 4;
            Operation::Promote { msp, name, customer: other.unwrap_or(own) }
        }),
        1 => Just(Operation::RotateKeys),
    ]
}

fn run() -> impl Strategy<Value = Operation> {
    prop_oneof![
        5 => tenant().prop_map(|tenant| Operation::Sync { tenant }),
        2 => (msp(), name()).prop_map(|(msp, name)| Operation::SyncCompany { msp, name }),
        10 => any::<usize>().prop_map(|event| Operation::Deliver { event }),
    ]
}

fn interrupted() -> impl Strategy<Value = Operation> {
    let operation = prop_oneof![3 => run(), 1 => operator()];
    (operation, 1..24_usize, any::<bool>()).prop_map(|(operation, suspension, ends)| {
        let operation = Box::new(operation);
        Operation::Interrupted {
            operation,
            suspension,
            ends,
        }
    })
}

fn in_ninjaone() -> impl Strategy<Value = Operation> {
    let (t, o) = (tenant(), organization());
    let status = prop::sample::select(
        &[
            Status::Pass,
            Status::Warning,
            Status::Fail,
            Status::Fail,
            Status::Unknown,
        ][..],
    );
    let device = any::<usize>();
    prop_oneof![
        2 => (t.clone(), o.clone(), name()).prop_map(|(tenant, organization, name)| {
            Operation::AddOrganization { tenant, organization, name }
        }),
        1 => (t.clone(), o.clone()).prop_map(|(tenant, organization)| Operation::RemoveOrganization { tenant, organization }),
        2 => (t.clone(), o.clone(), serial()).prop_map(|(tenant, organization, serial)| {
            Operation::AddDevice { tenant, organization, serial }
        }),
        2 => (t.clone(), device).prop_map(|(tenant, device)| Operation::RemoveDevice { tenant, device }),
        4 => (t.clone(), device, o.clone()).prop_map(|(tenant, device, organization)| {
            Operation::MoveDevice { tenant, device, organization }
        }),
        1 => (t.clone(), device).prop_map(|(tenant, device)| Operation::CloneDevice { tenant, device }),
        1 => (t.clone(), device, prop::sample::select(&HOSTS[..])).prop_map(|(tenant, device, name)| {
            Operation::RenameDevice { tenant, device, name }
        }),
        2 => (t.clone(), device, any::<Option<bool>>()).prop_map(|(tenant, device, out_of_date)| {
            Operation::SeeSignatures { tenant, device, out_of_date }
        }),
        6 => (t.clone(), o, signal(), status, 0..3_u64).prop_map(|(tenant, organization, signal, status, number)| {
            Operation::Health { tenant, organization, signal, status, number }
        }),
        3 => (t.clone(), fault()).prop_map(|(tenant, fault)| Operation::GoWrong { tenant, fault }),
        2 => t.prop_map(|tenant| Operation::GetWell { tenant }),
    ]
}

fn elsewhere() -> impl Strategy<Value = Operation> {
    let source = prop::sample::select(&Source::ALL[1..]);
    let host = prop::option::of(prop::sample::select(&HOSTS[..]));
    prop_oneof![
        3 => (msp(), name(), source, serial(), host).prop_map(|(msp, name, source, serial, host)| {
            Operation::FindElsewhere { msp, name, source, serial, host }
        }),
        1 => (msp(), any::<usize>()).prop_map(|(msp, asset)| Operation::LoseElsewhere { msp, asset }),
    ]
}

fn anything(with_interruptions: bool) -> BoxedStrategy<Operation> {
    let minutes =
        prop::sample::select(&[1, 6, 60, 6 * 60, 6 * 60, 6 * 60, 3 * 24 * 60, 8 * 24 * 60][..]);
    let rows = prop::sample::select(&[1, 2, 50][..]);
    prop_oneof![
        6 => operator(),
        7 => run(),
        9 => in_ninjaone(),
        2 => elsewhere(),
        5 => Just(Operation::Plan),
        2 => (msp(), rows).prop_map(|(msp, rows)| Operation::DeliverTickets { msp, rows }),
        3 => minutes.prop_map(|minutes| Operation::Pass { minutes }),
        if with_interruptions { 3 } else { 0 } => interrupted(),
    ]
    .boxed()
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
    let own = (usize::from(tenant.msp()) - 1) * 4;
    let promote = |(place, name): (usize, &&'static str)| Operation::Promote {
        msp: tenant.msp(),
        name,
        customer: own + place,
    };
    let names = NAMES
        .iter()
        .filter(|name| name.trim() == **name && **name != "FABRIKAM");
    operations.extend(names.enumerate().map(promote));
    operations.push(Operation::Sync { tenant });
    operations
}

/// The tick of a sweep: its events are planned, each is delivered, and its time passes.
fn tick() -> Vec<Operation> {
    let mut operations = vec![Operation::Plan];
    operations.extend((0..6).map(|event| Operation::Deliver {
        event: usize::MAX - event,
    }));
    operations.push(Operation::Pass { minutes: 6 * 60 });
    operations
}

/// A history: of some tenants that are settled already, or of none.
pub(crate) fn histories(with_interruptions: bool) -> impl Strategy<Value = Vec<Operation>> {
    let begun = prop::sample::subsequence(Tenant::ALL.to_vec(), 0..=3);
    let part = prop_oneof![
        8 => anything(with_interruptions).prop_map(|operation| vec![operation]),
        1 => Just(tick()),
    ];
    let begun = begun.prop_map(|tenants| tenants.into_iter().flat_map(settled).collect::<Vec<_>>());
    (begun, vec(part, 4..40)).prop_map(|(mut begun, parts)| {
        begun.extend(parts.into_iter().flatten());
        begun
    })
}
