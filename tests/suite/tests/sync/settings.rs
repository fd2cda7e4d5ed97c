//! Settings belong to one connection, and adopted frameworks to one company: who changes them, what they change, and what they leave.

use std::collections::BTreeSet;

use regentra_evidence::{Framework, KindsInUse, SignalKind, Status, crosswalk};
use regentra_sync::{
    AdoptFrameworks, Change, Configure, Configured, Connect, Disconnect, ErrorKind, Result,
    SweepOutcome,
    host::HostPolicy,
    model::{
        Actor, AdoptedFrameworks, AuditAction, AuditDetails, ChangedSetting, CompanyId,
        ConnectionSettings, CredentialId, CustomFieldName, CustomFieldSource, CustomFields,
        EntraDeviceIdField, EventId, MOST_CUSTOM_FIELDS, MspOrgId, Question, RegionKey,
        StoredSettings, Version,
    },
    store::{CommitOutcome, FrameworksCommit, Precondition, SettingsCommit},
};
use serde_json::json;
use uuid::Uuid;

use crate::host::{Host, operator, us};

on_every_store!(
    settings_are_in_force_from_the_next_sync_and_sweep_on,
    what_a_connection_does_not_settle_is_the_policys,
    settings_of_one_connection_are_not_anothers,
    settings_stay_through_a_disconnect_and_a_reconnect,
    settings_that_change_while_a_sweep_runs_are_what_it_is_judged_by,
    settings_that_change_all_the_time_let_nothing_be_written,
    settings_that_change_while_assets_are_listed_let_nothing_be_written,
    of_two_operators_the_second_hears_that_the_first_changed_the_settings,
    a_change_of_settings_that_is_delivered_twice_is_made_once,
    a_region_that_was_never_connected_has_no_settings,
    settings_that_no_connection_may_have_are_refused_and_nothing_is_stored,
    the_audit_trail_names_settings_and_fields_and_no_value,
    what_a_later_release_stored_survives_a_change_and_stops_work_where_it_may_mislead,
    adopted_frameworks_decide_which_requirements_are_shown,
    a_signal_that_fails_cannot_be_hidden_by_adopting_other_frameworks,
    adopted_frameworks_are_changed_once_by_one_operator_and_audited,
    a_framework_of_a_later_release_survives_a_decision,
);

fn source(field: &str) -> CustomFieldSource {
    CustomFieldSource::new(field, ["secret yes"], ["secret no"]).unwrap()
}

fn fields(names: &[&str]) -> CustomFields {
    let fields = names.iter().map(|name| source(name));
    fields.fold(CustomFields::default(), |fields, source| {
        fields.answer(Question::DiskEncrypted, source)
    })
}

fn entra(name: &str) -> Change<EntraDeviceIdField> {
    let name = CustomFieldName::new(name).unwrap();
    Change::To(EntraDeviceIdField::Named(name))
}

impl Host {
    fn configuring(&self) -> Configure {
        Configure::new(self.event(), us(), operator())
    }

    async fn configure(&self, request: Configure) -> Result<Configured> {
        self.integration.configure(self.msp, request).await
    }

    /// Reads these custom fields from now on.
    async fn read_fields(&self, names: &[&str]) {
        let request = Configure {
            custom_fields: Change::To(fields(names)),
            ..self.configuring()
        };
        assert!(self.configure(request).await.unwrap().changed);
    }

    fn asked_fields(&self) -> Vec<(&'static str, i64, Vec<String>)> {
        std::mem::take(&mut self.ninjaone.script().fields_asked)
    }

    async fn stored_settings(&self) -> StoredSettings {
        let credential = CredentialId::of(self.msp, &us());
        let stored = self.store.connection_settings(self.msp, credential).await;
        stored.unwrap().unwrap()
    }
}

fn asked(what: &'static str, fields: &[&str]) -> (&'static str, i64, Vec<String>) {
    let fields = fields.iter().map(|field| (*field).to_owned());
    (what, 1, fields.collect())
}

