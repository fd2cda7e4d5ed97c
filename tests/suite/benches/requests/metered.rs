//! NinjaOne, and how much processor time reading and judging takes.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use cpu_time::ThreadTime;
use regentra_sync::{
    Result,
    model::{CredentialId, DeviceList, Fingerprint, OrganizationList},
    ninjaone::{
        Access, Assessment, AssessmentRequest, DeviceListRequest, DeviceLists, DeviceListsRequest,
        GroupAssessment, GroupRequest, NinjaOne, NinjaOneApi, Redeemed, Redemption,
    },
    ninjaone_client::Lane,
};

/// The real thing; what it asks, decodes and judges is timed.
#[derive(Debug)]
pub(crate) struct Metered {
    pub(crate) api: NinjaOneApi,
    pub(crate) spent: Arc<CpuCounter>,
}

/// Processor time, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct CpuCounter(AtomicU64);

impl CpuCounter {
    pub(crate) fn seconds(&self) -> f64 {
        Duration::from_nanos(self.0.load(Ordering::Relaxed)).as_secs_f64()
    }

    /// Adds what the thread spends while it polls.
    async fn time<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|context| self.poll(work.as_mut(), context)).await
    }

    fn poll<F: Future>(&self, work: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = ThreadTime::now();
        let polled = work.poll(context);
        let spent = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(spent, Ordering::Relaxed);
        polled
    }
}

#[async_trait]
impl NinjaOne for Metered {
    async fn authenticate(&self, access: &Access) -> Result<()> {
        self.api.authenticate(access).await
    }

    async fn redeem(&self, redemption: Redemption) -> Result<Redeemed> {
        self.api.redeem(redemption).await
    }

    async fn organizations(&self, access: &Access, ceiling: usize) -> Result<OrganizationList> {
        self.api.organizations(access, ceiling).await
    }

    async fn devices(&self, access: &Access, request: DeviceListRequest<'_>) -> Result<DeviceList> {
        self.spent.time(self.api.devices(access, request)).await
    }

    async fn budget_wait(
        &self,
        connection: CredentialId,
        tenant: &Fingerprint,
        lane: Lane,
        requests: u32,
    ) -> Result<Duration> {
        self.api
            .budget_wait(connection, tenant, lane, requests)
            .await
    }

    fn forget(&self, connection: CredentialId) {
        self.api.forget(connection);
    }

    async fn assess(&self, access: &Access, request: AssessmentRequest<'_>) -> Result<Assessment> {
        self.spent.time(self.api.assess(access, request)).await
    }

    async fn assess_group(
        &self,
        access: &Access,
        request: GroupRequest<'_>,
    ) -> Result<GroupAssessment> {
        self.spent
            .time(self.api.assess_group(access, request))
            .await
    }

    async fn device_lists(
        &self,
        access: &Access,
        request: DeviceListsRequest<'_>,
    ) -> Result<DeviceLists> {
        self.spent
            .time(self.api.device_lists(access, request))
            .await
    }
}
