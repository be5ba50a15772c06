//! What does a process cost, as the kernel counts it, and how does a child of the benchmark live and end?

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use postern_rig::spawn;

use crate::load::Watch;

/// Clock ticks a second in `/proc`, fixed by the kernel's interface on Linux (USER_HZ).
const TICKS: u64 = 100;

/// CPU time that a process has used, user and system.
///
/// # Errors
/// When there is no such process.
pub(crate) fn cpu(id: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))
        .with_context(|| format!("process {id} has ended"))?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| -> anyhow::Result<u64> {
        Ok(fields.get(at).context("/proc/PID/stat is short")?.parse()?)
    };
    // utime and stime are fields 14 and 15 of proc(5); the two first are gone with the name.
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * 1_000 / TICKS))
}

/// Memory that a process has resident, and the most it ever had, in bytes.
///
/// # Errors
/// When there is no such process.
pub(crate) fn memory(id: u32) -> anyhow::Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))
        .with_context(|| format!("process {id} has ended"))?;
    let kib = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|line| line.split_whitespace().next());
        Ok(word.with_context(|| format!("/proc/PID/status lacks {name}"))?.parse::<u64>()? * 1_024)
    };
    Ok((kib("VmRSS:")?, kib("VmHWM:")?))
}

/// CPU time of the calling thread.
///
/// # Errors
/// When the kernel does not count it.
pub(crate) fn thread_cpu() -> anyhow::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")
        .context("the kernel keeps no scheduler statistics (CONFIG_SCHED_INFO)")?;
    let nanos = text.split_whitespace().next().context("/proc/thread-self/schedstat is empty")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// Notes the CPU time of a server at the ends of a measurement.
#[derive(Debug)]
pub(crate) struct CpuWatch {
    id: u32,
    begun: Duration,
    /// What was used between the two ends.
    pub(crate) used: Duration,
}

impl CpuWatch {
    /// Of this process.
    #[must_use]
    pub(crate) fn of(id: u32) -> Self {
        Self { id, begun: Duration::ZERO, used: Duration::ZERO }
    }

    /// The process.
    #[must_use]
    pub(crate) fn id(&self) -> u32 {
        self.id
    }
}

impl Watch for CpuWatch {
    fn begin(&mut self) -> anyhow::Result<()> {
        self.begun = cpu(self.id)?;
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.used = cpu(self.id)?.saturating_sub(self.begun);
        Ok(())
    }
}

/// A child process; it is killed with the value.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// The first line that it wrote.
    pub(crate) hello: String,
}

impl Running {
    /// Starts a command of [`spawn::command`] and waits for its first line of standard output.
    ///
    /// # Errors
    /// When it does not start, or ends without a word.
    pub(crate) fn start(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let name = name_of(&command);
        let words = File::create(log).with_context(|| format!("no file {}", log.display()))?;
        command.stdout(Stdio::piped()).stderr(words);
        let mut running = Self { child: spawn::spawn(command), hello: String::new() };
        let stdout = running.child.stdout.take().context("standard output was piped")?;
        let mut lines = BufReader::new(stdout);
        lines.read_line(&mut running.hello)?;
        if running.hello.is_empty() {
            let words = fs::read_to_string(log).unwrap_or_default();
            bail!("{name} ended before it was ready; it says:\n{words}");
        }
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
        Ok(running)
    }

    /// Its process id.
    #[must_use]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

fn name_of(command: &Command) -> String {
    // The words before it are setpriv's.
    let program = command.get_args().nth(3).unwrap_or(command.get_program());
    program.to_string_lossy().into_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good as killed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
