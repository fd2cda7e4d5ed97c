use std::pin::pin;

use futures_util::StreamExt as _;
use ninjaone_client::{
    Client, DeviceFilter, Error, ErrorKind, OrganizationId,
    models::ConversionStatus,
    queries::{OsPatchInstallsParams, VolumesParams},
};
use time::macros::datetime;

pub async fn queries(client: &Client) -> Result<(), Error> {
    // Row by row, a page at a time.
    let customer = DeviceFilter::organization(OrganizationId::new(1));
    let volumes = client.queries().volumes(
        VolumesParams::default()
            .filter(customer.clone())
            .bitlocker(),
    );
    let mut volumes = pin!(volumes.into_stream());
    let mut encrypted = 0;
    while let Some(volume) = volumes.next().await {
        let status = volume?
            .bit_locker_status
            .and_then(|status| status.conversion_status);
        encrypted += usize::from(status == Some(ConversionStatus::FullyEncrypted));
    }
    println!("{encrypted} volumes are encrypted");

    // A report that the tenant does not have is an error of its own kind.
    let params = OsPatchInstallsParams::default()
        .filter(customer)
        .installed_after(datetime!(2026-10-09 00:00 UTC));
    match client.queries().os_patch_installs(params).collect().await {
        Ok(installs) => println!("{} attempts to install patches", installs.rows.len()),
        Err(error) if error.kind() == ErrorKind::NotAvailable => {
            println!("no patch management: {error}");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
