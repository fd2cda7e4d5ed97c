//! `regentra settings`: what one connection settles for itself.

use clap::Args;
use regentra_evidence::KindsInUse;
use regentra_sync::{
    Change, Configure,
    model::{
        AppliedSettings, CustomFieldName, CustomFieldSource, CustomFields, EntraDeviceIdField,
        Question, RegionKey, Setting, StrategyChoice, Version,
    },
    views::SettingsOfConnection,
};
use serde_json::json;

use crate::{
    host::{HostArgs, Reading, region},
    output,
    shown::Shown,
    table,
};

/// Arguments of `regentra settings`.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// The region, where several are connected, or one that was.
    #[arg(long, alias = "base-url", value_parser = region)]
    region: Option<RegionKey>,

    /// Read a custom field: QUESTION=FIELD=YES,YES=NO,NO, such as `disk_encrypted=filevault=on,enabled=off`. Questions are
    /// `disk_encrypted`, `antivirus_on` and `signatures_up_to_date`. Those that are given take the place of all that were set.
    #[arg(long, value_name = "ANSWER", value_parser = answer)]
    custom_field: Vec<(Question, CustomFieldSource)>,

    /// All custom fields as JSON, as --json prints them: for values that hold a comma or an equals sign.
    #[arg(long, value_name = "JSON", value_parser = custom_fields, conflicts_with = "custom_field")]
    custom_fields: Option<CustomFields>,

    /// Read no custom field, whatever the host's policy says.
    #[arg(long, conflicts_with_all = ["custom_field", "custom_fields"])]
    no_custom_fields: bool,

    /// The custom field that holds a device's Entra device id.
    #[arg(long, value_name = "FIELD")]
    entra_field: Option<CustomFieldName>,

    /// Read no Entra device id.
    #[arg(long, conflicts_with = "entra_field")]
    no_entra_field: bool,

    /// The kinds of patches that the tenant is used for: both, os, software.
    #[arg(long, value_name = "KINDS", value_parser = kinds)]
    patch_kinds: Option<KindsInUse>,

    /// How the reports of sweeps are read: cheapest, `per_customer`, group, `whole_tenant`.
    #[arg(long, value_name = "STRATEGY")]
    sweep_strategy: Option<StrategyChoice>,

    /// Leave settings to the host's policy again, separated by commas: `custom_fields`, `entra_device_id_field`, `kinds_in_use`,
    /// `sweep_strategy`.
    #[arg(long, value_name = "SETTINGS", value_delimiter = ',', value_parser = setting)]
    by_policy: Vec<Setting>,

    /// Change nothing if this is not the version that is stored: what another person changed meanwhile stays.
    #[arg(long, value_name = "VERSION")]
    expected: Option<u32>,
}

fn answer(text: &str) -> anyhow::Result<(Question, CustomFieldSource)> {
    let parts: Vec<_> = text.split('=').collect();
    let [question, field, yes, no] = parts.as_slice() else {
        anyhow::bail!("not of the form QUESTION=FIELD=YES,YES=NO,NO");
    };
    let source = CustomFieldSource::new(*field, yes.split(','), no.split(','))?;
    Ok((question.trim().parse()?, source))
}

fn custom_fields(text: &str) -> Result<CustomFields, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn kinds(text: &str) -> Result<KindsInUse, &'static str> {
    match text {
        "both" => Ok(KindsInUse::Both),
        "os" => Ok(KindsInUse::Os),
        "software" => Ok(KindsInUse::Software),
        _ => Err("not a choice: both, os, software"),
    }
}

fn setting(name: &str) -> Result<Setting, String> {
    let mut all = Setting::ALL.into_iter();
    all.find(|setting| setting.as_str() == name).ok_or_else(|| {
        let names = Setting::ALL.map(Setting::as_str).join(", ");
        format!("not a setting: {names}")
    })
}

impl SettingsArgs {
    /// Whether a setting is changed.
    pub(super) const fn writes(&self) -> bool {
        !self.custom_field.is_empty()
            || self.custom_fields.is_some()
            || self.no_custom_fields
            || self.entra_field.is_some()
            || self.no_entra_field
            || self.patch_kinds.is_some()
            || self.sweep_strategy.is_some()
            || !self.by_policy.is_empty()
    }

    fn custom_fields(&self) -> Option<CustomFields> {
        if self.no_custom_fields {
            return Some(CustomFields::default());
        }
        let one_by_one = self.custom_field.iter().cloned();
        let one_by_one = one_by_one.fold(CustomFields::default(), |fields, (question, source)| {
            fields.answer(question, source)
        });
        let one_by_one = Some(one_by_one).filter(|fields| !fields.is_empty());
        self.custom_fields.clone().or(one_by_one)
    }

    fn entra_field(&self) -> Option<EntraDeviceIdField> {
        let named = self.entra_field.clone().map(EntraDeviceIdField::Named);
        named.or(self.no_entra_field.then_some(EntraDeviceIdField::NotRead))
    }

    /// What becomes of one setting.
    fn change<T>(&self, setting: Setting, to: Option<T>) -> anyhow::Result<Change<T>> {
        match (to, self.by_policy.contains(&setting)) {
            (Some(_), true) => anyhow::bail!("{setting} is set and left to the policy: choose one"),
            (Some(to), false) => Ok(Change::To(to)),
            (None, true) => Ok(Change::ByPolicy),
            (None, false) => Ok(Change::Keep),
        }
    }
}

