//! The release binaries that are measured.

use std::env;
use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the binary of `package`, alone: what others in the workspace need must not be in it.
pub(crate) fn build(package: &str) -> Result<PathBuf, Box<dyn Error>> {
    eprintln!("building {package}");
    let benchmark = env::current_exe()?;
    let target = benchmark.ancestors().nth(2).ok_or("the benchmark is not in a target directory")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the benchmark is not in a workspace")?;
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["build", "--release", "--package", package, "--target-dir"])
        .arg(target)
        .status()?;
    if !status.success() {
        return Err(format!("{package} does not build").into());
    }
    // How a file was written decides how its pages lie in memory, and that is a tenth of a start. A deployment unpacks its file
    // from beginning to end; a linker does not write like that.
    let unpacked = target.join("bench");
    fs::create_dir_all(&unpacked)?;
    let unpacked = unpacked.join(package);
    fs::write(&unpacked, fs::read(target.join("release").join(package))?)?;
    fs::set_permissions(&unpacked, Permissions::from_mode(0o755))?;
    Ok(unpacked)
}
