//! Who may issue certificates for a domain (RFC 8659, RFC 8657).

use super::{finding::Finding, records::Caa, srv::unanswered, zone::Zone};

const WHAT: &str = "caa";

/// What ACME has to do with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acme {
    /// The name by which the authority knows itself in these records.
    pub authority: String,
    /// The URI of the account there, when there is one already (RFC 8657 §3).
    pub account: Option<String>,
    /// The ways by which it validates (RFC 8657 §4), such as `http-01`.
    pub methods: Vec<String>,
}

impl Acme {
    /// The value of the record that lets this account issue, and nobody else.
    pub fn value(&self) -> String {
        let mut value = self.authority.clone();
        if let Some(account) = &self.account {
            value += &format!("; accounturi={account}");
        }
        if !self.methods.is_empty() {
            value += &format!("; validationmethods={}", self.methods.join(","));
        }
        value
    }
}

/// Whether certificates can be ordered; nothing to say where they are not.
pub fn judge(zone: &Zone, acme: Option<&Acme>) -> Option<Finding> {
    let (acme, domain) = (acme?, &zone.domain.ascii);
    let caa = match &zone.caa {
        Ok(caa) => caa,
        Err(why) => return Some(unanswered(domain, why)),
    };
    let issue: Vec<_> = caa.iter().filter(|caa| caa.tag == "issue").collect();
    if issue.is_empty() {
        let found = format!("any authority may issue certificates for {domain}");
        return Some(Finding::warning(WHAT, found, "create the CAA record below"));
    }
    let verdicts: Vec<_> = issue.iter().map(|caa| allows(caa, acme)).collect();
    if verdicts.contains(&Ok(())) {
        let found = format!("{} may issue certificates for {domain}", acme.authority);
        return Some(Finding::ok(WHAT, found));
    }
    let why = verdicts.into_iter().find_map(|verdict| verdict.err()?);
    let why = why.unwrap_or_else(|| format!("{} is not among them", acme.authority));
    let found = format!("the records of {domain} forbid ours: {why}");
    Some(Finding::problem(WHAT, found, "create the CAA record below"))
}

/// # Errors
/// Why not; none: it is about another authority.
fn allows(caa: &Caa, acme: &Acme) -> Result<(), Option<String>> {
    let mut parts = caa.value.split(';').map(str::trim);
    if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case(&acme.authority)) {
        return Err(None);
    }
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        let account = acme.account.as_deref().unwrap_or(value);
        if key == "accounturi" && value != account {
            return Err(Some(format!("accounturi is {value}, ours is {account}")));
        }
        let mut methods = value.split(',');
        if key == "validationmethods" && !methods.any(|it| acme.methods.iter().any(|by| by == it)) {
            return Err(Some(format!("validationmethods are {value}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{
        domain::Domain,
        finding::Level::{self, Ok as Fine, Problem, Warning},
        records::{Kind, Record, fake::Fake},
    };

    async fn level(values: &[&str]) -> Level {
        let acme = Acme {
            authority: "letsencrypt.org".to_owned(),
            account: Some("https://ca.example/acct/1".to_owned()),
            methods: vec!["http-01".to_owned()],
        };
        let record =
            |value: &&str| Record::Caa(Caa { tag: "issue".to_owned(), value: (*value).to_owned() });
        let records: Vec<_> = values.iter().map(record).collect();
        let fake = Fake::default().with("example.org", Kind::Caa, &records);
        let zone = Zone::read(&fake, &Domain::of("chat.example.org"), &[]).await;
        judge(&zone, Some(&acme)).unwrap().level
    }

    #[tokio::test]
    async fn the_authority_its_account_and_its_method_must_be_allowed() {
        assert_eq!(level(&[]).await, Warning);
        assert_eq!(level(&["letsencrypt.org"]).await, Fine);
        assert_eq!(level(&["ca.example", "letsencrypt.org"]).await, Fine);
        assert_eq!(level(&["ca.example"]).await, Problem);
        assert_eq!(level(&[";"]).await, Problem);
        let right = "letsencrypt.org; accounturi=https://ca.example/acct/1";
        assert_eq!(level(&[right]).await, Fine);
        let other = "letsencrypt.org; accounturi=https://ca.example/acct/2";
        assert_eq!(level(&[other]).await, Problem);
        assert_eq!(level(&[other, right]).await, Fine);
        assert_eq!(level(&["letsencrypt.org; validationmethods=dns-01"]).await, Problem);
        assert_eq!(level(&["letsencrypt.org;validationmethods=dns-01,http-01"]).await, Fine);
    }
}
