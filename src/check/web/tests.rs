use super::*;
use crate::check::trust::tests::{Issued, issued, trust};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs},
};

/// What is made of a web server that says this, and what it was asked.
async fn asked<T>(
    answer: &str,
    ask: impl AsyncFnOnce(Ask<'_>, &Trust) -> Result<T, Failure>,
) -> (Result<T, Failure>, String) {
    let Issued { root, between, first, key } = issued("example.org");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![first, between], key)
        .unwrap();
    let answer = answer.to_owned();
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = TlsAcceptor::from(Arc::new(config)).accept(socket).await.unwrap();
        let mut heard = String::new();
        while !heard.contains("\r\n\r\n") {
            let mut bytes = [0; 2048];
            let read = socket.read(&mut bytes).await.unwrap();
            heard += std::str::from_utf8(&bytes[..read]).unwrap();
        }
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        heard
    });
    let (host, path) = ("example.org", "/.well-known/host-meta");
    let call = Ask { address, host, path, as_balancer: false };
    let got = ask(call, &trust(&root)).await;
    (got, server.await.unwrap())
}

async fn got(answer: &str) -> (Result<Page, Failure>, String) {
    asked(answer, async |ask, trust| ask.get(trust).await).await
}

async fn upgraded(answer: &str) -> (Result<Page, Failure>, String) {
    asked(answer, async |ask, trust| ask.upgrade(trust).await).await
}

#[tokio::test]
async fn a_page_is_got_with_what_browsers_look_at() {
    let answer = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 5\r\n\
                  \r\n<XRD>";
    let (page, heard) = got(answer).await;
    let page = page.unwrap();
    assert_eq!((page.status, page.open, page.body.as_str()), (StatusCode::OK, true, "<XRD>"));
    assert!(heard.starts_with("GET /.well-known/host-meta HTTP/1.1\r\nhost: example.org:"));
}

#[tokio::test]
async fn a_websocket_of_xmpp_is_asked_for_rfc7395_3_1() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                  Upgrade: websocket\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n";
    let (done, heard) = upgraded(answer).await;
    done.unwrap();
    assert!(heard.contains("sec-websocket-protocol: xmpp\r\n"), "{heard}");
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                  Upgrade: websocket\r\n\r\n";
    let failure = upgraded(answer).await.0.unwrap_err();
    assert_eq!(failure, Failure::Strange("a WebSocket, but not of XMPP".to_owned()));
    let (refused, _) = upgraded("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(refused, Err(Failure::Strange(why)) if why.contains("404")));
}

#[tokio::test]
async fn a_session_of_bosh_is_one_with_an_id_xep_0124_7() {
    let session = async |answer: &str| {
        let length = answer.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}");
        asked(&answer, async |ask, trust| ask.session("example.org", trust).await).await
    };
    let names = "xmlns='http://jabber.org/protocol/httpbind'";
    let (begun, heard) = session(&format!("<body {names} sid=\"s\" wait='1'/>")).await;
    assert!(begun.is_ok() && heard.starts_with("POST "), "{begun:?}: {heard}");
    let why = async |answer: String| match session(&answer).await.0 {
        Err(Failure::Strange(why)) => why,
        other => panic!("{other:?}"),
    };
    let refused = format!("<body {names} type='terminate' condition='host-unknown'/>");
    assert!(why(refused).await.ends_with("host-unknown"));
    assert_eq!(why("<html/>".to_owned()).await, "no session of BOSH");
}

#[tokio::test]
async fn a_page_without_end_and_what_is_no_http_are_no_answers() {
    let long = "x".repeat(BODY_BYTES_MAX + 1);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{long}", long.len());
    assert!(matches!(got(&answer).await.0, Err(Failure::Strange(_))));
    let smtp = got("220 mail.example.org ESMTP\r\n").await.0;
    assert!(matches!(smtp, Err(Failure::Strange(why)) if why.starts_with("no HTTP")));
}
