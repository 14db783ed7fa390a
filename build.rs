//! Which commit the program is built from, for `--version`.

use std::path::Path;
use std::process::Command;

fn main() {
    for of_git in [".git/HEAD", ".git/packed-refs", ".git/refs/heads"] {
        if Path::new(of_git).exists() {
            println!("cargo::rerun-if-changed={of_git}");
        }
    }
    let described = Command::new("git").args(["describe", "--always", "--dirty=+"]).output();
    let commit = described.ok().filter(|it| it.status.success() && Path::new(".git").exists());
    let commit = commit.and_then(|it| String::from_utf8(it.stdout).ok());
    let commit = commit.map_or_else(|| "no checkout".to_owned(), |it| it.trim().to_owned());
    println!("cargo::rustc-env=LASTMETER_COMMIT={commit}");
}
