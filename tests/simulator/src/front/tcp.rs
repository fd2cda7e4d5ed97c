//! A tenant behind a socket whose every byte is ours: connections can be cut, trickled and reset, bodies be chunked.
//!
//! It is also the fastest front, and serves benchmarks from a process of its own.

use std::{io, net::SocketAddr, sync::MutexGuard};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::Shared;
use crate::{answer::Answer, clock::Clock, request::Request, tenant::Tenant};

/// How bodies are framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`.
    #[default]
    ContentLength,
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// A running server; it and its connections end when dropped.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    shared: Shared,
    accepting: JoinHandle<()>,
}

/// Serves a tenant on a free port of loopback, by `Content-Length`; its time starts at [`Tenant::now`] and runs.
///
/// # Errors
/// When no port can be bound.
pub async fn serve(tenant: Tenant) -> io::Result<Front> {
    let clock = Clock::running(tenant.now());
    serve_with(tenant, clock, Framing::default(), 0).await
}

/// Serves a tenant by a clock, a framing and on a port of the caller's; port 0 is a free one.
///
/// # Errors
/// When the port cannot be bound.
pub async fn serve_with(
    tenant: Tenant,
    clock: Clock,
    framing: Framing,
    port: u16,
) -> io::Result<Front> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let shared = Shared::new(tenant, clock);
    let accepting = tokio::spawn(accept(listener, shared.clone(), framing));
    Ok(Front {
        address,
        shared,
        accepting,
    })
}

impl Front {
    /// The base URL, such as `http://127.0.0.1:41234`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The tenant. Requests wait while it is held.
    pub fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.shared.lock()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Shared, framing: Framing) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = shared.clone();
                // A client that goes away in mid-answer is its own business.
                connections.spawn(async move { drop(converse(stream, shared, framing).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The requests of one connection, one after the other.
async fn converse(mut stream: TcpStream, shared: Shared, framing: Framing) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    while let Some((request, last)) = read(&mut stream, &mut buffer).await? {
        let answer = shared.answer(&request);
        let open = deliver(&mut stream, answer, framing).await?;
        if last || !open {
            break;
        }
    }
    Ok(())
}

/// The next request and whether it is the last, or `None` when the client has closed.
async fn read(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
) -> io::Result<Option<(Request, bool)>> {
    let (mut request, head, length, last) = loop {
        if let Some(head) = parse(buffer)? {
            break head;
        }
        if buffer.len() > 64 * 1024 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the head of the request is too long",
            ));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    buffer.advance(head);
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
    request = request.body(buffer.split_to(length).freeze());
    Ok(Some((request, last)))
}

/// The head at the start of the buffer: request, its length, the length of its body, and whether the connection is to end.
fn parse(buffer: &[u8]) -> io::Result<Option<(Request, usize, usize, bool)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let httparse::Status::Complete(head) = parsed.parse(buffer).map_err(invalid)? else {
        return Ok(None);
    };
    let mut request = Request::new(
        parsed.method.unwrap_or_default(),
        parsed.path.unwrap_or_default(),
    );
    for header in parsed.headers.iter() {
        request = request.header(header.name, &String::from_utf8_lossy(header.value));
    }
    let length = request
        .header_value("content-length")
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    let last = request
        .header_value("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(Some((request, head, length, last)))
}

/// Writes an answer as its delivery says; whether the connection may be used again.
async fn deliver(stream: &mut TcpStream, answer: Answer, framing: Framing) -> io::Result<bool> {
    let delivery = answer.delivery;
    if !delivery.delay.is_zero() {
        tokio::time::sleep(delivery.delay).await;
    }
    if delivery.reset {
        stream.set_zero_linger()?;
        return Ok(false);
    }
    let bodyless = answer.status == 204 || answer.status == 304;
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    for (name, value) in &answer.headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    match framing {
        _ if bodyless => {}
        Framing::ContentLength => {
            head.extend(["content-length: ", &answer.body.len().to_string(), "\r\n"]);
        }
        Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    if bodyless {
        return Ok(true);
    }
    let arriving = delivery
        .cut_after
        .map_or(answer.body.len(), |cut| cut.min(answer.body.len()));
    let mut rest: Bytes = answer.body.slice(..arriving);
    let piece = match (delivery.trickle, framing) {
        (Some(trickle), _) => trickle.bytes.max(1),
        (None, Framing::Chunked) => 16 * 1024,
        (None, Framing::ContentLength) => usize::MAX,
    };
    while !rest.is_empty() {
        if let Some(trickle) = delivery.trickle {
            tokio::time::sleep(trickle.pause).await;
        }
        let part = rest.split_to(rest.len().min(piece));
        if framing == Framing::Chunked {
            stream
                .write_all(format!("{:x}\r\n", part.len()).as_bytes())
                .await?;
        }
        stream.write_all(&part).await?;
        if framing == Framing::Chunked {
            stream.write_all(b"\r\n").await?;
        }
        stream.flush().await?;
    }
    if delivery.cut_after.is_some() {
        stream.shutdown().await?;
        return Ok(false);
    }
    if framing == Framing::Chunked {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(true)
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
}
