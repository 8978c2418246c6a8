use super::*;
use crate::check::{
    finding::Level::{self, Ok as Fine, Problem, Warning},
    records::fake::Fake,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

fn place(host: Option<&str>) -> Place {
    let address = "192.0.2.1:5222".parse().unwrap();
    Place { service: Service::Client, address, host: host.map(str::to_owned), as_balancer: false }
}

fn judged(heard: Result<Heard, Failure>, host: Option<&str>, here: bool) -> (Level, String) {
    let own = CertificateDer::from(vec![1]);
    let finding = judge(&Domain::of("example.org"), &place(host), &heard, Some(&own), here);
    (finding.level, finding.to_string())
}

fn heard(certificate: u8, features: &str) -> Result<Heard, Failure> {
    let certificate = Some(CertificateDer::from(vec![certificate]));
    Ok(Heard { certificate, features: features.to_owned(), alpn: false })
}

#[test]
fn who_answers_with_our_certificate_and_a_login_is_this_server() {
    assert_eq!(judged(heard(1, "<mechanisms/>"), None, true).0, Fine);
    let (level, said) = judged(heard(2, "<mechanisms/>"), None, true);
    assert_eq!((level, said.contains("another certificate")), (Warning, true), "{said}");
    assert_eq!(judged(heard(1, ""), None, true).0, Problem);
}

#[test]
fn silence_at_an_address_of_others_may_be_the_router() {
    let closed = || Err(Failure::Unreachable("nothing listens".to_owned()));
    assert_eq!(judged(closed(), None, true).0, Problem);
    assert_eq!(judged(closed(), Some("x.example.org"), true).0, Problem);
    let (level, said) = judged(closed(), Some("x.example.org"), false);
    assert_eq!((level, said.contains("hairpin")), (Warning, true), "{said}");
}

#[tokio::test]
async fn addresses_that_dns_names_are_called_for_what_is_served() {
    let fake = Fake::default()
        .srv("_xmpps-client._tcp.example.org", 443, "x.example.org")
        .srv("_xmpp-server._tcp.example.org", 5269, "x.example.org")
        .address("x.example.org", &["192.0.2.1", "2001:db8::1"])
        .address("example.org", &["192.0.2.2"]);
    let zone = Zone::read(&fake, &Domain::of("example.org"), &Service::ALL).await;
    let all = |address: &str| vec![address.parse().unwrap()];
    let served = Served { c2s: all("[::]:5222"), c2s_tls: all("[::]:443"), ..Served::default() };
    let places = named(&zone, &served).into_iter();
    let places: Vec<_> = places.map(|place| (place.service, place.address.to_string())).collect();
    let expected = [
        // RFC 6120 §3.2.2.
        (Service::Client, "192.0.2.2:5222".to_owned()),
        (Service::ClientTls, "192.0.2.1:443".to_owned()),
        (Service::ClientTls, "[2001:db8::1]:443".to_owned()),
    ];
    assert_eq!(places, expected);
    let listened = listened(&served).into_iter().map(|place| place.address.to_string());
    assert!(listened.eq(["[::1]:5222", "[::1]:443"]));
}

/// What `answer` gets when it is called as a client with STARTTLS.
async fn called_with(service: Service, answer: &'static [u8]) -> Failure {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert!(socket.read(&mut [0; 2048]).await.unwrap() > 0);
        socket.write_all(answer).await.unwrap();
    });
    let call = Call { domain: "example.org", service, address, as_balancer: false };
    let failure = call.make(&Trust::system()).await.expect_err("it is something else");
    server.await.unwrap();
    failure
}

#[tokio::test]
async fn what_stands_there_instead_is_told_apart() {
    let web = called_with(Service::Client, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert_eq!(web, Failure::Web);
    assert_eq!(called_with(Service::Client, &[21, 3, 3, 0, 2, 2, 40]).await, Failure::OnlyTls);
    assert_eq!(called_with(Service::Client, b"").await, Failure::Closed);
    let features = b"<stream:stream><stream:features><x/></stream:features>";
    assert_eq!(called_with(Service::Client, features).await, Failure::NoStarttls);
    let refused = b"<stream:stream><stream:error><host-unknown xmlns='x'/></stream:error>";
    let refused = called_with(Service::Client, refused).await;
    assert_eq!(refused, Failure::Refused("host-unknown".to_owned()));
    let smtp = called_with(Service::Client, b"220 mail.example.org ESMTP\r\n").await;
    assert!(matches!(smtp, Failure::Strange(_)), "{smtp:?}");
    let plain = called_with(Service::ClientTls, b"<?xml version='1.0'?><stream:stream>").await;
    assert_eq!(plain, Failure::NoTls);
    let service = Service::Client;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let call = Call { domain: "example.org", service, address: nobody, as_balancer: false };
    let refused = call.make(&Trust::system()).await.unwrap_err();
    assert_eq!(refused, Failure::Unreachable("nothing listens".to_owned()));
}
