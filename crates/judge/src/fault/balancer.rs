//! How do two replicas stand behind a balancer? haproxy, which asks for readiness as an orchestrator does.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;

use postern_rig::ports::free_port;
use postern_rig::{eventually, scratch, spawn};

use crate::tool;

/// A running haproxy; it ends with the value.
pub(crate) struct Balancer {
    process: Child,
    /// Where senders post.
    pub(crate) port: u16,
}

impl Balancer {
    /// Spreads requests over replicas, each given by its public and its admin port. Nothing is tried twice: what a
    /// replica does to a request, its sender sees. A replica that says 503 is out at once; one that a busy machine lets
    /// wait is not.
    pub(crate) fn start(replicas: &[(u16, u16)]) -> Self {
        let haproxy = tool::find("haproxy", "haproxy");
        let port = free_port();
        let mut text = format!(
            "defaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n  timeout server 10s\n  timeout check 2s\n  retries 0\n\
             frontend senders\n  bind 127.0.0.1:{port}\n  default_backend replicas\n\
             backend replicas\n  balance roundrobin\n  option httpchk GET /readyz\n"
        );
        for (place, (public, admin)) in replicas.iter().enumerate() {
            writeln!(
                text,
                "  server replica{place} 127.0.0.1:{public} check port {admin} inter 100ms fall 1 rise 1"
            )
            .expect("a String takes any text");
        }
        let folder = scratch::folder("haproxy");
        let file = folder.join("haproxy.cfg");
        fs::write(&file, text).expect("the target directory is writable");
        let mut command = spawn::command(haproxy);
        command.arg("-db").arg("-f").arg(&file);
        // It says each time that a replica goes and comes.
        let log = File::create(folder.join("haproxy.log")).expect("the folder is writable");
        command.stderr(log);
        let balancer = Self { process: spawn::spawn(command), port };
        let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(
            eventually(Duration::from_secs(5), listens),
            "haproxy does not listen; see {}",
            file.display()
        );
        balancer
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        spawn::kill(&mut self.process);
    }
}
