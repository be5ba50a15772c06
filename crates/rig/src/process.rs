//! How does a test start the real `postern`, talk to it and end it?

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::config::Config;
use super::metrics::Metrics;
use super::{client, place, scratch, spawn};

/// How long `serve` may take to its ready line: it waits at most 2 s for Kafka.
const READY: Duration = Duration::from_secs(15);
/// How long a short command may take.
const COMMAND: Duration = Duration::from_secs(60);

/// What a finished command left.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// All of the standard output.
    pub stdout: String,
    /// All of the standard error.
    pub stderr: String,
}

/// The command line of the real binary, with no `POSTERN_*` of the caller and a state folder of its own.
pub fn command(arguments: &[&str]) -> Command {
    command_under(&[], arguments)
}

/// The same, started by a program that replaces itself by it, such as `prlimit --nofile=256`.
pub fn command_under(wrapper: &[&str], arguments: &[&str]) -> Command {
    let mut command = match wrapper.split_first() {
        None => spawn::command(place::postern()),
        Some((program, rest)) => {
            let mut command = spawn::command(program);
            command.args(rest).arg(place::postern());
            command
        }
    };
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POSTERN_")) {
        command.env_remove(name);
    }
    command.env("XDG_STATE_HOME", scratch::folder("state")).args(arguments);
    command
}

/// Runs a short command to its end.
pub fn postern(arguments: &[&str]) -> Finished {
    finish(command(arguments), b"")
}

/// Runs a command that [`command`] made to its end, with something on its standard input.
pub fn finish(mut command: Command, input: &[u8]) -> Finished {
    command.stdin(Stdio::piped());
    let mut process = Process::spawn(command);
    let mut stdin = process.child.stdin.take().expect("it was piped");
    // A command that reads no input may be gone already.
    drop(stdin.write_all(input));
    drop(stdin);
    let code = process.wait(COMMAND);
    Finished { code, stdout: process.stdout(), stderr: process.stderr() }
}

/// A running command; it is killed with the value.
pub struct Process {
    child: Child,
    output: Arc<Output>,
    stderr: PathBuf,
    /// When it was started.
    pub started: Instant,
}

/// What a process has written on its standard output.
#[derive(Default)]
struct Output {
    /// The lines so far, and whether there will be no more.
    lines: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Process {
    /// Starts what [`command`] made.
    pub fn spawn(mut command: Command) -> Self {
        let stderr = scratch::folder("stderr").join("stderr.txt");
        let file = File::create(&stderr).expect("target/tmp is writable");
        command.stdout(Stdio::piped()).stderr(file);
        let started = Instant::now();
        let mut child = spawn::spawn(command);
        let stdout = child.stdout.take().expect("it was piped");
        let output = Arc::new(Output::default());
        let lines = Arc::clone(&output);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                lines.lock().0.push(line);
                lines.changed.notify_all();
            }
            lines.lock().1 = true;
            lines.changed.notify_all();
        });
        Self { child, output, stderr, started }
    }

    /// Waits for a line of the standard output, the earlier ones included; `None` when it does not come.
    pub fn wait_line(&self, limit: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let end = Instant::now() + limit;
        let mut state = self.output.lock();
        loop {
            if let Some(line) = state.0.iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.1 || left.is_zero() {
                return None;
            }
            let waited = self.output.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All of the standard output so far.
    pub fn stdout(&self) -> String {
        self.output.lock().0.iter().map(|line| format!("{line}\n")).collect()
    }

    /// All of the standard error so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its short name, such as `HUP`.
    pub fn signal(&self, name: &str) {
        spawn::signal(&self.child, name);
    }

    /// Asks it to stop.
    pub fn sigterm(&self) {
        self.signal("TERM");
    }

    /// Kills it at once and waits until it is gone.
    pub fn kill9(&mut self) {
        spawn::kill(&mut self.child);
    }

    /// Has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_none()
    }

    /// Waits for the end and gives the exit code, `None` after a signal; fails the test when `limit` passes first.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let Some(status) = spawn::wait(&mut self.child, limit) else {
            panic!("postern has not ended within {limit:?}; it says:\n{}", self.stderr());
        };
        // Its last words may still be in the pipe.
        self.wait_line(Duration::from_secs(5), |_| false);
        status.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
        if thread::panicking() {
            eprintln!("--- stderr of postern ({}):\n{}---", self.id(), self.stderr());
        }
    }
}

impl Output {
    fn lock(&self) -> std::sync::MutexGuard<'_, (Vec<String>, bool)> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A `postern serve` that has said that it is ready.
pub struct Postern {
    /// The process itself.
    pub process: Process,
    /// The ready line.
    pub ready: Value,
}

impl Postern {
    /// Starts `serve` with this configuration and waits for its ready line.
    pub fn start(config: &Config) -> Self {
        Self::start_with(config, |_| {})
    }

    /// The same, with a chance to add arguments or variables.
    pub fn start_with(config: &Config, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::await_ready(Self::spawn_with(config, prepare))
    }

    /// Starts `serve` and does not wait.
    pub fn spawn(config: &Config) -> Process {
        Self::spawn_with(config, |_| {})
    }

    fn spawn_with(config: &Config, prepare: impl FnOnce(&mut Command)) -> Process {
        Self::spawn_under(config, &[], prepare)
    }

    /// Starts `serve` by a wrapper (see [`command_under`]) and does not wait.
    pub fn spawn_under(
        config: &Config,
        wrapper: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Process {
        let file = config.write();
        let mut command = command_under(wrapper, &["serve", "--log", "json", "--config"]);
        command.arg(file);
        prepare(&mut command);
        Process::spawn(command)
    }

    /// Waits for the ready line of a process that [`Postern::spawn`] started.
    pub fn await_ready(mut process: Process) -> Self {
        let line = process.wait_line(READY, |line| line.contains("\"ready\""));
        let Some(line) = line else {
            let code = spawn::wait(&mut process.child, Duration::ZERO);
            panic!(
                "postern is not ready (ended: {code:?}); it says:\n{}{}",
                process.stdout(),
                process.stderr()
            );
        };
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        assert_eq!(ready["event"], "ready", "the ready line's event");
        Self { process, ready }
    }

    /// Where providers post.
    pub fn public(&self) -> SocketAddr {
        self.address("public")
    }

    /// Where the operator looks.
    pub fn admin(&self) -> SocketAddr {
        self.address("admin")
    }

    fn address(&self, member: &str) -> SocketAddr {
        let text = self.ready[member].as_str();
        let text =
            text.unwrap_or_else(|| panic!("the ready line names no {member}: {}", self.ready));
        text.parse().expect("the ready line's addresses have a bound port")
    }

    /// One POST on a connection of its own.
    pub fn post(
        &self,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> client::Response {
        client::post(self.public(), path_and_query, headers, body)
    }

    /// What `/metrics` says now.
    pub fn metrics(&self) -> Metrics {
        Metrics::read(self.admin())
    }

    /// `/status` as JSON.
    pub fn status(&self) -> Value {
        let response = client::get(self.admin(), "/status");
        serde_json::from_slice(&response.body).expect("/status is JSON")
    }
}

impl std::ops::Deref for Postern {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl std::ops::DerefMut for Postern {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
