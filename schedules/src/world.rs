//! One world: a WeChat, the tables, and processes of the functions, in virtual time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use sandbox::gateway::HttpRequest;
use sandbox::wechat::Account;
use sandbox::{Answer, Sandbox};
use serde_json::Value;
use wechat_authorizer::config::Config;
use wechat_authorizer::time::Clock;

use crate::life::Life;
use crate::notes::Notes;
use crate::product::{self, App, Function};
use crate::tables::Tables;
use crate::time::Time;
use crate::wechat::Front;
use crate::wire::{Wire, scatter};

/// How many merchants there are to whom something can happen; there is one more.
pub const MERCHANTS: u8 = 3;

/// The index of our own clock among those that [`Time`] drives; WeChat's is the first.
pub const OUR_CLOCK: usize = 1;

/// Everything of one world.
pub struct World {
    /// The simulated WeChat.
    pub sandbox: Sandbox,
    /// The tables.
    pub tables: Tables,
    /// Both wires.
    pub wire: Wire,
    /// Virtual time.
    pub time: Time,
    /// The platform's clock, which need not be WeChat's.
    pub clock: Clock,
    /// The merchants' accounts.
    pub accounts: Vec<Account>,
    /// What happened so far.
    pub notes: RefCell<Notes>,
    seed: u64,
    front: Front,
    config: Config,
    processes: RefCell<Vec<Rc<Process>>>,
    born: Cell<u32>,
}

struct Process {
    number: u32,
    function: Function,
    app: App,
    life: Life,
    busy: Cell<bool>,
}

impl World {
    /// A world in which nothing has happened yet, on the runtime of `time`.
    pub async fn new(time: &Time, seed: u64, ahead: i64) -> Self {
        // The sandbox's secrets and the SDK's jitter come from here.
        fastrand::seed(seed);
        time.begin();
        let starting = time.moving();
        let sandbox = Sandbox::start_without_ticket().await;
        let wire = Wire::new(seed);
        let front = Front::start(&sandbox.wechat.base_url, &wire, time).await;
        let clock = Clock::default();
        time.drive(&sandbox.clock, ahead);
        time.drive(&clock, 0);
        let accounts: Vec<Account> = (0..=MERCHANTS).map(account).collect();
        for account in &accounts {
            sandbox.wechat.add_account(account.clone());
        }
        drop(starting);
        let config = product::config(&sandbox, &front.base_url);
        let tables = product::tables();
        let notes = RefCell::default();
        let processes = RefCell::default();
        let time = time.clone();
        let born = Cell::default();
        Self { sandbox, tables, wire, time, clock, accounts, notes, seed, front, config, processes, born }
    }

    /// The appid of a merchant's account.
    pub fn appid(&self, merchant: u8) -> &str {
        &self.accounts[usize::from(merchant)].appid
    }

    /// The platform's appid.
    pub fn component(&self) -> &str {
        &self.sandbox.wechat.component_appid
    }

    /// The record of a merchant's account.
    pub fn record(&self, merchant: u8) -> product::Record {
        product::record(&self.tables, self.component(), self.appid(merchant))
    }

    /// A visit or a push, with what its process does after the answer. None if the process died before that.
    pub async fn request(&self, function: Function, request: HttpRequest) -> Option<Answer> {
        let process = self.process(function);
        let before = self.wire.count();
        // Boxed: a function's future is deep.
        let request = Box::pin(process.app.answer(request));
        let Some((answer, left)) = process.life.live(function.limit(), request).await else {
            self.done(&process, true);
            return None;
        };
        self.wire.facts(|facts| facts.ended(process.number));
        self.judge_passing(&process, before, answer.status < 500);
        let lived = process.life.live(function.limit(), left.run()).await;
        // Lambda ends a process whose invocation failed.
        self.done(&process, answer.error.is_some() || lived.is_none());
        Some(answer)
    }

    /// An invocation with JSON: its answer or its error's name. None if the process died.
    pub async fn invoke(&self, function: Function, event: Value) -> Option<Result<Value, String>> {
        self.ask(function, event, || false).await
    }

    /// The same for a question that the function may be right to refuse whatever its requests met, as `may_refuse` says
    /// when it has.
    pub async fn ask(
        &self,
        function: Function,
        event: Value,
        may_refuse: impl FnOnce() -> bool,
    ) -> Option<Result<Value, String>> {
        let process = self.process(function);
        let before = self.wire.count();
        let limit = function.limit();
        let invocation = tokio::time::timeout(limit, Box::pin(process.app.invoke(event, limit)));
        let answer = process.life.live(limit, invocation).await;
        let answer = answer.map(|answer| answer.unwrap_or_else(|_| Err("timed out".to_owned())));
        if let Some(answer) = &answer {
            let refuses = matches!(answer, Err(name) if name.contains("navailable"));
            self.judge_passing(&process, before, !refuses || may_refuse());
        }
        self.done(&process, !matches!(answer, Some(Ok(_))));
        answer
    }

    /// A process that has nothing to do: mostly a warm one, if there is one.
    fn process(&self, function: Function) -> Rc<Process> {
        let number = self.born.get() + 1;
        let mut processes = self.processes.borrow_mut();
        let warm = processes.iter().find(|process| process.function == function && !process.busy.get());
        if let Some(process) = warm.filter(|_| !scatter(self.seed ^ u64::from(number)).is_multiple_of(4)) {
            process.busy.set(true);
            return process.clone();
        }
        self.born.set(number);
        let life = Life::default();
        self.wire.born(number, &life);
        let app = function.start(&self.config, &self.aws(number), self.front.http(number), &self.clock);
        let process = Rc::new(Process { number, function, app, life, busy: Cell::new(true) });
        processes.push(process.clone());
        process
    }

    /// One fault that passes is nothing that anybody outside need notice.
    fn judge_passing(&self, process: &Process, before: usize, well: bool) {
        if let [fault] = self.wire.faults(process.number, before)[..]
            && fault.passes()
            && !well
        {
            let function = process.function;
            self.notes.borrow_mut().broke(format!("{function:?} fails because one request {fault}"));
        }
    }

    fn done(&self, process: &Process, ended: bool) {
        process.busy.set(false);
        self.wire.facts(|facts| facts.ended(process.number));
        if ended || process.life.is_over() {
            process.life.kill();
            self.processes.borrow_mut().retain(|other| other.number != process.number);
        }
    }

    fn aws(&self, process: u32) -> SdkConfig {
        let credentials = Credentials::new("schedules", "schedules", None, None, "schedules");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            // The SDK counts its retries by region for the whole process: one for each, as in Lambda.
            .region(Region::new(format!("world-{}-{process}", self.seed % 64)))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url("http://dynamodb.invalid")
            .retry_config(RetryConfig::standard())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .http_client(self.tables.client(&self.wire, process))
            .build()
    }
}

/// Names that no page has by chance.
fn account(merchant: u8) -> Account {
    let names = ["山茶书店", "晨跑打卡", "云边茶馆", "老街面馆"];
    let account = Account::official_account(names[usize::from(merchant)]);
    Account { appid: format!("wx5a4db0c0000a{merchant:04}"), ..account }
}
