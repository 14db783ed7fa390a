//! A disk that is full, a real one: a file system of a few megabytes in memory.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;

/// A file system of its own; gone when this is dropped.
struct SmallDisk {
    mounted: PathBuf,
    _folder: TempDir,
}

impl SmallDisk {
    /// `None`, and why, where nothing may be mounted.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = folder.path().join("disk");
        fs::create_dir(&mounted).unwrap();
        let arguments = ["-t", "tmpfs", "-o", "size=4m", "tmpfs"];
        let mount = Command::new("mount").args(arguments).arg(&mounted).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { mounted, _folder: folder }),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                println!("SKIPPED: a full disk: no file system may be mounted here: {why}");
                None
            }
            Err(error) => {
                println!("SKIPPED: a full disk: there is no `mount`: {error}");
                None
            }
        }
    }

    /// Takes all the room there is, that which was freed since included.
    fn fill(&self) {
        use std::io::Write as _;
        let filler = self.mounted.join("filler");
        let mut file = fs::File::options().create(true).append(true).open(filler).unwrap();
        for bytes in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![0; bytes]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.mounted.join("filler")).unwrap();
    }

    /// Every file but the filler.
    fn files(&self) -> Vec<PathBuf> {
        fn below(folder: &Path) -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
        }
        let mut files = below(&self.mounted);
        files.retain(|path| !path.ends_with("filler"));
        files.sort();
        files
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is left mounted goes with the machine; the test has reported its result.
        let _ = Command::new("umount").arg("-l").arg(&self.mounted).output();
    }
}

async fn serials(core: &Tenant) -> Vec<u64> {
    readings(core).await.iter().map(|row| row.number.unwrap().1).collect()
}

/// Waits until a core takes messages again.
async fn until_ready(core: &Tenant) {
    let ready = async {
        while !core.is_ready() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(STOP_LIMIT, ready).await.expect("it takes messages again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_try_again_on_a_full_disk_leave_nothing_behind() {
    let Some(disk) = SmallDisk::mount() else { return };
    let config = config(&disk.mounted.join("data"), ClockSource::Driven);
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, tempfile::tempdir().unwrap()).await;
    store(&bench.core, &[reading("home", Some(1), 230.0)]).await;
    // What fits into a block that is there already still goes through, and what is stored frees
    // its segment.
    let (mut serial, mut refused_in_a_row) = (2, 0);
    while refused_in_a_row < 5 {
        disk.fill();
        let pause = tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>());
        let _ = pause.await;
        if accept(&bench.core, bytes(&reading("home", Some(serial), 230.0))).await.is_ok() {
            (serial, refused_in_a_row) = (serial + 1, 0);
        } else {
            refused_in_a_row += 1;
        }
    }
    let before = disk.files();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..4 {
        let core = Arc::clone(&bench.core);
        clients.spawn(async move {
            for attempt in 0..200 {
                let message = bytes(&reading(&format!("c{client}"), Some(attempt), 230.0));
                let refused = accept(&core, message).await;
                assert!(matches!(refused, Err(IngestError::JournalFailed(_))), "{refused:?}");
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(disk.files(), before, "800 attempts leave no file behind");
    assert!(!bench.core.is_ready());
    // What is stored is served meanwhile, and once there is room everything goes on.
    assert!(!serials(&bench.core).await.is_empty());
    disk.free();
    accept(&bench.core, bytes(&reading("home", Some(serial), 230.0))).await.unwrap();
    until_ready(&bench.core).await;
    bench.core.barrier().await.unwrap();
    assert_eq!(serials(&bench.core).await, (1..=serial).collect::<Vec<_>>());
    assert_eq!(bench.core.losses.count(), 0);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_full_disk_at_the_start_what_is_stored_is_served_until_there_is_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let config = config(&disk.mounted.join("data"), ClockSource::Driven);
    let core = Tenant::start(&config).unwrap();
    let messages: Vec<_> = (1..=20).map(|serial| reading("home", Some(serial), 230.0)).collect();
    store(&core, &messages).await;
    assert!(core.stop(STOP_LIMIT).await);
    drop(core);
    disk.fill();
    let core = Tenant::start(&config).unwrap();
    let bench = Bench::ready(core, config, tempfile::tempdir().unwrap()).await;
    let trouble = bench.core.trouble().expect("it is not ready");
    assert!(trouble.starts_with("the journal cannot be written: "), "{trouble}");
    assert_eq!(serials(&bench.core).await, (1..=20).collect::<Vec<_>>());
    let refused = accept(&bench.core, bytes(&reading("home", Some(21), 230.0))).await;
    assert!(refused.is_err(), "{refused:?}");
    disk.free();
    until_ready(&bench.core).await;
    store(&bench.core, &[reading("home", Some(21), 230.0)]).await;
    assert_eq!(serials(&bench.core).await, (1..=21).collect::<Vec<_>>());
    assert_eq!(bench.core.losses.count(), 0);
    bench.stop().await;
}