/// Changes settings, if any are given, and shows what is in force.
///
/// # Errors
/// When the region was never connected, or a connection may not have such settings.
pub async fn run(args: SettingsArgs, host: &HostArgs) -> anyhow::Result<()> {
    let custom_fields = args.change(Setting::CustomFields, args.custom_fields())?;
    let entra_field = args.change(Setting::EntraDeviceIdField, args.entra_field())?;
    let kinds = args.change(Setting::KindsInUse, args.patch_kinds)?;
    let strategy = args.change(Setting::SweepStrategy, args.sweep_strategy)?;
    let host_args = host;
    let (host, writes) = (host.open_without_keys().await?, args.writes());
    let region = match args.region {
        Some(region) => region,
        None => host.one_region(None).await?,
    };
    let mut changed = false;
    if writes {
        let request = Configure {
            expected: args.expected.map(Version::from_u32),
            custom_fields,
            entra_device_id_field: entra_field,
            kinds_in_use: kinds,
            sweep_strategy: strategy,
            ..Configure::new(host.request(), region.clone(), host.actor())
        };
        changed = host.integration.configure(host.msp, request).await?.changed;
    }
    let settings = host.views.connection_settings(host.msp, &region).await?;
    if host_args.json {
        return output::json(&json!({
            "region": region, "changed": changed, "own": settings.own, "version": settings.version,
            "applied": settings.applied, "unread": settings.unread,
        }));
    }
    output::line(format!(
        "Settings of {region}, version {}{}\n",
        settings.version,
        match (writes, changed) {
            (true, true) => ": changed, from the next sync and sweep on",
            (true, false) => ": as they were",
            (false, _) => "",
        }
    ))?;
    show(&settings)
}

fn show(settings: &SettingsOfConnection) -> anyhow::Result<()> {
    let own = &settings.own;
    let Some(applied) = &settings.applied else {
        let unread = settings.unread.join(", ");
        return output::line(format!(
            "A newer program stored what this one does not read ({}): nothing is synced or swept by this one. Use the newer one, or \
             decide it anew.",
            Shown::bounded(&unread)
        ));
    };
    let mut table = table::new(&["Setting", "In force", "From"]);
    let from = |is_own| {
        if is_own {
            "this connection"
        } else {
            "the policy"
        }
    };
    for (setting, value, is_own) in [
        (
            Setting::CustomFields,
            answers(applied),
            own.custom_fields.is_some(),
        ),
        (
            Setting::EntraDeviceIdField,
            entra(applied),
            own.entra_device_id_field.is_some(),
        ),
        (
            Setting::KindsInUse,
            Shown::from(match applied.kinds_in_use {
                KindsInUse::Both => "both",
                KindsInUse::Os => "os",
                KindsInUse::Software => "software",
            }),
            own.kinds_in_use.is_some(),
        ),
        (
            Setting::SweepStrategy,
            Shown::from(applied.sweep_strategy.as_str()),
            own.sweep_strategy.is_some(),
        ),
    ] {
        table.add_row([
            table::cell(setting.as_str()),
            table::cell(value),
            table::cell(from(is_own)),
        ]);
    }
    output::print(&table::text(&table))?;
    if !settings.unread.is_empty() {
        output::note(format_args!(
            "a newer program stored settings that this one does not read and leaves as they are: {}",
            Shown::bounded(&settings.unread.join(", "))
        ));
    }
    Ok(())
}

fn answers(applied: &AppliedSettings) -> Shown {
    if applied.custom_fields.is_empty() {
        return Shown::from("none is read");
    }
    let by_question = applied.custom_fields.by_question().into_iter();
    Shown::lines(by_question.flat_map(|(question, fields)| {
        let line = move |field| Shown::text(format_args!("{question}: {field}"));
        fields.into_iter().map(line).collect::<Vec<_>>()
    }))
}

fn entra(applied: &AppliedSettings) -> Shown {
    match &applied.entra_device_id_field {
        Some(field) => Shown::text(field),
        None => Shown::from("none is read"),
    }
}

/// What is in force for a region: its own settings if it was ever connected, else those of the policy.
///
/// # Errors
/// When the store does not answer, or a newer program stored what this one does not read.
pub async fn applied(
    host: &Reading,
    region: &RegionKey,
) -> anyhow::Result<Option<AppliedSettings>> {
    let connections = host.views.connections(host.msp).await?;
    if !connections.iter().any(|known| known.region == *region) {
        return Ok(None);
    }
    let settings = host.views.connection_settings(host.msp, region).await?;
    if settings.applied.is_none() {
        anyhow::bail!(
            "a newer program stored settings of {region} that this one does not read: use the newer one"
        );
    }
    Ok(settings.applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_is_typed() {
        let (question, source) = answer("disk_encrypted=filevault=on, enabled=off").unwrap();
        assert_eq!(question, Question::DiskEncrypted);
        let expected = CustomFieldSource::new("filevault", ["on", "enabled"], ["off"]).unwrap();
        assert_eq!(source, expected);
        for wrong in [
            "",
            "disk_encrypted=filevault",
            "disk_encrypted=filevault=on",
            "disk_encrypted==on=off",
            "disk_encrypted=f=on=on",
            "disk_encrypted=f=on=off=x",
            "firewall=f=on=off",
        ] {
            assert!(answer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_setting_can_be_left_to_the_policy() {
        for known in Setting::ALL {
            assert_eq!(setting(known.as_str()), Ok(known));
        }
        assert!(setting("scope").unwrap_err().contains("custom_fields, "));
    }
}
