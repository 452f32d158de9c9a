//! A merchant's browser: it keeps cookies and follows redirects.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::gateway::HttpRequest;
use crate::instance::{Answer, Instance};

/// After this many redirects a browser gives up.
const MOST_REDIRECTS: usize = 10;

/// One browser, with the cookies of the platform's host.
#[derive(Debug, Default)]
pub struct Browser {
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    /// A browser that has never been anywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// A visit, to its end: the answer is that of the last address, which is the first one where nothing redirects.
    ///
    /// All addresses are the instance's own, as those are to which its function redirects.
    pub async fn visit(&self, instance: &Instance, request: impl Into<HttpRequest>) -> Answer {
        let request = request.into();
        let mut answer = self.request(instance, request.clone()).await;
        for _ in 0..MOST_REDIRECTS {
            if answer.status != 303 {
                return answer;
            }
            answer = self.follow(instance, &request, &answer).await;
        }
        panic!("the redirects do not end");
    }

    /// One request, with the cookies so far.
    pub async fn request(&self, instance: &Instance, mut request: HttpRequest) -> Answer {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !cookies.is_empty() {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("Cookie", &pairs.join("; "));
        }
        let answer = instance.request(request).await;
        self.keep(&answer);
        answer
    }

    /// Goes where `answer` leads, with the headers of the request that it answers.
    pub async fn follow(&self, instance: &Instance, request: &HttpRequest, answer: &Answer) -> Answer {
        let next = HttpRequest::get(&format!("/{}", answer.header("location")));
        self.request(instance, HttpRequest { headers: request.headers.clone(), ..next }).await
    }

    /// Keeps the cookies that an answer sets.
    pub fn keep(&self, answer: &Answer) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for cookie in &answer.cookies {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

impl From<&str> for HttpRequest {
    fn from(path_and_query: &str) -> Self {
        Self::get(path_and_query)
    }
}

impl From<&String> for HttpRequest {
    fn from(path_and_query: &String) -> Self {
        Self::get(path_and_query)
    }
}
