//! How are processes started so that none of them outlives the tests, however these end?
//!
//! The kernel is asked to kill a child when its parent is gone (`PR_SET_PDEATHSIG`, set by util-linux's `setpriv`).
//! By parent it means the *thread* that started the child, so one thread that never ends starts them all.

use std::ffi::OsStr;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

/// A command that dies with this process; [`spawn`] starts it.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program).stdin(Stdio::null());
    command
}

/// Starts what [`command`] made.
pub fn spawn(command: Command) -> Child {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in inbox {
                reply.send(command.spawn()).expect("the one who ordered waits");
            }
        });
        orders
    });
    let (reply, child) = mpsc::sync_channel(1);
    spawner.send((command, reply)).expect("the spawner never ends");
    let child = child.recv().expect("the spawner answers each order");
    child.unwrap_or_else(|error| panic!("setpriv does not start ({error}); it is in util-linux"))
}

/// Sends a signal by its short name (`TERM`, `STOP`) to a child that has not been waited for.
pub fn signal(child: &Child, name: &str) {
    // The shell's own kill: a minimal Debian has no other.
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &child.id().to_string()])
        .status()
        .expect("every system has sh");
    assert!(status.success(), "process {} does not take SIG{name}: it has ended", child.id());
}

/// Waits for the end of a child; `None` when it takes longer than `limit`.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return Some(status);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a child at once (SIGKILL) and waits until it is gone. One that has ended already is fine.
pub fn kill(child: &mut Child) {
    child.kill().expect("the child is ours");
    child.wait().expect("the child is ours");
}
