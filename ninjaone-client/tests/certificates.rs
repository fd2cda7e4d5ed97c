//! A certificate that does not verify, over a real connection.

#![expect(clippy::unwrap_used, reason = "a test, helpers included")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ninjaone_client::{BaseUrl, Client, Credentials, ErrorKind, RateLimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// A server whose certificate nobody trusts; counts connections, and the bytes that were sent over them.
async fn server() -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, received) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    tokio::spawn({
        let (connections, received) = (Arc::clone(&connections), Arc::clone(&received));
        async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut buffer = [0; 1024];
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    received.fetch_add(read, Ordering::Relaxed);
                    let _ = stream
                        .write_all(b"HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n")
                        .await;
                }
            }
        }
    });
    (address, connections, received)
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_is_its_own_error_and_is_not_retried() {
    let (address, connections, received) = server().await;
    for host in ["localhost", "127.0.0.1"] {
        let before = connections.load(Ordering::Relaxed);
        let base = BaseUrl::parse(&format!("https://{host}:{}", address.port())).unwrap();
        let client = Client::builder(base, Credentials::client_credentials("id", "hunter2"))
            .rate_limit(RateLimit::unlimited())
            .build()
            .unwrap();
        let error = client.authenticate().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Certificate, "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(error.attempts(), 1);
        let text = error.to_string();
        for what_to_check in ["base URL", "clock", "trusted certificates", "proxy"] {
            assert!(text.contains(what_to_check), "{text}");
        }
        // `localhost` may have been tried at two addresses, of which one listens.
        assert_eq!(connections.load(Ordering::Relaxed), before + 1, "{host}");
    }
    assert_eq!(
        received.load(Ordering::Relaxed),
        0,
        "the secret was not sent"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_matter_of_certificates() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let base = BaseUrl::parse(&format!("https://{address}")).unwrap();
    let client = Client::builder(base, Credentials::client_credentials("id", "secret"))
        .rate_limit(RateLimit::unlimited())
        .retry(ninjaone_client::RetryPolicy::none())
        .build()
        .unwrap();
    let error = client.authenticate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(error.is_retryable());
}
