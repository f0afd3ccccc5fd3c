//! References between functions and constants, from the linker's own tables (`--emit-relocs`). They
//! are exact; from the code alone, one could only guess which numbers are addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Context as _, bail};
use wasmparser::{KnownCustom, Linking, Operator, Parser, Payload, RelocationType, SymbolInfo};

/// A constant or a static, by its range of addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Constant {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// The target of a reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A function whose address is taken, by its symbol.
    Function(String),
    /// A constant.
    Constant(Constant),
}

/// References other than calls.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// From functions, by their symbols.
    pub(crate) of_functions: BTreeMap<String, BTreeSet<Target>>,
    /// From constants: tables of methods, lists of texts.
    pub(crate) of_constants: BTreeMap<Constant, BTreeSet<Target>>,
    /// Every constant of the module, referred to or not.
    pub(crate) constants: BTreeSet<Constant>,
    /// Every function whose address is taken, even if only wasm-bindgen's dropped code takes it.
    pub(crate) addressed: BTreeSet<String>,
}

/// The data that one pass over the module collects.
#[derive(Default)]
struct Sections {
    /// Imported functions come first in the numbering.
    imported: u32,
    /// Bodies of functions, as ranges of the code section.
    bodies: Vec<Range<usize>>,
    /// Start address, and range of the data section.
    segments: Vec<(u32, Range<usize>)>,
    symbols: Vec<Symbol>,
    names: BTreeMap<u32, String>,
    /// Kind of section (code or data), offset within it, symbol.
    relocations: Vec<(Section, usize, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Code,
    Data,
}

enum Symbol {
    Function(u32),
    Data { segment: usize, offset: u32, size: u32 },
    Other,
}

impl References {
    /// Reads a module that was linked with `--emit-relocs`.
    pub(crate) fn read(module: &[u8]) -> anyhow::Result<Self> {
        let sections = Sections::read(module)?;
        let mut references = Self::default();
        for symbol in &sections.symbols {
            if let Some(constant) = sections.constant(symbol) {
                references.constants.insert(constant);
            }
        }
        let in_data: Vec<(Range<usize>, Constant)> = sections
            .symbols
            .iter()
            .filter_map(|symbol| Some((sections.data_range(symbol)?, sections.constant(symbol)?)))
            .collect();
        for (section, offset, symbol) in &sections.relocations {
            let Some(target) = sections.target(*symbol)? else { continue };
            if let Target::Function(name) = &target {
                references.addressed.insert(name.clone());
            }
            match section {
                Section::Code => {
                    let body = sections.bodies.partition_point(|body| body.end <= *offset);
                    let name = sections.name(sections.imported + u32::try_from(body)?)?;
                    references.of_functions.entry(name).or_default().insert(target);
                }
                Section::Data => {
                    let holders: Vec<_> =
                        in_data.iter().filter(|(range, _)| range.contains(offset)).collect();
                    if holders.is_empty() {
                        bail!("offset {offset} of the data section belongs to no symbol");
                    }
                    for (_, holder) in holders {
                        let targets = references.of_constants.entry(holder.clone()).or_default();
                        targets.insert(target.clone());
                    }
                }
            }
        }
        Ok(references)
    }

