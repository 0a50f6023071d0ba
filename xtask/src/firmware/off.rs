//! Checks that without the feature `record`, a firmware image is as large as one without metrics.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::image::Image;

/// Checks the images of `size` with each of these features, which call hooks that do not record, and with `record`.
///
/// A hook that remains in an image, or that does more than return, makes the code longer.
pub(super) fn check(features: &[&str], size: impl Fn(&str) -> Result<PathBuf>) -> Result<()> {
    let sizes = |features: &str| -> Result<(u64, u64, u64)> {
        let image = Image::read(&size(features)?)?;
        Ok((image.code, image.data, image.bss))
    };
    let bare = sizes("")?;
    println!("bytes of code, data and bss: {bare:?} without metrics");
    for features in features {
        let off = sizes(features)?;
        println!("bytes of code, data and bss: {off:?} with {features}");
        ensure!(
            off == bare,
            "without the feature `record` hooks must add nothing to an image: see tests/firmware, `size` with {features}"
        );
    }
    // Otherwise the program does not contain the hooks.
    let (code, data, bss) = sizes("record")?;
    ensure!(
        code > bare.0 && data + bss > bare.1 + bare.2,
        "with the feature `record` hooks must add to an image"
    );
    println!();
    Ok(())
}
