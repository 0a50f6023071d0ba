//! The sections and functions of a firmware image.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use object::read::{Object, ObjectSection, ObjectSymbol};
use object::{File, SectionKind, SymbolKind};

/// A built program, for a Thumb processor.
pub(super) struct Image {
    /// Bytes of code and constants.
    pub(super) code: u64,
    /// Bytes that the startup code copies to RAM.
    pub(super) data: u64,
    /// Bytes of RAM that the startup code zeroes or leaves uninitialised.
    pub(super) bss: u64,
    /// Functions by address.
    pub(super) functions: BTreeMap<u64, Function>,
    objects: BTreeMap<String, Static>,
}

/// A static.
struct Static {
    size: u64,
    /// Whether the startup code zeroes it, so that it takes no flash.
    zeroed: bool,
}

pub(super) struct Function {
    pub(super) name: String,
    /// The halfwords that are instructions, with their addresses. Literals between them are left out.
    pub(super) code: Vec<(u64, u16)>,
}

impl Image {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("no image at {}", path.display()))?;
        let file = File::parse(&*bytes).with_context(|| format!("{} is not an ELF file", path.display()))?;
        let size = |kinds: &[SectionKind]| {
            let sections = file.sections().filter(|section| kinds.contains(&section.kind()));
            sections.map(|section| section.size()).sum()
        };
        Ok(Self {
            code: size(&[SectionKind::Text, SectionKind::ReadOnlyData]),
            data: size(&[SectionKind::Data]),
            bss: size(&[SectionKind::UninitializedData]),
            functions: functions(&file)?,
            objects: objects(&file),
        })
    }

    /// Returns the total bytes of flash.
    pub(super) fn flash(&self) -> u64 {
        self.code + self.data
    }

    /// Returns the size of the static whose path has this suffix.
    pub(super) fn object(&self, suffix: &str) -> Result<u64> {
        self.find(suffix).map(|found| found.size)
    }

    /// Returns `true` if the static whose path has this suffix takes no flash.
    pub(super) fn is_zeroed(&self, suffix: &str) -> Result<bool> {
        self.find(suffix).map(|found| found.zeroed)
    }

    fn find(&self, suffix: &str) -> Result<&Static> {
        let found = self.objects.iter().find(|(name, _)| name.contains(suffix));
        found
            .map(|(_, found)| found)
            .ok_or_else(|| anyhow!("no static named {suffix} in the image"))
    }
}

fn objects(file: &File<'_>) -> BTreeMap<String, Static> {
    let of = |symbol: object::read::Symbol<'_, '_>| {
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        let found = Static {
            size: symbol.size(),
            zeroed: section.kind() == SectionKind::UninitializedData,
        };
        Some((symbol.name().ok()?.to_owned(), found))
    };
    file.symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Data)
        .filter_map(of)
        .collect()
}

fn functions(file: &File<'_>) -> Result<BTreeMap<u64, Function>> {
    let text = file
        .section_by_name(".text")
        .ok_or_else(|| anyhow!("no code in the image"))?;
    let (start, code) = (text.address(), text.data()?);
    // The ARM ELF ABI marks where code ($t) and literals ($d) begin (AAELF32, "Mapping symbols").
    let marks: BTreeMap<u64, bool> = file
        .symbols()
        .filter_map(|symbol| {
            let name = symbol.name().ok()?;
            (name.starts_with("$t") || name.starts_with("$d"))
                .then(|| (symbol.address(), name.starts_with("$t")))
        })
        .collect();
    let is_code = |address| marks.range(..=address).next_back().is_none_or(|(_, code)| *code);
    let functions = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() != 0);
    Ok(functions
        .map(|symbol| {
            // The lowest bit means "Thumb" and is not part of the address.
            let first = symbol.address() & !1;
            let code = (first..first + symbol.size())
                .step_by(2)
                .filter(|&address| is_code(address))
                .filter_map(|address| {
                    let at = usize::try_from(address.checked_sub(start)?).ok()?;
                    let halfword = code.get(at..at + 2)?;
                    Some((address, u16::from_le_bytes([halfword[0], halfword[1]])))
                })
                .collect();
            (
                first,
                Function {
                    name: symbol.name().unwrap_or_default().to_owned(),
                    code,
                },
            )
        })
        .collect())
}
