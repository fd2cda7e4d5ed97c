//! Lists of devices. What can be asked about one device is in [`device`](super::device).

use super::{all, endpoint, group, params};
use crate::{
    DeviceFilter, DeviceId, Error,
    models::{Device, DeviceSearchResults},
    paging::{Pager, Walk},
    request::{Endpoint, Request},
};

group! {
    /// Devices: lists of all of them, and everything about one.
    Devices, devices
}

params! {
    /// Which devices.
    DevicesParams = endpoint!("devices.list" "/v2/devices" ById);
    page_size 1000 in 1..=1000;
    {
        /// Only devices that match.
        filter: DeviceFilter = "df";
        /// Resumes after this device.
        after: DeviceId = "after";
    }
}

const DETAILED: Endpoint = endpoint!("devices.detailed" "/v2/devices-detailed" ById);

params! {
    /// What to search for.
    DeviceSearchParams = endpoint!("devices.search" "/v2/devices/search" Single);
    {
        /// Name, user, IP address and so on.
        query: String = "q";
        /// Most devices to return.
        limit: u32 = "limit";
    }
}

all! { &[]; DevicesParams::ENDPOINT, DETAILED, DeviceSearchParams::ENDPOINT }

impl DevicesParams {
    /// The request for the first page of the detailed list, without I/O.
    #[must_use]
    pub fn request_detailed(&self) -> Request {
        self.fill(Request::new(DETAILED))
    }

    fn walk(&self) -> Walk<Device> {
        Walk::by_id(
            self.after.map(DeviceId::get),
            self.page_rows(),
            |row: &Device| row.id.map(DeviceId::get),
        )
    }
}

impl Devices<'_> {
    /// Devices in short, by id.
    pub fn list(self, params: DevicesParams) -> Pager<Device> {
        self.0.pager(params.request(), params.walk())
    }

    /// Devices with hardware, operating system, volumes and last user, by id.
    pub fn detailed(self, params: DevicesParams) -> Pager<Device> {
        self.0.pager(params.request_detailed(), params.walk())
    }

    /// Devices that match a search term.
    ///
    /// # Errors
    /// As every request: see [`ErrorKind`](crate::ErrorKind).
    pub async fn search(self, params: DeviceSearchParams) -> Result<DeviceSearchResults, Error> {
        self.0.single(&params.request()).await
    }
}
