//! Which certificate each domain is served with: from files, else ordered by ACME, else one that
//! signs itself. What is wrong with one never keeps another from being served.

mod folder;
mod self_signed;

use crate::{
    acme::Acme,
    certificate::{Certificate, CertificateError},
};
use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, sync::Arc, time::SystemTime};

/// Where certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The domains served; the first is the default.
    pub domains: Vec<String>,
    /// One pair of PEM files.
    pub pair: Option<Pair>,
    /// A folder with more of them.
    pub folder: Option<PathBuf>,
    /// From whom they are ordered for domains that no file is for.
    pub acme: Option<Acme>,
    /// Where a self-signed one is kept.
    pub data: PathBuf,
}

/// Two PEM files: a certificate with its chain, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate, then its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Where a certificate comes from. The later is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Made here: nobody vouches for it.
    SelfSigned,
    /// Ordered from an authority.
    Acme,
    /// The operator's files.
    Files,
}

/// A certificate, and where it comes from.
#[derive(Clone, Debug)]
pub struct Found {
    /// The file it is in.
    pub file: PathBuf,
    /// Who put it there.
    pub origin: Origin,
    /// Itself.
    pub certificate: Arc<Certificate>,
}

/// All certificates that are served.
#[derive(Debug)]
pub struct Certificates {
    /// With which each domain is served, in the order of the settings: the first is the default.
    pub served: Vec<(String, Found)>,
    /// All that can be served, those for no domain of ours too: a host has a name of its own.
    pub(crate) found: Vec<Found>,
    /// What cannot be served.
    pub troubles: Vec<CertificateError>,
}

/// What tells that a file has changed.
pub(crate) type Stamp = (PathBuf, Option<(SystemTime, u64, u64)>);

impl Pair {
    fn read(&self, origin: Origin) -> Result<Found, CertificateError> {
        let certificate = Arc::new(Certificate::read(&self.certificate, &self.key)?);
        Ok(Found { file: self.certificate.clone(), origin, certificate })
    }
}

impl Sources {
    /// Reads all, and makes what is missing. With those of `before`, a domain keeps what it had
    /// when what is there instead cannot be read.
    ///
    /// # Errors
    /// What the settings name cannot be read, and there is none `before`; or none can be made.
    pub fn load(&self, before: Option<&Certificates>) -> Result<Certificates, CertificateError> {
        let mut troubles = Vec::new();
        let mut found = Vec::new();
        let mut pairs: Vec<Pair> = self.pair.iter().cloned().collect();
        match self.listed(&mut troubles) {
            Ok(listed) => pairs.extend(listed),
            Err(error) if before.is_none() => return Err(error),
            Err(error) => troubles.push(error),
        }
        let pairs = pairs.into_iter().map(|pair| (pair, Origin::Files));
        let ordered = self.ordered().into_iter().map(|pair| (pair, Origin::Acme));
        for (pair, origin) in pairs.chain(ordered) {
            match pair.read(origin) {
                Ok(read) => found.push(read),
                Err(error) if before.is_none() && self.pair.as_ref() == Some(&pair) => {
                    return Err(error);
                }
                Err(error) => {
                    let old = before.iter().flat_map(|before| &before.found);
                    found.extend(old.filter(|old| old.file == pair.certificate).cloned());
                    troubles.push(error);
                }
            }
        }
        self.choose(found, troubles, before)
    }

    fn choose(
        &self,
        found: Vec<Found>,
        mut troubles: Vec<CertificateError>,
        before: Option<&Certificates>,
    ) -> Result<Certificates, CertificateError> {
        let old = |domain: &str| {
            let served = before.iter().flat_map(|before| &before.served);
            served.filter(|(of, _)| of == domain).map(|(_, old)| old).next()
        };
        let choose = |domain: &str| {
            let best = best(&found, domain);
            // Something may be there in the place of the old one, but cannot be read.
            let keep = |old: &&Found| best.is_none_or(|best| old.worth() > best.worth());
            let old = old(domain).filter(|old| !troubles.is_empty() && keep(old));
            old.or(best).cloned()
        };
        let mut served: Vec<(&String, Option<Found>)> =
            self.domains.iter().map(|domain| (domain, choose(domain))).collect();
        let left: Vec<&str> = served
            .iter()
            .filter(|(_, it)| it.is_none())
            .map(|(domain, _)| domain.as_str())
            .collect();
        if !left.is_empty() {
            let made = match self.self_signed(&left) {
                Err(error) if before.is_none() => return Err(error),
                made => made.map_err(|error| troubles.push(error)).ok(),
            };
            for (domain, it) in &mut served {
                *it = it.take().or_else(|| made.clone()).or_else(|| old(domain).cloned());
            }
        }
        let served = served.into_iter().filter_map(|(domain, it)| Some((domain.clone(), it?)));
        Ok(Certificates { served: served.collect(), found, troubles })
    }

    fn self_signed(&self, domains: &[&str]) -> Result<Found, CertificateError> {
        let certificate = Arc::new(self_signed::load(&self.data, domains)?);
        let file = self.data.join(self_signed::FILE);
        Ok(Found { file, origin: Origin::SelfSigned, certificate })
    }

    /// The pairs of the folder.
    fn listed(&self, troubles: &mut Vec<CertificateError>) -> Result<Vec<Pair>, CertificateError> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        folder::pairs(folder, troubles)
            .map_err(|error| CertificateError::File(folder.clone(), error))
    }

    /// What has been ordered for any of our names.
    fn ordered(&self) -> Vec<Pair> {
        let Some(acme) = &self.acme else { return Vec::new() };
        let pairs = acme.wanted(&self.domains).into_iter().map(|name| acme.shelf().pair(&name));
        pairs.filter(|pair| pair.certificate.exists()).collect()
    }

    /// For whom a certificate is to be ordered now.
    pub(crate) fn due(&self, certificates: &Certificates) -> Vec<String> {
        let Some(acme) = &self.acme else { return Vec::new() };
        let found = &certificates.found;
        let is_due = |name: &String| {
            let given = best(found, name).is_some_and(|it| it.worth() == (true, Origin::Files));
            let file = acme.shelf().pair(name).certificate;
            let ordered = found.iter().find(|it| it.file == file);
            !given && acme.is_due(name, ordered.map(|it| &*it.certificate))
        };
        acme.wanted(&self.domains).into_iter().filter(is_due).collect()
    }

    /// Changes when a file does.
    pub(crate) fn stamps(&self) -> Vec<Stamp> {
        let listed = self.listed(&mut Vec::new()).unwrap_or_default();
        let files = |pair: Pair| [pair.certificate, pair.key];
        self.pair.iter().cloned().chain(listed).flat_map(files).map(stamp).collect()
    }
}

impl Found {
    /// One that is valid now is worth more than one that is not, whoever put it there.
    fn worth(&self) -> (bool, Origin) {
        (self.certificate.is_current(), self.origin)
    }
}

/// The one for this domain that is worth most, and lasts longest.
fn best<'a>(found: &'a [Found], domain: &str) -> Option<&'a Found> {
    let fit = found.iter().filter(|it| it.certificate.covers(domain));
    fit.max_by_key(|it| (it.worth(), it.certificate.expires))
}

fn stamp(file: PathBuf) -> Stamp {
    let told = fs::metadata(&file);
    let told = told.and_then(|told| Ok((told.modified()?, told.len(), told.ino()))).ok();
    (file, told)
}

#[cfg(test)]
mod tests;
