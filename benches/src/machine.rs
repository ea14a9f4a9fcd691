//! What the figures were measured on, as the system tells it, and what processes and folders take.
//!
//! Reads `/proc` and walks folders; it measures nothing but how long the disk takes to make a write durable.

use crate::latency::Latencies;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::Path;
use std::time::Instant;

/// Writes that are made durable one by one to know the disk.
const SYNCS: usize = 2000;
const SYNC_BYTES: usize = 4096;

/// Cores, memory, disk and kernel in one line.
pub(crate) fn describe(folder: &Path) -> Result<String> {
    let cores = std::thread::available_parallelism().context("cores")?;
    let processors = read("/proc/cpuinfo")?;
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let memory = field(&read("/proc/meminfo")?, "MemTotal:")? >> 20;
    let kernel = read("/proc/sys/kernel/osrelease")?;
    Ok(format!("{cores} cores ({model}), {memory} GiB of memory, {}, Linux {}", file_system(folder)?, kernel.trim()))
}

/// The file system and the device that hold a folder.
fn file_system(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize().context("the folder of the run")?;
    let mounts = read("/proc/mounts")?;
    let of_mount = |line: &str| {
        let mut words = line.split(' ');
        let (device, point, kind) = (words.next()?.to_owned(), words.next()?.to_owned(), words.next()?.to_owned());
        folder.starts_with(&point).then_some((point.len(), format!("{kind} on {device}")))
    };
    let nearest = mounts.lines().filter_map(of_mount).max_by_key(|(length, _)| *length);
    Ok(nearest.context("no mount holds the folder of the run")?.1)
}

/// How long this folder's disk takes to make 4 KiB durable, written over a file that has its size already: SQLite's log does the same.
/// A file that grows costs more.
pub(crate) fn sync_times(folder: &Path) -> Result<Latencies> {
    let path = folder.join("synced");
    let mut file = File::create(&path).context("a file to sync")?;
    file.write_all(&vec![0; SYNCS * SYNC_BYTES])?;
    file.sync_all()?;
    file.rewind()?;
    let page = [0x5a; SYNC_BYTES];
    let mut times = Latencies::default();
    for _ in 0..SYNCS {
        file.write_all(&page)?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    fs::remove_file(path)?;
    Ok(times)
}

/// Memory of a process in bytes: now, and the most since it began or since [`forget_peak`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

pub(crate) fn memory(process: u32) -> Result<Memory> {
    let status = read(&format!("/proc/{process}/status"))?;
    Ok(Memory { resident: field(&status, "VmRSS:")? << 10, peak: field(&status, "VmHWM:")? << 10 })
}

/// Lets the peak of a process begin anew.
pub(crate) fn forget_peak(process: u32) -> Result<()> {
    fs::write(format!("/proc/{process}/clear_refs"), "5").context("the peak of the server's memory cannot be reset")
}

/// Processor time of a process in hundredths of a second, user and system.
pub(crate) fn processor_centiseconds(process: u32) -> Result<u64> {
    let stat = read(&format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold blanks; the times are fields 14 and 15, the 12th and 13th after it.
    let after = stat.rsplit_once(')').context("/proc/PID/stat")?.1;
    let times = after.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    times.sum::<Result<u64, _>>().context("/proc/PID/stat")
}

/// Bytes of all files below a folder.
pub(crate) fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

fn field(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no `{name}`"))?;
    line.split_whitespace().next().with_context(|| format!("no value of `{name}`"))?.parse().context("a number")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_time() {
        let own = memory(std::process::id()).unwrap();
        assert!(own.resident > 0 && own.peak >= own.resident / 2);
        processor_centiseconds(std::process::id()).unwrap();
        assert!(describe(Path::new("/")).unwrap().contains("Linux"));
    }

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(field("VmPeak:\t 9 kB\nVmRSS:\t  1234 kB\n", "VmRSS:").unwrap(), 1234);
        assert!(field("", "VmRSS:").is_err());
    }
}