async fn settings_are_in_force_from_the_next_sync_and_sweep_on(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.sync().await;
    host.sweep_one().await;
    assert_eq!(
        host.asked_fields(),
        [asked("devices", &[]), asked("assess", &[])]
    );
    let request = Configure {
        custom_fields: Change::To(fields(&["filevault"])),
        entra_device_id_field: entra("entraId"),
        ..host.configuring()
    };
    host.configure(request).await.unwrap();
    host.sync().await;
    host.sweep_one().await;
    let with = [
        asked("devices", &["entraId"]),
        asked("assess", &["filevault"]),
    ];
    assert_eq!(host.asked_fields(), with);
}

async fn what_a_connection_does_not_settle_is_the_policys(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let policy = HostPolicy::default()
        .custom_fields(fields(&["ofPolicy"]))
        .entra_device_id_field(CustomFieldName::new("entraOfPolicy").unwrap())
        .kinds_in_use(KindsInUse::Os);
    let integration = host.with_policy(policy);
    let applied = async || {
        let views = integration.views();
        let settings = views.connection_settings(host.msp, &us()).await.unwrap();
        let applied = settings.applied.unwrap();
        let names: Vec<_> = applied.custom_fields.names();
        let names = names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let entra = applied.entra_device_id_field.map(String::from);
        (names, entra, applied.kinds_in_use)
    };
    let of_policy = || {
        let fields = vec!["ofPolicy".to_owned()];
        (fields, Some("entraOfPolicy".to_owned()), KindsInUse::Os)
    };
    assert_eq!(applied().await, of_policy());
    for event in host.sweep_events().await {
        integration.sweep(&event).await.unwrap();
    }
    assert_eq!(host.asked_fields(), [asked("assess", &["ofPolicy"])]);

    // None at all is not the same as nothing settled.
    let request = Configure {
        custom_fields: Change::To(CustomFields::default()),
        entra_device_id_field: Change::To(EntraDeviceIdField::NotRead),
        kinds_in_use: Change::To(KindsInUse::Both),
        ..host.configuring()
    };
    integration.configure(host.msp, request).await.unwrap();
    assert_eq!(applied().await, (vec![], None, KindsInUse::Both));
    let request = Configure {
        custom_fields: Change::ByPolicy,
        entra_device_id_field: Change::ByPolicy,
        kinds_in_use: Change::ByPolicy,
        ..host.configuring()
    };
    integration.configure(host.msp, request).await.unwrap();
    assert_eq!(applied().await, of_policy());
}

async fn settings_of_one_connection_are_not_anothers(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    let (eu, other) = (
        RegionKey::parse("eu").unwrap(),
        MspOrgId::from_uuid(Uuid::from_u128(2)),
    );
    let connect = |region: &RegionKey, client: &str| Connect {
        region: region.clone(),
        client_id: client.into(),
        ..host.connecting()
    };
    let integration = &host.integration;
    let connected = integration.connect(host.msp, connect(&eu, "eu client"));
    connected.await.unwrap();
    let connected = integration.connect(other, connect(&us(), "other client"));
    connected.await.unwrap();
    host.read_fields(&["filevault"]).await;
    let views = integration.views();
    let region = us();
    let own = async |msp, region| {
        let settings = views.connection_settings(msp, region).await.unwrap();
        settings.own.custom_fields
    };
    assert_eq!(own(host.msp, &region).await, Some(fields(&["filevault"])));
    assert_eq!(own(host.msp, &eu).await, None);
    assert_eq!(own(other, &region).await, None);
    // The other way round, too.
    let request = Configure {
        custom_fields: Change::To(fields(&["theirs"])),
        ..host.configuring()
    };
    integration.configure(other, request).await.unwrap();
    assert_eq!(own(host.msp, &region).await, Some(fields(&["filevault"])));
    host.sweep_one().await;
    assert_eq!(host.asked_fields(), [asked("assess", &["filevault"])]);
}

async fn settings_stay_through_a_disconnect_and_a_reconnect(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.read_fields(&["filevault"]).await;
    let stored = host.stored_settings().await;
    let request = Disconnect {
        region: us(),
        actor: operator(),
        event: host.event(),
    };
    let disconnect = host.integration.disconnect(host.msp, request);
    disconnect.await.unwrap();
    assert_eq!(host.stored_settings().await, stored);
    host.connect().await;
    assert_eq!(host.stored_settings().await, stored);
    host.asked_fields();
    host.sweep_one().await;
    assert_eq!(host.asked_fields(), [asked("assess", &["filevault"])]);
}

