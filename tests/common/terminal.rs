//! A terminal, as a person has it.

use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::watching::DEADLINE;

/// castline in a terminal, as a person has it.
pub struct Terminal {
    pub child: Child,
    master: fs::File,
    slave: fs::File,
    pub screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Begins what a command says, on 80 columns and 24 rows.
    pub fn start(command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("ours");
        let name = PathBuf::from(ptsname(&master, Vec::new()).expect("named").to_str().expect("UTF-8"));
        tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).expect("sized");
        let slave = fs::File::options().read(true).write(true).open(name).expect("opened");
        let side = || Stdio::from(OwnedFd::from(slave.try_clone().expect("another")));
        let child = command
            .env("TERM", "xterm")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("castline watches");
        let master = fs::File::from(master);
        let size = |n| NonZero::new(n).expect("a terminal has a size");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size(24), size(80), 1000)));
        let (to, mut from) = (screen.clone(), master.try_clone().expect("another"));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n) = from.read(&mut bytes) {
                to.lock().expect("whole").process(&bytes[..n]);
            }
        });
        Self { child, master, slave, screen }
    }

    /// The text on the screen.
    pub fn contents(&self) -> String {
        self.screen.lock().expect("whole").screen().contents()
    }

    /// Waits until a text is on the screen.
    pub fn until(&self, text: &str) {
        let began = Instant::now();
        while !self.contents().contains(text) {
            assert!(began.elapsed() < DEADLINE, "never `{text}`:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("pressed");
    }

    /// True when keys come one by one, and are not shown.
    pub fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.slave).expect("a terminal").local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Waits for its end.
    pub fn ends(&mut self) -> Option<i32> {
        let code = self.child.wait().expect("ends").code();
        assert!(!self.is_raw(), "the terminal is given back");
        code
    }
}
