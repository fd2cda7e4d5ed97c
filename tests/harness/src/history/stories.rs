//! What happens together: short stories, and the histories that are made of them.

use proptest::{collection::vec, prelude::*};
use regentra_sync::{
    model::{Source, SweepStrategy},
    regentra_evidence::{SignalKind, Status},
};

use crate::history::{
    step::{
        Focus, HistoryStep, LATEST, anything, decision, devices, elsewhere, event, fault, health,
        held_up, name, operator, organizations, own_customer, signal, skew,
    },
    truth::{Fault, HOSTS, LAST, SERIALS, Tenant, name_in_the_beginning},
};

fn delivered() -> impl Iterator<Item = HistoryStep> {
    (0..LATEST).map(|event| HistoryStep::Deliver { event })
}

/// The tick of a sweep: its events are planned, each is delivered, and its time passes.
fn swept() -> Vec<HistoryStep> {
    let mut operations = vec![HistoryStep::Plan];
    operations.extend(delivered());
    operations.push(HistoryStep::Pass { minutes: 6 * 60 });
    operations
}

/// Some things that change, and a run that looks.
fn looked_at(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let change = prop_oneof![
        4 => devices(focus),
        2 => elsewhere(focus),
        1 => organizations(focus),
        2 => (focus.tenant(), fault()).prop_map(|(tenant, fault)| HistoryStep::GoWrong { tenant, fault }),
    ];
    (vec(change, 1..4), focus.tenant(), any::<bool>()).prop_map(|(mut operations, tenant, well)| {
        operations.push(HistoryStep::Sync { tenant });
        operations.extend(well.then_some(HistoryStep::GetWell { tenant }));
        operations
    })
}

/// Some verdicts that change, and the tick of a sweep: its events are planned, each is delivered, and its time passes.
fn tick(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let change = prop_oneof![
        6 => health(focus),
        1 => devices(focus),
        1 => (focus.tenant(), fault()).prop_map(|(tenant, fault)| HistoryStep::GoWrong { tenant, fault }),
    ];
    (vec(change, 0..4), focus.tenant(), any::<bool>()).prop_map(|(mut operations, tenant, well)| {
        operations.extend(swept());
        operations.extend(well.then_some(HistoryStep::GetWell { tenant }));
        operations
    })
}

/// What becomes of one ticket: its signal is judged again and again.
fn a_ticket(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let status = prop::sample::select(vec![
        Status::Fail,
        Status::Fail,
        Status::Pass,
        Status::Pass,
        Status::Warning,
        Status::Unknown,
    ]);
    let judged = vec((status, 0..2_u64, prop::bool::weighted(0.2)), 2..6);
    (focus.tenant(), 1..=2_i64, signal(), judged).prop_map(
        |(tenant, organization, signal, judged)| {
            let tick = |(status, number, spoilt): (_, _, bool)| {
                let health = HistoryStep::Health {
                    tenant,
                    organization,
                    signal,
                    status,
                    number,
                };
                let fault = Fault::DevicesMalformed(organization);
                let spoil = spoilt.then_some(HistoryStep::GoWrong { tenant, fault });
                let well = spoilt.then_some(HistoryStep::GetWell { tenant });
                let mut tick = vec![health];
                tick.extend(spoil);
                tick.extend(swept());
                tick.extend(well);
                tick
            };
            judged.into_iter().flat_map(tick).collect()
        },
    )
}

/// What becomes of one machine that several sources know: it goes to another organization, or its organization does.
fn a_machine(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let sources = vec(prop::sample::select(&Source::ALL[1..]), 1..3);
    let machine = (
        focus.tenant(),
        1..=2_i64,
        prop::sample::select(&SERIALS[..]),
        sources,
        any::<bool>(),
        prop::bool::weighted(0.3),
    );
    let after = prop_oneof![
        3 => (1..=3_i64).prop_map(Some),
        1 => Just(None),
    ];
    (machine, after, decision(focus)).prop_map(
        |((tenant, organization, serial, sources, named, cloned), after, decision)| {
            let (serial, device) = (Some(serial), LAST);
            let (msp, name) = (tenant.msp(), name_in_the_beginning(tenant, organization));
            let mut operations = vec![HistoryStep::AddDevice {
                tenant,
                organization,
                serial,
            }];
            operations.extend(cloned.then_some(HistoryStep::CloneDevice { tenant, device }));
            operations.extend(named.then_some(HistoryStep::RenameDevice {
                tenant,
                device,
                name: HOSTS[0],
            }));
            operations.extend(
                sources
                    .into_iter()
                    .map(|source| HistoryStep::FindElsewhere {
                        msp,
                        name,
                        source,
                        serial,
                        host: named.then_some(HOSTS[1]),
                    }),
            );
            operations.push(HistoryStep::Sync { tenant });
            operations.push(match after {
                Some(organization) => HistoryStep::MoveDevice {
                    tenant,
                    device,
                    organization,
                },
                None => decision,
            });
            operations.push(HistoryStep::Sync { tenant });
            operations
        },
    )
}