/// A setting that takes for yes what means no is put right while a sweep runs by the wrong one: the wrong verdict never lands.
async fn settings_that_change_while_a_sweep_runs_are_what_it_is_judged_by(host: Host) {
    host.promoted(&[(1, "Alpha")]).await;
    host.read_fields(&["wrong"]).await;
    let (integration, msp) = (host.another_process(), host.msp);
    let request = Configure {
        custom_fields: Change::To(fields(&["right"])),
        ..host.configuring()
    };
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            integration.configure(msp, request).await.unwrap();
        })
    }));
    host.sweep_one().await;
    assert_eq!(
        host.asked_fields(),
        [asked("assess", &["wrong"]), asked("assess", &["right"])]
    );
}

/// Has the settings changed once more when NinjaOne is asked next.
fn change_again(host: &Host, number: u32) {
    let (integration, msp) = (host.another_process(), host.msp);
    let request = Configure {
        custom_fields: Change::To(fields(&[&format!("field{number}")])),
        ..host.configuring()
    };
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            integration.configure(msp, request).await.unwrap();
        })
    }));
}

async fn settings_that_change_all_the_time_let_nothing_be_written(host: Host) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let event = host.sweep_events().await.remove(0);
    let sweeping = host.integration.sweep(&event);
    let mut sweeping = std::pin::pin!(sweeping);
    let mut number = 0;
    let swept = std::future::poll_fn(|context| {
        if host.ninjaone.script().meanwhile.is_none() {
            number += 1;
            change_again(&host, number);
        }
        sweeping.as_mut().poll(context)
    })
    .await;
    assert_eq!(
        swept.unwrap(),
        SweepOutcome::Superseded(Precondition::Settings)
    );
    let current = host.integration.views().current_signals(customers[0]).await;
    assert_eq!(current.unwrap(), []);
    // The event can be delivered again.
    host.ninjaone.script().meanwhile = None;
    let swept = host.integration.sweep(&event).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
}

async fn settings_that_change_while_assets_are_listed_let_nothing_be_written(host: Host) {
    host.mapped(&[(1, "Alpha")]).await;
    let devices = vec![crate::scripted::device(7, "PC-7")];
    host.ninjaone.script().devices.insert(1, devices);
    let (integration, msp) = (host.another_process(), host.msp);
    let request = Configure {
        entra_device_id_field: entra("entraId"),
        ..host.configuring()
    };
    host.ninjaone.script().meanwhile = Some(Box::new(move || {
        Box::pin(async move {
            integration.configure(msp, request).await.unwrap();
        })
    }));
    let synced = host.sync_one().await;
    assert_eq!(synced, regentra_sync::SyncOutcome::Superseded);
    assert_eq!(host.assets().await, []);
    host.sync_one().await;
    assert_eq!(host.assets().await.len(), 1);
}

async fn of_two_operators_the_second_hears_that_the_first_changed_the_settings(host: Host) {
    host.connect().await;
    let shown = host.stored_settings().await.version;
    let change = |field: &str| Configure {
        expected: Some(shown),
        custom_fields: Change::To(fields(&[field])),
        ..host.configuring()
    };
    let first = host.configure(change("first")).await.unwrap();
    assert!(first.changed);
    let second = host.configure(change("second")).await.unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Conflict);
    assert_eq!(host.stored_settings().await, first.settings);
    // Who says the same, or names no version, or changes what is shown now, is heard.
    assert!(!host.configure(change("first")).await.unwrap().changed);
    let blind = Configure {
        expected: None,
        ..change("blind")
    };
    assert!(host.configure(blind).await.unwrap().changed);
    let informed = Configure {
        expected: Some(host.stored_settings().await.version),
        ..change("informed")
    };
    assert!(host.configure(informed).await.unwrap().changed);
    // Two at once that change different settings are both heard.
    let (fields_too, entra_too) = (
        Configure {
            kinds_in_use: Change::To(KindsInUse::Os),
            ..host.configuring()
        },
        Configure {
            entra_device_id_field: entra("entraId"),
            ..host.configuring()
        },
    );
    let (one, two) = tokio::join!(host.configure(fields_too), host.configure(entra_too));
    assert!(one.unwrap().changed && two.unwrap().changed);
    let stored = host.stored_settings().await.settings;
    assert!(stored.kinds_in_use.is_some() && stored.entra_device_id_field.is_some());
}