    /// Renames functions as wasm-bindgen does: it strips hashes from names. Drops the functions
    /// that it removed. They only describe types, or serve JavaScript objects, which never cross
    /// the border here.
    pub(crate) fn rename(&mut self, names: &BTreeSet<String>) -> anyhow::Result<()> {
        for (name, targets) in std::mem::take(&mut self.of_functions) {
            if names.contains(&name) {
                self.of_functions.insert(name, targets);
                continue;
            }
            let short = name.rsplit_once('_').filter(|(_, hash)| hash.len() == 16);
            if let Some((short, _)) = short.filter(|(short, _)| names.contains(*short)) {
                self.of_functions.insert(short.to_owned(), targets);
            } else if !name.contains("describe")
                && !name.contains("wasm_bindgen")
                && !name.starts_with("__wb")
                && !name.starts_with("__externref_")
            {
                bail!("{name} is not in the module any more");
            }
        }
        Ok(())
    }
}

impl Sections {
    fn read(module: &[u8]) -> anyhow::Result<Self> {
        let mut found = Self::default();
        let (mut code_start, mut data_start) = (0, 0);
        let mut sections = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                sections.push((id, range.start));
            } else if let Payload::CodeSectionEntry(body) = &payload {
                let range = body.range();
                found.bodies.push(range.start - code_start..range.end - code_start);
            }
            match payload {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        found.imported +=
                            u32::from(matches!(import?.ty, wasmparser::TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionStart { range, .. } => code_start = range.start,
                Payload::DataSection(segments) => {
                    data_start = segments.range().start;
                    for segment in segments {
                        found.segment(&segment?, data_start)?;
                    }
                }
                Payload::CustomSection(custom) => match custom.as_known() {
                    KnownCustom::Linking(linking) => {
                        for part in linking.subsections() {
                            if let Linking::SymbolTable(symbols) = part? {
                                for symbol in symbols {
                                    found.symbols.push(Symbol::of(&symbol?)?);
                                }
                            }
                        }
                    }
                    KnownCustom::Reloc(relocations) => {
                        let id =
                            sections.get(relocations.section_index() as usize).map(|(id, _)| *id);
                        let section = match id {
                            Some(10) => Section::Code,
                            Some(11) => Section::Data,
                            _ => continue,
                        };
                        for entry in relocations.entries() {
                            let entry = entry?;
                            if refers(entry.ty) {
                                let offset = entry.offset as usize;
                                found.relocations.push((section, offset, entry.index));
                            }
                        }
                    }
                    KnownCustom::Name(names) => {
                        for part in names {
                            if let wasmparser::Name::Function(functions) = part? {
                                for naming in functions {
                                    let naming = naming?;
                                    found.names.insert(naming.index, naming.name.to_owned());
                                }
                            }
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        if found.symbols.is_empty() || found.relocations.is_empty() || data_start == 0 {
            bail!("the module was not linked with --emit-relocs");
        }
        Ok(found)
    }

    fn segment(&mut self, segment: &wasmparser::Data<'_>, data_start: usize) -> anyhow::Result<()> {
        let wasmparser::DataKind::Active { offset_expr, .. } = &segment.kind else {
            bail!("a passive segment of data");
        };
        let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else {
            bail!("a segment of data whose address is not a number");
        };
        // The bytes are the end of the segment's entry.
        let end = segment.range.end - data_start;
        self.segments.push((value.cast_unsigned(), end - segment.data.len()..end));
        Ok(())
    }

    fn name(&self, function: u32) -> anyhow::Result<String> {
        self.names
            .get(&function)
            .cloned()
            .with_context(|| format!("function {function} has no name"))
    }

    fn constant(&self, symbol: &Symbol) -> Option<Constant> {
        let Symbol::Data { segment, offset, size } = *symbol else { return None };
        let start = self.segments.get(segment)?.0 + offset;
        Some(Constant { start, end: start + size })
    }

    /// The range in the data section that holds the bytes of a symbol; zeros at the end of memory
    /// have none.
    fn data_range(&self, symbol: &Symbol) -> Option<Range<usize>> {
        let Symbol::Data { segment, offset, size } = *symbol else { return None };
        let start = self.segments.get(segment)?.1.start + offset as usize;
        Some(start..start + size as usize)
    }

    fn target(&self, symbol: u32) -> anyhow::Result<Option<Target>> {
        let symbol = self.symbols.get(symbol as usize).context("a reference to no symbol")?;
        Ok(match symbol {
            Symbol::Function(index) => Some(Target::Function(self.name(*index)?)),
            Symbol::Data { .. } => self.constant(symbol).map(Target::Constant),
            Symbol::Other => None,
        })
    }
}

impl Symbol {
    fn of(symbol: &SymbolInfo<'_>) -> anyhow::Result<Self> {
        Ok(match symbol {
            SymbolInfo::Func { index, .. } => Self::Function(*index),
            SymbolInfo::Data { symbol: Some(defined), .. } => Self::Data {
                segment: usize::try_from(defined.index)?,
                offset: defined.offset,
                size: defined.size,
            },
            _ => Self::Other,
        })
    }
}

/// Whether a relocation stands for the address of a function or a constant. Calls are read from the
/// code itself, because wasm-bindgen has changed it since.
fn refers(kind: RelocationType) -> bool {
    matches!(
        kind,
        RelocationType::TableIndexSleb
            | RelocationType::TableIndexI32
            | RelocationType::MemoryAddrLeb
            | RelocationType::MemoryAddrSleb
            | RelocationType::MemoryAddrI32
    )
}