/// Devices whose signatures are seen out of date, and what ends that.
fn signatures(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let seen = (focus.tenant(), 0..4_usize, any::<bool>());
    let seen = seen.prop_map(|(tenant, device, old)| HistoryStep::SeeSignatures {
        tenant,
        device,
        out_of_date: Some(old),
    });
    (vec(seen, 2..4), operator(focus)).prop_map(|(mut operations, then)| {
        operations.push(HistoryStep::Plan);
        operations.extend(delivered());
        operations.push(then);
        operations
    })
}

/// More fails than a tick opens tickets for, and a sweep that comes when the digest of its tick is delivered already.
fn a_late_sweep(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let first = (focus.tenant(), 0..3_usize, 1..3_usize);
    first.prop_map(|(tenant, first, signals)| {
        let fail = |organization| {
            let signals = SignalKind::ALL.into_iter().take(signals + 2);
            signals.map(move |signal| HistoryStep::Health {
                tenant,
                organization,
                signal,
                status: Status::Fail,
                number: 0,
            })
        };
        let mut operations = swept();
        operations.extend((1..=3).flat_map(fail));
        operations.push(HistoryStep::Plan);
        operations.push(HistoryStep::Deliver { event: first });
        operations.push(HistoryStep::Pass { minutes: 6 * 60 });
        let (msp, rows) = (tenant.msp(), 50);
        let deliver = HistoryStep::DeliverTickets { msp, rows };
        operations.push(deliver.clone());
        operations.extend(delivered());
        operations.push(deliver);
        operations
    })
}

/// An event that was planned before it was decided again whose organization it is.
fn decided_again(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let decided = (focus.tenant(), 1..=3_i64, name());
    decided.prop_map(|(tenant, organization, name)| {
        let mut operations = vec![
            HistoryStep::Plan,
            HistoryStep::Undecide {
                tenant,
                organization,
            },
            HistoryStep::UseExisting {
                tenant,
                organization,
                name,
            },
        ];
        operations.extend(delivered());
        operations
    })
}

/// A person promotes a company to what belongs to another one.
fn promoted_by_mistake(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    (focus.msp(), focus.msp(), name()).prop_map(|(msp, other, of)| {
        let (name, customer) = ("Wingtip", own_customer(other, of));
        let promote = HistoryStep::Promote {
            msp,
            name,
            customer,
        };
        vec![HistoryStep::AddCompany { msp, name }, promote]
    })
}

/// The sweeps of a tick of which one is held up, or a sync that is, and a run that looks again afterwards.
fn a_race(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let sweep = |_| {
        event()
            .prop_map(|event| HistoryStep::Deliver { event })
            .boxed()
    };
    let sync = |tenant| Just(HistoryStep::Sync { tenant }).boxed();
    let discover = |tenant| Just(HistoryStep::Discover { tenant }).boxed();
    let of_a_tick = (vec(health(focus), 0..4), held_up(focus, sweep));
    let of_a_tick = of_a_tick.prop_map(|(mut operations, held_up)| {
        operations.extend([HistoryStep::Plan, held_up]);
        operations.extend(delivered());
        operations.push(HistoryStep::Pass { minutes: 6 * 60 });
        operations
    });
    let of_assets = (
        vec(devices(focus), 0..3),
        held_up(focus, sync),
        focus.tenant(),
    );
    let of_assets = of_assets.prop_map(|(mut operations, held_up, tenant)| {
        operations.extend([held_up, HistoryStep::Sync { tenant }]);
        operations
    });
    let of_organizations = (organizations(focus), held_up(focus, discover));
    let of_organizations = of_organizations.prop_map(|(change, held_up)| vec![change, held_up]);
    prop_oneof![4 => of_a_tick, 3 => of_assets, 1 => of_organizations]
}