async fn a_change_of_settings_that_is_delivered_twice_is_made_once(host: Host) {
    host.connect().await;
    let request = Configure {
        expected: Some(Version::FIRST),
        custom_fields: Change::To(fields(&["once"])),
        ..host.configuring()
    };
    assert!(host.configure(request.clone()).await.unwrap().changed);
    host.read_fields(&["later"]).await;
    let again = host.configure(request).await.unwrap();
    assert!(!again.changed);
    assert_eq!(
        again.settings.settings.custom_fields,
        Some(fields(&["later"]))
    );
    assert_eq!(host.stored_settings().await, again.settings);
    assert_eq!(
        host.msp_audit(AuditAction::NinjaoneConfigured).await.len(),
        2
    );
}

async fn a_region_that_was_never_connected_has_no_settings(host: Host) {
    let request = Configure {
        kinds_in_use: Change::To(KindsInUse::Os),
        ..host.configuring()
    };
    let refused = host.configure(request).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotConnected);
    let views = host.integration.views();
    let refused = views
        .connection_settings(host.msp, &us())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotConnected);
}

async fn settings_that_no_connection_may_have_are_refused_and_nothing_is_stored(host: Host) {
    host.connect().await;
    let before = host.stored_settings().await;
    let many: Vec<_> = (0..=MOST_CUSTOM_FIELDS)
        .map(|number| format!("field{number}"))
        .collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for (wrong, message) in [
        (fields(&many), "at most 20 custom fields"),
        (fields(&["twice", "twice"]), "`twice` is named twice"),
    ] {
        let request = Configure {
            custom_fields: Change::To(wrong),
            kinds_in_use: Change::To(KindsInUse::Os),
            ..host.configuring()
        };
        let refused = host.configure(request).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.to_string().contains(message), "{refused}");
    }
    assert_eq!(host.stored_settings().await, before);
    assert_eq!(host.msp_audit(AuditAction::NinjaoneConfigured).await, []);
}

async fn the_audit_trail_names_settings_and_fields_and_no_value(host: Host) {
    host.connect().await;
    let request = Configure {
        custom_fields: Change::To(fields(&["filevault", "luks"])),
        kinds_in_use: Change::To(KindsInUse::Software),
        ..host.configuring()
    };
    host.configure(request).await.unwrap();
    let rows = host.msp_audit(AuditAction::NinjaoneConfigured).await;
    let [row] = rows.as_slice() else {
        panic!("{rows:?}")
    };
    assert_eq!(row.actor, operator());
    let name = |name| CustomFieldName::new(name).unwrap();
    let named = [(
        Question::DiskEncrypted,
        BTreeSet::from([name("filevault"), name("luks")]),
    )];
    assert_eq!(
        row.details,
        AuditDetails::Configured {
            credential: CredentialId::of(host.msp, &us()),
            changed: vec![
                ChangedSetting::CustomFields(Some(named.into())),
                ChangedSetting::KindsInUse(Some(KindsInUse::Software)),
            ],
        }
    );
    let text = serde_json::to_string(row).unwrap();
    assert!(!text.contains("secret"), "{text}");
}

