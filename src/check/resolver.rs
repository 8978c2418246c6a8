//! DNS by hickory: the system's name servers, or one that the operator names.

use super::records::{Answer, Caa, Kind, Record, Records, Srv, Unanswered};
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};
use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

/// For one question to one name server.
const QUESTION_SECONDS_MAX: u64 = 3;
/// How often a question is asked.
const QUESTION_TRIES_MAX: usize = 2;

/// Asks name servers.
pub struct Dns(TokioResolver);

impl Dns {
    /// Asks this name server; none: those of the system.
    ///
    /// # Errors
    /// The system names none, or what it says cannot be read.
    pub fn new(server: Option<SocketAddr>) -> anyhow::Result<Self> {
        let mut builder = match server {
            None => Resolver::builder_tokio()?,
            Some(server) => {
                let mut ways = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                ways.iter_mut().for_each(|way| way.port = server.port());
                let server = NameServerConfig::new(server.ip(), true, ways);
                let config = ResolverConfig::from_parts(None, vec![], vec![server]);
                Resolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        // What others see counts, not what this machine's file says.
        options.use_hosts_file = ResolveHosts::Never;
        options.preserve_intermediates = true;
        options.timeout = Duration::from_secs(QUESTION_SECONDS_MAX);
        options.attempts = QUESTION_TRIES_MAX;
        Ok(Self(builder.build()?))
    }

    async fn one(&self, name: &str, kind: RecordType) -> Answer {
        let failed = |error: NetError| match error {
            NetError::Dns(error) => Unanswered::Failed(error.to_string()),
            error => Unanswered::Silent(error.to_string()),
        };
        // The dot keeps the system's search list away from it.
        let name = Name::from_ascii(format!("{name}."));
        let name = name.map_err(|error| Unanswered::Failed(error.to_string()))?;
        match self.0.lookup(name, kind).await {
            Ok(found) => Ok(found.answers().iter().filter_map(|it| record(&it.data)).collect()),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NoError | ResponseCode::NXDomain => Ok(Vec::new()),
                code => Err(Unanswered::Failed(code.to_string())),
            },
            Err(error) => Err(failed(error)),
        }
    }
}

impl Records for Dns {
    fn ask<'a>(
        &'a self,
        name: &'a str,
        kind: Kind,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            match kind {
                Kind::Address => {
                    let four = self.one(name, RecordType::A).await?;
                    let six = self.one(name, RecordType::AAAA).await?;
                    Ok([four, six].concat())
                }
                Kind::Srv => self.one(name, RecordType::SRV).await,
                Kind::Txt => self.one(name, RecordType::TXT).await,
                Kind::Caa => self.one(name, RecordType::CAA).await,
                Kind::Tlsa => self.one(name, RecordType::TLSA).await,
            }
        })
    }
}

fn record(data: &RData) -> Option<Record> {
    let plain = |name: &Name| name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    Some(match data {
        RData::A(four) => Record::Address(four.0.into()),
        RData::AAAA(six) => Record::Address(six.0.into()),
        RData::CNAME(name) => Record::Alias(plain(&name.0)),
        RData::SRV(srv) => {
            Record::Srv(Srv { priority: srv.priority, port: srv.port, target: plain(&srv.target) })
        }
        RData::TXT(text) => {
            Record::Txt(String::from_utf8_lossy(&text.txt_data.concat()).into_owned())
        }
        RData::CAA(caa) => Record::Caa(Caa {
            tag: caa.tag.to_ascii_lowercase(),
            value: String::from_utf8_lossy(&caa.value).into_owned(),
        }),
        RData::TLSA(_) => Record::Tlsa,
        _ => return None,
    })
}
