//! What belongs to one authorization.

use std::time::Instant;

use aws_lc_rs::digest;
use sandbox::wechat::ConsentVisit;

use super::step::Step;

/// How the steps of one authorization are told from those of others.
pub(super) struct Trail {
    pub(super) authorizer_appid: String,
    /// The launches' ids in it.
    pub(super) launches: Vec<String>,
    /// Its codes, its launch, and their digests in the tables: whatever has one of them belongs to it.
    marks: Vec<String>,
    /// From its consent to the account's next one the account's name alone says so, too.
    agreed: Instant,
    next: Option<Instant>,
}

impl Trail {
    /// Of the consent with this number.
    pub(super) fn of(consents: &[ConsentVisit], number: usize) -> Option<Self> {
        let mut agreed = consents.iter().filter_map(|visit| Some((visit, visit.agreement.as_ref()?)));
        let (visit, agreement) = agreed.nth(number)?;
        let next = agreed.find(|(_, next)| next.authorizer_appid == agreement.authorizer_appid);
        let query = agreement.location.split_once('?').map_or("", |(_, query)| query);
        let launches = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "launch");
        let launches: Vec<_> = launches.map(|(_, id)| id.into_owned()).collect();
        let mut marks =
            [&agreement.codes[..], &launches, std::slice::from_ref(&visit.pre_auth_code)].concat();
        marks.extend(marks.iter().map(|mark| digest_of(mark)).collect::<Vec<_>>());
        Some(Self {
            authorizer_appid: agreement.authorizer_appid.clone(),
            launches,
            marks,
            agreed: visit.at,
            next: next.map(|(visit, _)| visit.at),
        })
    }

    pub(super) fn has(&self, step: &Step) -> bool {
        let while_it_stands = step.at >= self.agreed && self.next.is_none_or(|next| step.at < next);
        self.marks.iter().any(|mark| step.mentions(mark))
            || while_it_stands && step.mentions(&self.authorizer_appid)
    }
}

/// As the tables' keys have it.
fn digest_of(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