async fn what_a_later_release_stored_survives_a_change_and_stops_work_where_it_may_mislead(
    host: Host,
) {
    let customers = host.promoted(&[(1, "Alpha")]).await;
    let store_as_later = async |json: serde_json::Value| {
        let credential = CredentialId::of(host.msp, &us());
        let settings: ConnectionSettings = serde_json::from_value(json).unwrap();
        let commit = SettingsCommit {
            event: host.event(),
            guard: host.stored_settings().await.guard(credential),
            settings,
            audit: Vec::new(),
        };
        let written = host.store.commit_settings(host.msp, commit).await.unwrap();
        assert_eq!(written, CommitOutcome::Committed);
    };
    // A setting of its own: nothing that this release does depends on it.
    store_as_later(json!({"scope_rules": [{"role": "Kiosk"}]})).await;
    host.read_fields(&["filevault"]).await;
    host.sweep_one().await;
    let stored = serde_json::to_value(&host.stored_settings().await.settings).unwrap();
    assert_eq!(stored["scope_rules"], json!([{"role": "Kiosk"}]));

    // A known setting in another form: what it means for a verdict, this release cannot know.
    let odd = json!({
        "custom_fields": [{"question": "disk_encrypted", "field": "f", "yes": ["on"], "no": ["off"], "inverted": true}],
        "scope_rules": [],
    });
    store_as_later(odd.clone()).await;
    let views = host.integration.views();
    let shown = views.connection_settings(host.msp, &us()).await.unwrap();
    assert_eq!(shown.unread, ["custom_fields", "scope_rules"]);
    assert_eq!(shown.applied, None);
    let before = views.current_signals(customers[0]).await.unwrap();
    for event in host.sweep_events().await {
        let refused = host.integration.sweep(&event).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.to_string().contains("custom_fields"), "{refused}");
    }
    assert_eq!(views.current_signals(customers[0]).await.unwrap(), before);
    let synced = host.sync().await.remove(0).outcome.unwrap_err();
    assert_eq!(synced.kind(), ErrorKind::Invalid);
    // A change of another setting keeps it; one that decides it anew ends that.
    let request = Configure {
        kinds_in_use: Change::To(KindsInUse::Os),
        ..host.configuring()
    };
    host.configure(request).await.unwrap();
    let stored = serde_json::to_value(&host.stored_settings().await.settings).unwrap();
    assert_eq!(stored["custom_fields"], odd["custom_fields"]);
    let request = Configure {
        custom_fields: Change::ByPolicy,
        ..host.configuring()
    };
    assert!(host.configure(request).await.unwrap().changed);
    let stored = serde_json::to_value(&host.stored_settings().await.settings).unwrap();
    assert_eq!(stored, json!({"kinds_in_use": "os", "scope_rules": []}));
    host.sweep_one().await;
}

async fn adopt(
    host: &Host,
    company: CompanyId,
    frameworks: Option<&[Framework]>,
) -> regentra_sync::Adopted {
    let request = AdoptFrameworks {
        event: host.event(),
        company,
        expected: None,
        frameworks: frameworks.map(|all| all.iter().copied().collect()),
        actor: operator(),
    };
    let adopted = host.integration.adopt_frameworks(host.msp, request);
    adopted.await.unwrap()
}

async fn adopted_frameworks_decide_which_requirements_are_shown(host: Host) {
    let companies = host.mapped(&[(1, "Alpha"), (2, "Beta")]).await;
    for company in &companies {
        host.promote(*company).await;
    }
    host.sweep_all().await;
    let views = host.integration.views();
    let shown = async |company| {
        let requirements = views.requirements(host.msp, company).await.unwrap();
        let of_page = requirements.iter().map(|shown| *shown.link);
        let of_page: BTreeSet<_> = of_page
            .map(|link| (link.framework(), link.requirement()))
            .collect();
        let public = views.public_view(host.msp, company).await.unwrap();
        assert_eq!(public.len(), 5);
        let of_trust_centre = public.iter().flat_map(|signal| &signal.requirements);
        let of_trust_centre: BTreeSet<_> = of_trust_centre
            .map(|link| (link.framework(), link.requirement()))
            .collect();
        assert_eq!(of_page, of_trust_centre);
        of_page
    };
    let expected = |frameworks: &[Framework]| {
        let coverage = crosswalk::coverage(frameworks).into_keys();
        coverage.collect::<BTreeSet<_>>()
    };
    // By default: all.
    assert_eq!(shown(companies[0]).await, expected(Framework::ALL));
    for adopted in [
        &[Framework::Soc2, Framework::PciDss][..],
        &[Framework::Gdpr],
        &[],
    ] {
        adopt(&host, companies[0], Some(adopted)).await;
        assert_eq!(shown(companies[0]).await, expected(adopted), "{adopted:?}");
        assert_eq!(shown(companies[1]).await, expected(Framework::ALL));
    }
    adopt(&host, companies[0], None).await;
    assert_eq!(shown(companies[0]).await, expected(Framework::ALL));
}