/// A tick that is swept by processes whose clock is wrong, and once more when it is right.
fn by_a_wrong_clock(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    (vec(health(focus), 0..3), skew(), 0..3_usize).prop_map(|(changes, minutes, sweeps)| {
        let mut operations = vec![HistoryStep::Skew { minutes }, HistoryStep::Plan];
        operations.extend(delivered().take(sweeps));
        operations.extend(changes);
        operations.push(HistoryStep::Skew { minutes: 0 });
        operations.extend(swept());
        operations
    })
}

/// Everything runs ahead for a while, and is set right.
fn ahead(focus: Focus) -> impl Strategy<Value = Vec<HistoryStep>> {
    let changes = || vec(health(focus), 0..3);
    let minutes = prop::sample::select(vec![10, 6 * 60, 20 * 24 * 60]);
    (changes(), minutes, changes()).prop_map(|(before, minutes, after)| {
        let mut operations = before;
        operations.push(HistoryStep::Pass { minutes });
        operations.extend(swept());
        let minutes = minutes + 6 * 60;
        operations.push(HistoryStep::SetBack { minutes });
        operations.extend(after);
        operations.extend(swept());
        operations
    })
}

/// A tenant that is connected, mapped and promoted.
fn settled(tenant: Tenant) -> Vec<HistoryStep> {
    let mut operations = vec![
        HistoryStep::Connect { tenant },
        HistoryStep::Discover { tenant },
    ];
    operations.extend((1..=3).map(|organization| HistoryStep::CreateNew {
        tenant,
        organization,
    }));
    let msp = tenant.msp();
    let promote = |name: &'static str| {
        let customer = own_customer(msp, name);
        HistoryStep::Promote {
            msp,
            name,
            customer,
        }
    };
    operations.extend(["Contoso", "Fabrikam", "Tailspin"].map(promote));
    operations.push(HistoryStep::Sync { tenant });
    operations
}

/// What is delivered one after the other is delivered in one pass before: what it swept is committed then, and what is of another
/// connection is not.
fn swept_together(operations: Vec<HistoryStep>) -> Vec<HistoryStep> {
    let mut together = Vec::with_capacity(operations.len() + 1);
    let mut operations = operations.into_iter().peekable();
    while let Some(operation) = operations.next() {
        let HistoryStep::Deliver { event } = operation else {
            together.push(operation);
            continue;
        };
        let mut events = vec![event];
        while let Some(HistoryStep::Deliver { event }) =
            operations.next_if(|next| matches!(next, HistoryStep::Deliver { .. }))
        {
            events.push(event);
        }
        together.push(HistoryStep::DeliverTogether {
            events: events.clone(),
            strategy: if events.len() % 2 == 0 {
                SweepStrategy::WholeTenant
            } else {
                SweepStrategy::Group
            },
        });
        let alone = events.into_iter();
        together.extend(alone.map(|event| HistoryStep::Deliver { event }));
    }
    together
}

/// A history: of some tenants that are settled already and perhaps were swept, or of none.
pub fn histories(
    in_memory: bool,
    with_interruptions: bool,
) -> impl Strategy<Value = Vec<HistoryStep>> {
    let focus = prop::sample::select(vec![
        Focus([Tenant(1), Tenant(0)]),
        Focus([Tenant(1), Tenant(2)]),
        Focus([Tenant(2), Tenant(3)]),
        Focus([Tenant(0), Tenant(3)]),
    ]);
    (focus, 0..4_usize, any::<bool>()).prop_flat_map(move |(focus, begun, is_swept)| {
        let race = if in_memory {
            a_race(focus).boxed()
        } else {
            looked_at(focus).boxed()
        };
        let part = prop_oneof![
            24 => anything(focus, with_interruptions).prop_map(|operation| vec![operation]),
            8 => looked_at(focus),
            6 => tick(focus),
            6 => race,
            4 => a_ticket(focus),
            4 => a_machine(focus),
            2 => signatures(focus),
            1 => a_late_sweep(focus),
            1 => decided_again(focus),
            1 => promoted_by_mistake(focus),
            2 => by_a_wrong_clock(focus),
            2 => ahead(focus),
        ];
        let mut begun: Vec<_> = focus.0.into_iter().take(begun).flat_map(settled).collect();
        if is_swept && !begun.is_empty() {
            begun.extend(swept());
        }
        let part = (part, prop::bool::weighted(0.4));
        let part = part.prop_map(|(part, is_together)| {
            if is_together {
                swept_together(part)
            } else {
                part
            }
        });
        vec(part, 2..12).prop_map(move |parts| {
            let parts = parts.into_iter().flatten();
            begun.clone().into_iter().chain(parts).collect()
        })
    })
}
