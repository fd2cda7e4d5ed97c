use regentra_evidence::KindsInUse;

use super::integration::{Integration, RACES, superseded};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{
        Actor, AuditDetails, AuditRow, ChangedSetting, ConnectionSettings, CredentialId,
        CustomFields, EntraDeviceIdField, EventId, MspOrgId, RegionKey, Setting, StoredSettings,
        StrategyChoice, Version,
    },
    store::{CommitOutcome, SettingsCommit},
};

/// What becomes of one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is left to the host's policy.
    ByPolicy,
    /// It is this from now on.
    To(T),
}

impl<T> Change<T> {
    /// What the setting is afterwards; whether it was decided anew.
    fn apply(self, setting: &mut Option<T>) -> bool {
        *setting = match self {
            Self::Keep => return false,
            Self::ByPolicy => None,
            Self::To(value) => Some(value),
        };
        true
    }
}

/// Settings of a connection to change.
#[derive(Clone, Debug)]
pub struct Configure {
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
    /// Which connection.
    pub region: RegionKey,
    /// The version of the settings that the caller showed, so that one person does not overwrite what another changed meanwhile.
    /// `None` changes whatever is stored now.
    pub expected: Option<Version>,
    /// Which custom fields answer what NinjaOne cannot.
    pub custom_fields: Change<CustomFields>,
    /// Which custom field holds the Entra device id.
    pub entra_device_id_field: Change<EntraDeviceIdField>,
    /// Which kinds of patches the tenant is used for.
    pub kinds_in_use: Change<KindsInUse>,
    /// How the reports of its sweeps are read.
    pub sweep_strategy: Change<StrategyChoice>,
    /// Who asks.
    pub actor: Actor,
}

impl Configure {
    /// A request that changes nothing yet.
    #[must_use]
    pub fn new(event: EventId, region: RegionKey, actor: Actor) -> Self {
        Self {
            event,
            region,
            expected: None,
            custom_fields: Change::Keep,
            entra_device_id_field: Change::Keep,
            kinds_in_use: Change::Keep,
            sweep_strategy: Change::Keep,
            actor,
        }
    }

    /// What the settings are afterwards.
    fn apply(&self, settings: &ConnectionSettings) -> ConnectionSettings {
        let mut changed = settings.clone();
        let decided = [
            (
                Setting::CustomFields,
                self.custom_fields.clone().apply(&mut changed.custom_fields),
            ),
            (
                Setting::EntraDeviceIdField,
                self.entra_device_id_field
                    .clone()
                    .apply(&mut changed.entra_device_id_field),
            ),
            (
                Setting::KindsInUse,
                self.kinds_in_use.clone().apply(&mut changed.kinds_in_use),
            ),
            (
                Setting::SweepStrategy,
                self.sweep_strategy
                    .clone()
                    .apply(&mut changed.sweep_strategy),
            ),
        ];
        for (setting, is_decided) in decided {
            if is_decided {
                changed.forget_unreadable(setting);
            }
        }
        changed
    }
}

/// Settings that stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configured {
    /// Which credential.
    pub credential: CredentialId,
    /// The settings as they are now.
    pub settings: StoredSettings,
    /// `false` when they were so before.
    pub changed: bool,
}

impl Integration {
    /// Changes settings of a connection, connected or not. They belong to it alone, survive a disconnect and a reconnect, and are in
    /// force from the next sweep and asset sync on; one that is under way writes nothing of what it read by the old ones.
    ///
    /// What a later release stored and this one does not read stays as it is, unless the setting is decided anew.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`] when the region was never connected; [`ErrorKind::Invalid`] for settings that no connection may
    /// have ([`SettingsError`](crate::model::SettingsError)); [`ErrorKind::Conflict`] when they were changed since the version that
    /// was shown; [`ErrorKind::Store`]. Nothing is stored then.
    #[tracing::instrument(name = "regentra.configure", skip_all, fields(%msp, region = %request.region))]
    pub async fn configure(&self, msp: MspOrgId, request: Configure) -> Result<Configured> {
        let credential = CredentialId::of(msp, &request.region);
        for _ in 0..RACES {
            let stored = self.settings_of(msp, credential).await?;
            let settings = request.apply(&stored.settings);
            settings.check()?;
            let changed = ChangedSetting::between(&stored.settings, &settings);
            if changed.is_empty() {
                return Ok(Configured {
                    credential,
                    settings: stored,
                    changed: false,
                });
            }
            let expected = request.expected.unwrap_or(stored.version);
            let mut guard = stored.guard(credential);
            guard.version = expected;
            let details = AuditDetails::Configured {
                credential,
                changed,
            };
            let audit = AuditRow::new(request.event, self.now(), request.actor, details);
            let commit = SettingsCommit {
                event: request.event,
                guard,
                settings,
                audit: vec![audit],
            };
            match self.inner.store.commit_settings(msp, commit).await? {
                CommitOutcome::Superseded(_) if stored.version != expected => {
                    let message = "the settings of this connection were changed since they were shown: look at them again";
                    return Err(Error::new(ErrorKind::Conflict, message));
                }
                CommitOutcome::Superseded(_) => {}
                outcome @ (CommitOutcome::Committed | CommitOutcome::AlreadyCommitted) => {
                    return Ok(Configured {
                        credential,
                        settings: self.settings_of(msp, credential).await?,
                        changed: outcome == CommitOutcome::Committed,
                    });
                }
            }
        }
        Err(superseded())
    }

    async fn settings_of(&self, msp: MspOrgId, credential: CredentialId) -> Result<StoredSettings> {
        let stored = self.inner.store.connection_settings(msp, credential);
        stored.await?.ok_or_else(|| {
            let message = "this NinjaOne region was never connected: connect it first";
            Error::new(ErrorKind::NotConnected, message)
        })
    }
}