async fn a_signal_that_fails_cannot_be_hidden_by_adopting_other_frameworks(host: Host) {
    let companies = host.mapped(&[(1, "Alpha")]).await;
    host.promote(companies[0]).await;
    let fail = (SignalKind::PatchSla, Status::Fail);
    host.ninjaone.script().verdicts.extend([fail]);
    host.sweep_all().await;
    let every_single = Framework::ALL.iter().map(|one| vec![*one]);
    for adopted in every_single.chain([vec![]]) {
        adopt(&host, companies[0], Some(&adopted)).await;
        let views = host.integration.views();
        let public = views.public_view(host.msp, companies[0]).await.unwrap();
        let patches = public.iter().find(|shown| shown.view.signal == fail.0);
        assert_eq!(patches.unwrap().view.status, Status::Fail, "{adopted:?}");
        let requirements = views.requirements(host.msp, companies[0]).await.unwrap();
        let of_patches = requirements.iter().filter(|shown| shown.signal == fail.0);
        assert!(of_patches.clone().all(|shown| shown.status == Status::Fail));
        assert!(adopted.is_empty() || !requirements.is_empty());
    }
}

async fn adopted_frameworks_are_changed_once_by_one_operator_and_audited(host: Host) {
    let company = host.add_company("Alpha").await;
    let adopting = |event: EventId, framework| AdoptFrameworks {
        event,
        company,
        expected: Some(Version::FIRST),
        frameworks: Some([framework].into()),
        actor: operator(),
    };
    let integration = &host.integration;
    let event = host.event();
    let first = integration.adopt_frameworks(host.msp, adopting(event, Framework::Soc2));
    assert!(first.await.unwrap().changed);
    let second = adopting(host.event(), Framework::Gdpr);
    let second = integration.adopt_frameworks(host.msp, second).await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Conflict);
    // The first one again, after another decision: it was done.
    adopt(&host, company, Some(&[])).await;
    let again = integration.adopt_frameworks(host.msp, adopting(event, Framework::Soc2));
    let again = again.await.unwrap();
    assert!(!again.changed && again.frameworks.frameworks.shown().is_empty());
    assert!(!adopt(&host, company, Some(&[])).await.changed);

    let rows = host.msp_audit(AuditAction::NinjaoneFrameworksAdopted).await;
    let told: Vec<_> = rows.iter().map(|row| (&row.actor, &row.details)).collect();
    let details = |frameworks| AuditDetails::FrameworksAdopted {
        company,
        frameworks: AdoptedFrameworks::of(frameworks),
    };
    let by: Actor = operator();
    let (none, soc_2) = (details(vec![]), details(vec![Framework::Soc2]));
    assert_eq!(told.len(), 2);
    assert!(told.contains(&(&by, &none)) && told.contains(&(&by, &soc_2)));

    let nobody = CompanyId::of_name(host.msp, "nobody");
    let views = integration.views();
    let refused = views
        .adopted_frameworks(host.msp, nobody)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let request = AdoptFrameworks {
        company: nobody,
        ..adopting(host.event(), Framework::Soc2)
    };
    let refused = integration.adopt_frameworks(host.msp, request).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn a_framework_of_a_later_release_survives_a_decision(host: Host) {
    let company = host.add_company("Alpha").await;
    let commit = FrameworksCommit {
        event: host.event(),
        company,
        expected: Version::FIRST,
        frameworks: serde_json::from_str(r#"["nis_2","soc_2"]"#).unwrap(),
        audit: Vec::new(),
    };
    let written = host.store.commit_frameworks(host.msp, commit).await;
    assert_eq!(written.unwrap(), CommitOutcome::Committed);
    let views = host.integration.views();
    let stored = views.adopted_frameworks(host.msp, company).await.unwrap();
    assert_eq!(stored.frameworks.shown(), [Framework::Soc2]);
    let adopted = adopt(&host, company, Some(&[Framework::Hipaa])).await;
    assert_eq!(
        serde_json::to_string(&adopted.frameworks.frameworks).unwrap(),
        r#"["hipaa","nis_2"]"#
    );
}
