//! Keeps the certificates that are served up to date: looks at the files now and then, and when the
//! operator says so, and orders what is missing or will expire.

use crate::{
    acme::Desk,
    certificate::CertificateError,
    certificates::{Certificates, Sources, Stamp},
    limits::WATCH_PAUSE,
    meters::Meters,
    tls::Tls,
};
use std::sync::Arc;
use tokio::{sync::watch, task::spawn_blocking, time::sleep};

/// What is served, and how it is known whether that is still right.
pub struct Keeper {
    sources: Sources,
    certificates: Arc<Certificates>,
    stamps: Vec<Stamp>,
}

impl Keeper {
    /// Loads what there is.
    ///
    /// # Errors
    /// Nothing can be served.
    pub fn begin(sources: Sources) -> Result<Self, CertificateError> {
        // Before they are read: what changes meanwhile will be seen.
        let stamps = sources.stamps();
        let certificates = Arc::new(sources.load(None)?);
        Ok(Self { sources, certificates, stamps })
    }

    /// What there is.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Goes on until the server stops. What is `told` is read again, also when it is the same.
    pub(crate) async fn run(
        mut self,
        tls: Tls,
        meters: Arc<Meters>,
        mut told: watch::Receiver<Sources>,
        mut stopping: watch::Receiver<bool>,
    ) {
        report(&self.certificates, &meters);
        let mut desk = Desk::new(tls.challenges.clone(), meters.clone());
        loop {
            self.order(&mut desk).await;
            let cause = tokio::select! {
                () = async { drop(stopping.wait_for(|it| *it).await) } => return,
                asked = told.changed() => match asked {
                    Ok(()) => Some("SIGHUP"),
                    Err(_) => return,
                },
                () = desk.done() => Some("ACME"),
                () = sleep(WATCH_PAUSE) => None,
            };
            if cause == Some("SIGHUP") {
                self.sources = told.borrow_and_update().clone();
                desk.forget_account();
            }
            if cause.is_some() || self.is_outdated().await {
                self.reload(cause.unwrap_or("a file has changed"), &tls, &meters).await;
            }
        }
    }

    async fn order(&self, desk: &mut Desk) {
        let Some(acme) = &self.sources.acme else { return };
        let (sources, certificates) = (self.sources.clone(), self.certificates.clone());
        if let Ok(due) = spawn_blocking(move || sources.due(&certificates)).await {
            desk.order(acme, due);
        }
    }

    async fn is_outdated(&self) -> bool {
        let sources = self.sources.clone();
        let stamps = spawn_blocking(move || sources.stamps()).await;
        stamps.is_ok_and(|stamps| stamps != self.stamps)
    }

    async fn reload(&mut self, cause: &str, tls: &Tls, meters: &Meters) {
        let (sources, before) = (self.sources.clone(), self.certificates.clone());
        let load = move || (sources.stamps(), sources.load(Some(&before)));
        let Ok((stamps, loaded)) = spawn_blocking(load).await else { return };
        self.stamps = stamps;
        let swapped = loaded.map_err(|error| error.to_string()).and_then(|certificates| {
            tls.swap(&certificates).map_err(|error| error.to_string())?;
            Ok(certificates)
        });
        match swapped {
            Ok(certificates) => {
                tracing::info!(cause, "the certificates were read again");
                report(&certificates, meters);
                self.certificates = Arc::new(certificates);
            }
            Err(error) => tracing::error!(cause, error, "the old certificates stay"),
        }
    }
}

/// To the operator, and to Prometheus.
fn report(certificates: &Certificates, meters: &Meters) {
    for (domain, found) in &certificates.served {
        let (file, days) = (found.file.display(), found.certificate.days_left());
        let self_signed = found.certificate.self_signed;
        meters.certificate(domain, found.certificate.expires, self_signed);
        tracing::info!(domain, %file, days, self_signed, "certificate");
    }
    for error in &certificates.troubles {
        tracing::error!(%error, "a certificate cannot be served; what was there before stays");
    }
}
