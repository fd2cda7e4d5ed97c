//! Large pages of one client are read one after the other, and the next is not read while the rows of the one before are in the
//! caller's hands.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test, helpers included"
)]

use std::time::Duration;

use ninjaone_client::{
    BaseUrl, Client, Credentials, Error, Page, Pager, RateLimit, devices::DevicesParams,
    models::Device,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A device with a name of six mebibytes, and none after it.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut read = Vec::new();
    loop {
        let mut head = None;
        while head.is_none() {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
            let end = read.windows(4).position(|four| four == b"\r\n\r\n");
            head = end.map(|end| String::from_utf8_lossy(&read[..end]).into_owned());
        }
        let head = head.unwrap_or_default();
        read.clear();
        let body = if head.starts_with("POST") {
            r#"{"access_token":"t","expires_in":3600}"#.to_owned()
        } else if head.contains("after=") {
            "[]".to_owned()
        } else {
            format!(r#"[{{"id":1,"systemName":"{}"}}]"#, "n".repeat(6 << 20))
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
    }
}

async fn client() -> Client {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move { drop(answer(stream).await) });
        }
    });
    let credentials = Credentials::client_credentials("large", "secret");
    Client::builder(BaseUrl::parse(&url).unwrap(), credentials)
        .rate_limit(RateLimit::unlimited())
        .build()
        .unwrap()
}

type Next = Result<Option<Page<Device>>, Error>;

/// The next page, if it comes while others would have come many times over.
async fn soon(pager: &mut Pager<Device>) -> Option<Next> {
    let next = tokio::time::timeout(Duration::from_secs(2), pager.next_page());
    next.await.ok()
}

#[tokio::test]
async fn a_large_page_waits_until_the_rows_of_the_one_before_are_done_with() {
    let client = client().await;
    let devices = || client.devices().detailed(DevicesParams::default());
    let (mut one, mut two) = (devices(), devices());
    let page = one.next_page().await.unwrap().unwrap();
    assert_eq!(page.rows.len(), 1);
    assert!(soon(&mut two).await.is_none());
    // Small answers go their way meanwhile.
    let after = DevicesParams::default().after(ninjaone_client::DeviceId::new(1));
    let mut small = client.devices().detailed(after);
    assert!(soon(&mut small).await.unwrap().unwrap().is_none());
    // To ask for the next page is to be done with the one before.
    drop(page);
    assert!(one.next_page().await.unwrap().is_none());
    assert!(soon(&mut two).await.unwrap().unwrap().is_some());
    // And so is to drop the pager.
    let mut three = devices();
    assert!(soon(&mut three).await.is_none());
    drop(two);
    assert!(soon(&mut three).await.unwrap().unwrap().is_some());
    // One caller that reads a list to its end holds itself up nowhere.
    drop(three);
    assert_eq!(devices().collect().await.unwrap().rows.len(), 1);
}
