//! A name server on loopback that knows one zone.

use hickory_proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, CAA, CNAME, SRV, TXT},
    },
};
use std::{collections::BTreeMap, net::SocketAddr};
use tokio::net::UdpSocket;

#[derive(Default)]
pub struct Zone {
    records: BTreeMap<(Name, RecordType), RData>,
    failing: Vec<Name>,
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

impl Zone {
    fn with(mut self, owner: &str, data: RData) -> Self {
        self.records.insert((name(owner), data.record_type()), data);
        self
    }

    pub fn srv(self, owner: &str, port: u16, target: &str) -> Self {
        self.with(owner, RData::SRV(SRV::new(0, 0, port, name(target))))
    }

    pub fn address(self, owner: &str, octets: [u8; 4]) -> Self {
        self.with(owner, RData::A(A(octets.into())))
    }

    pub fn alias(self, owner: &str, target: &str) -> Self {
        self.with(owner, RData::CNAME(CNAME(name(target))))
    }

    pub fn text(self, owner: &str, text: &str) -> Self {
        self.with(owner, RData::TXT(TXT::new(vec![text.to_owned()])))
    }

    /// Who may issue certificates.
    pub fn issuer(self, owner: &str, authority: &str) -> Self {
        self.with(owner, RData::CAA(CAA::new_issue(false, Some(name(authority)), Vec::new())))
    }

    pub fn fails(mut self, owner: &str) -> Self {
        self.failing.push(name(owner));
        self
    }

    /// Answers until the test ends.
    pub async fn serve(self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut bytes = [0; 1500];
            loop {
                let (read, from) = socket.recv_from(&mut bytes).await.unwrap();
                let asked = Message::from_vec(&bytes[..read]).unwrap();
                socket.send_to(&self.answer(&asked).to_vec().unwrap(), from).await.unwrap();
            }
        });
        address
    }

    fn answer(&self, asked: &Message) -> Message {
        let query = asked.queries.first().unwrap().clone();
        let mut answer = Message::response(asked.metadata.id, OpCode::Query);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        let owner = query.name();
        let get = |owner: &Name, kind| self.records.get(&(owner.clone(), kind));
        let alias = get(owner, RecordType::CNAME);
        let target = match alias {
            Some(RData::CNAME(target)) => &target.0,
            _ => owner,
        };
        let found = get(target, query.query_type());
        answer.metadata.response_code = match alias.or(found) {
            _ if self.failing.contains(owner) => ResponseCode::ServFail,
            Some(_) => ResponseCode::NoError,
            None => ResponseCode::NXDomain,
        };
        for (owner, data) in [(owner, alias), (target, found)] {
            let record = data.map(|data| Record::from_rdata(owner.clone(), 60, data.clone()));
            answer.add_answers(record);
        }
        answer.add_query(query);
        answer
    }
}
