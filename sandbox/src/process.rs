//! One process of the artifact, as Lambda starts, freezes and kills it, and what it costs.

mod runtime_api;

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use runtime_api::{Poll, RuntimeApi};

/// What is started.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The binary.
    pub binary: PathBuf,
    /// `_HANDLER`.
    pub handler: &'static str,
    /// Its environment, beside what Lambda sets.
    pub variables: BTreeMap<String, String>,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// The processor that it is kept on; any if none.
    pub processor: Option<usize>,
}

/// A running process; it ends with this value.
pub struct Process {
    child: Child,
    started: Instant,
    api: RuntimeApi,
    poll: Option<Poll>,
    log: PathBuf,
}

impl Process {
    /// Starts the artifact with a separate Runtime API, and does not wait for it.
    pub async fn start(artifact: &Artifact) -> Result<Self, Box<dyn Error>> {
        let api = RuntimeApi::start(artifact.timeout).await?;
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("artifact-{}-{}.log", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let log = env::temp_dir().join(name);
        let mut command = match artifact.processor {
            None => Command::new(&artifact.binary),
            Some(processor) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", &processor.to_string()]).arg(&artifact.binary);
                command
            }
        };
        command
            .env_clear()
            .envs(&artifact.variables)
            .env("_HANDLER", artifact.handler)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?);
        let started = Instant::now();
        let child = command.spawn()?;
        Ok(Self { child, started, api, poll: None, log })
    }

    /// How long it took from the start to the first poll.
    pub async fn first_poll(&mut self) -> Result<Duration, Box<dyn Error>> {
        Ok(self.ready().await? - self.started)
    }

    /// How long ago the process was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Waits until the process has nothing left to do. Returns when that was.
    pub async fn ready(&mut self) -> Result<Instant, Box<dyn Error>> {
        if self.poll.is_none() {
            let poll = self.api.poll().await;
            self.poll = Some(poll.map_err(|error| format!("{error}; its log is {}", self.log.display()))?);
        }
        Ok(self.poll.as_ref().map_or_else(Instant::now, |poll| poll.at))
    }

    /// Hands over an event. Returns when that was, when the answer was there, and the answer.
    pub async fn invoke(&mut self, event: Value) -> Result<(Instant, Instant, Value), Box<dyn Error>> {
        self.ready().await?;
        let poll = self.poll.take().ok_or("the process does not poll")?;
        let began = Instant::now();
        poll.event.send(event).map_err(|_| "the process has ended")?;
        let answer = self.api.answer().await;
        let answer = answer.map_err(|error| format!("{error}; its log is {}", self.log.display()))?;
        Ok((began, answer.at, answer.result?))
    }

    /// What it has logged so far.
    pub fn log(&self) -> io::Result<String> {
        fs::read_to_string(&self.log)
    }

    /// Stops it where it is, as Lambda does between invocations.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal("STOP")
    }

    /// Lets it go on.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("CONT")
    }

    /// Ends it at once.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        let status =
            Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("the process has ended")) }
    }

    /// The processor time of all its threads so far.
    pub fn processor_time(&self) -> io::Result<Duration> {
        processor_time(&self.proc("task"))
    }

    /// The most memory that was resident at any time, in bytes.
    pub fn peak_memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        Ok(number(line.and_then(|line| line.trim().strip_suffix(" kB")))? * 1024)
    }

    fn proc(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(file)
    }
}

/// The processor time of the threads of this process so far.
pub fn own_processor_time() -> io::Result<Duration> {
    processor_time(Path::new("/proc/self/task"))
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.log);
    }
}

/// From the scheduler's account in nanoseconds: `stat` counts in hundredths of a second, which is more than a
/// hundred invocations of the empty function.
fn processor_time(tasks: &Path) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(tasks)? {
        let account = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += number(account.split(' ').next())?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn number(text: Option<&str>) -> io::Result<u64> {
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| io::Error::other("/proc has another format"))
}
