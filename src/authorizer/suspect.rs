//! Accounts of which WeChat said twice that they revoked: their tokens are deleted at the end of a run, and not if
//! there are so many that WeChat, or a setting, is more likely at fault.

use super::Authorizers;
use crate::metric;
use crate::time::Timestamp;
use crate::wechat::Appid;

/// More suspected accounts in one run than this are a wave, and none of them loses its tokens.
const WAVE: usize = 10;

/// An account of which two different answers of WeChat say that the merchant revoked.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    /// The account.
    pub authorizer_appid: Appid,
    /// The version of the record that the answers are about.
    pub version: Option<i64>,
    /// The time that the revocation gets.
    pub revoked_at: Timestamp,
}

/// The suspected accounts of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suspects(Vec<Suspect>);

impl Suspects {
    /// Adds one. True if they are a wave by now, and no other account must be begun.
    pub(crate) fn add(&mut self, suspect: Suspect) -> bool {
        self.0.push(suspect);
        self.is_wave()
    }

    fn is_wave(&self) -> bool {
        self.0.len() > WAVE
    }
}

impl Authorizers {
    /// Removes the tokens of the suspected accounts whose records nobody has written since, or of none if they are a
    /// wave. Returns how many were revoked, and how many were left alone because of the wave.
    pub(crate) async fn settle(&self, suspects: Suspects) -> (usize, usize) {
        if suspects.is_wave() {
            let accounts = suspects.0.len();
            tracing::error!(
                accounts,
                advice = "check COMPONENT_APPID and the platform's standing",
                "WeChat answers 61003 for many accounts at once: nothing was deleted"
            );
            return (0, accounts);
        }
        let mut revoked = 0;
        for suspect in suspects.0 {
            let appid = &suspect.authorizer_appid;
            match self.services.store.revoke_suspect(&suspect, self.services.clock.now()).await {
                Ok(true) => {
                    revoked += 1;
                    metric::refresh("revoked");
                    tracing::info!(authorizer.appid = %appid, "WeChat says that the merchant revoked");
                }
                Ok(false) => {
                    tracing::info!(authorizer.appid = %appid, "the record was written meanwhile, and stays");
                }
                Err(error) => tracing::warn!(authorizer.appid = %appid, "{error}"),
            }
        }
        (revoked, 0)
    }
}
