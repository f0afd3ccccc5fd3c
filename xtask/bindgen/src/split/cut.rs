//! The split itself: makes the two modules according to the plan.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use walrus::ir::Value;
use walrus::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExportItem, FunctionBuilder, FunctionId,
    FunctionKind, GlobalId, GlobalKind, ImportKind, MemoryId, Module, ModuleConfig, TableId,
};

use super::{
    graph::References,
    plan::{FunctionIndex, Plan, elements, indices},
};

/// The module name under which the deferred part imports items of the first part.
const STARTUP: &str = "startup";
/// Exports that only wasm-bindgen's own glue needs; the package's glue does not.
const UNUSED: [&str; 3] = ["__abort_handler", "__instance_terminated", "__wbindgen_realloc"];

/// The whole module and its two parts.
pub(crate) struct Parts {
    pub(crate) whole: Vec<u8>,
    pub(crate) startup: Vec<u8>,
    pub(crate) deferred: Vec<u8>,
}

pub(crate) fn cut(whole: &[u8], references: &References) -> anyhow::Result<Parts> {
    let module = parse(whole)?;
    let plan = Plan::make(&module, references)?;
    Ok(Parts {
        whole: plan.whole(parse(whole)?)?,
        startup: plan.startup_part(parse(whole)?)?,
        deferred: plan.deferred_part(parse(whole)?)?,
    })
}

/// The functions' names.
pub(crate) fn names(module: &[u8]) -> anyhow::Result<BTreeSet<String>> {
    Ok(parse(module)?.funcs.iter().filter_map(|function| function.name.clone()).collect())
}

fn parse(bytes: &[u8]) -> anyhow::Result<Module> {
    ModuleConfig::new().generate_producers_section(false).parse(bytes)
}

/// The module's bytes without the sections that pages do not need.
fn bare(mut module: Module) -> Vec<u8> {
    let customs: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for custom in customs {
        module.customs.delete(custom);
    }
    walrus::passes::gc::run(&mut module);
    module.emit_wasm()
}

impl Plan {
    /// The whole module, for apps that load it at once.
    fn whole(&self, mut module: Module) -> anyhow::Result<Vec<u8>> {
        let (table, elements) = elements(&module)?;
        let indices = indices(&module);
        let alive = elements.into_iter().filter(|(_, id)| self.alive.contains(&indices[id]));
        set_elements(&mut module, table, alive.collect());
        Ok(bare(module))
    }

    /// The first part: split points become calls through table slots that the deferred part will
    /// fill.
    fn startup_part(&self, mut module: Module) -> anyhow::Result<Vec<u8>> {
        let ids: Vec<FunctionId> = module.funcs.iter().map(walrus::Function::id).collect();
        let (table, elements) = elements(&module)?;
        // A stub takes the place of each split point: it calls the function in the slot with the
        // same arguments.
        for (split_point, slot) in &self.split_points {
            let ty = module.funcs.get(ids[*split_point]).ty();
            let (parameters, results) = module.types.params_results(ty);
            let (parameters, results) = (parameters.to_vec(), results.to_vec());
            let arguments: Vec<_> = parameters.iter().map(|ty| module.locals.add(*ty)).collect();
            let mut stub = FunctionBuilder::new(&mut module.types, &parameters, &results);
            let mut body = stub.func_body();
            for argument in &arguments {
                body.local_get(*argument);
            }
            body.i32_const(slot.cast_signed());
            body.call_indirect(ty, table);
            module.funcs.get_mut(ids[*split_point]).kind =
                FunctionKind::Local(stub.local_func(arguments));
        }
        let kept = |index: &FunctionIndex| {
            self.startup.contains(index) || self.split_points.contains_key(index)
        };
        let index_of = indices(&module);
        let mut stays: Vec<_> =
            elements.into_iter().filter(|(_, id)| self.startup.contains(&index_of[id])).collect();
        stays.extend(self.shared.iter().map(|(index, slot)| (*slot, ids[*index])));
        set_elements(&mut module, table, stays);
        self.grow(&mut module, table);
        self.keep_data(&mut module, false)?;
        for (index, id) in ids.iter().enumerate() {
            if !kept(&index) && matches!(module.funcs.get(*id).kind, FunctionKind::Local(_)) {
                module.funcs.delete(*id);
            }
        }
        module.exports.add("table", table);
        for name in UNUSED {
            // A missing export is fine.
            let _ = module.exports.remove(name);
        }
        for global in globals(&module) {
            let name = format!("global{}", global.index());
            export(&mut module, ExportItem::Global(global), &name);
        }
        Ok(bare(module))
    }

    /// The deferred part: it imports functions of the first part from table slots, by their
    /// numbers.
    fn deferred_part(&self, mut module: Module) -> anyhow::Result<Vec<u8>> {
        let ids: Vec<FunctionId> = module.funcs.iter().map(walrus::Function::id).collect();
        let index_of = indices(&module);
        let (table, elements) = elements(&module)?;
        module.start = None;
        let exports: Vec<_> = module.exports.iter().map(walrus::Export::id).collect();
        let names: BTreeMap<_, _> = module
            .exports
            .iter()
            .map(|export| (index(&export.item), export.name.clone()))
            .collect();
        for id in exports {
            module.exports.delete(id);
        }
        let mut filled: Vec<_> = elements
            .into_iter()
            .filter(|(_, id)| {
                self.alive.contains(&index_of[id]) && !self.startup.contains(&index_of[id])
            })
            .collect();
        filled.extend(self.split_points.iter().map(|(index, slot)| (*slot, ids[*index])));
        set_elements(&mut module, table, filled);
        self.grow(&mut module, table);
        self.keep_data(&mut module, true)?;
        for (index, slot) in &self.shared {
            let id = ids[*index];
            let ty = module.funcs.get(id).ty();
            if let FunctionKind::Import(outside) = &module.funcs.get(id).kind {
                module.imports.delete(outside.import);
            }
            let import = module.imports.add(STARTUP, &slot.to_string(), ImportKind::Function(id));
            module.funcs.get_mut(id).kind =
                FunctionKind::Import(walrus::ImportedFunction { import, ty });
        }
        for index in &self.startup {
            let id = ids[*index];
            if !self.shared.contains_key(index)
                && matches!(module.funcs.get(id).kind, FunctionKind::Local(_))
            {
                module.funcs.delete(id);
            }
        }
        let memories: Vec<_> = module.memories.iter().map(walrus::Memory::id).collect();
        for id in memories {
            let name = names.get(&Exported::Memory(id)).context("the memory has no export")?;
            let import = module.imports.add(STARTUP, name, ImportKind::Memory(id));
            module.memories.get_mut(id).import = Some(import);
        }
        let tables: Vec<_> = module.tables.iter().map(walrus::Table::id).collect();
        for id in tables {
            let name = names.get(&Exported::Table(id)).filter(|_| id != table);
            let name = name.map_or("table", String::as_str);
            let import = module.imports.add(STARTUP, name, ImportKind::Table(id));
            module.tables.get_mut(id).import = Some(import);
        }
        for id in globals(&module) {
            let name = names
                .get(&Exported::Global(id))
                .cloned()
                .unwrap_or_else(|| format!("global{}", id.index()));
            let import = module.imports.add(STARTUP, &name, ImportKind::Global(id));
            module.globals.get_mut(id).kind = GlobalKind::Import(import);
        }
        Ok(bare(module))
    }

    fn grow(&self, module: &mut Module, table: TableId) {
        let table = module.tables.get_mut(table);
        table.initial = self.slots.into();
        table.maximum = table.maximum.map(|most| most.max(self.slots.into()));
    }

    /// Keeps the constants of one part. Bytes that belong to no constant stay in the first part.
    fn keep_data(&self, module: &mut Module, deferred: bool) -> anyhow::Result<()> {
        let segments: Vec<_> = module.data.iter().map(walrus::Data::id).collect();
        for id in segments {
            let data = module.data.get(id);
            let DataKind::Active { memory, offset: ConstExpr::Value(Value::I32(start)) } =
                data.kind
            else {
                bail!("a segment of data without an address");
            };
            let start = start.cast_unsigned();
            let bytes = data.value.clone();
            let mut of_deferred = vec![false; bytes.len()];
            // Constants may overlap, as the ends of texts do: shared bytes belong to the first
            // part.
            let claims = [(&self.deferred_constants, true), (&self.startup_constants, false)];
            for (constants, claim) in claims {
                for address in constants.iter().flat_map(|constant| constant.start..constant.end) {
                    let index = address.checked_sub(start).map(|index| index as usize);
                    if let Some(flag) = index.and_then(|index| of_deferred.get_mut(index)) {
                        *flag = claim;
                    }
                }
            }
            module.data.delete(id);
            module.memories.get_mut(memory).data_segments.remove(&id);
            for (from, to) in runs(&bytes, &of_deferred, deferred) {
                let offset =
                    ConstExpr::Value(Value::I32((start + u32::try_from(from)?).cast_signed()));
                let kind = DataKind::Active { memory, offset };
                let added = module.data.add(kind, bytes[from..to].to_vec());
                module.memories.get_mut(memory).data_segments.insert(added);
            }
        }
        Ok(())
    }
}

/// Runs of bytes that belong to one part. Zeros are left out where that is shorter than another
/// address, because memory starts as zeros.
fn runs(bytes: &[u8], of_deferred: &[bool], deferred: bool) -> Vec<(usize, usize)> {
    const HEADER: usize = 7;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (index, byte) in bytes.iter().enumerate() {
        if of_deferred[index] != deferred || *byte == 0 {
            continue;
        }
        match runs.last_mut() {
            // Only its own zeros: the first part's bytes may have changed by the time the deferred
            // part loads.
            Some((_, end))
                if index - *end < HEADER
                    && (*end..index).all(|gap| of_deferred[gap] == deferred) =>
            {
                *end = index + 1
            }
            _ => runs.push((index, index + 1)),
        }
    }
    runs
}

/// Sets the table's contents, with one segment for each run of slots.
fn set_elements(module: &mut Module, table: TableId, mut slots: Vec<(u32, FunctionId)>) {
    let old: Vec<_> = module.elements.iter().map(walrus::Element::id).collect();
    for id in old {
        module.elements.delete(id);
        module.tables.get_mut(table).elem_segments.remove(&id);
    }
    slots.sort_by_key(|(slot, _)| *slot);
    for run in slots.chunk_by(|a, b| a.0 + 1 == b.0) {
        let offset = ConstExpr::Value(Value::I32(run[0].0.cast_signed()));
        let items = ElementItems::Functions(run.iter().map(|(_, id)| *id).collect());
        let id = module.elements.add(ElementKind::Active { table, offset }, items);
        module.tables.get_mut(table).elem_segments.insert(id);
    }
}

/// Mutable globals, with the stack pointer among them. Each part has its own copy of constant ones.
fn globals(module: &Module) -> Vec<GlobalId> {
    module.globals.iter().filter(|global| global.mutable).map(walrus::Global::id).collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Exported {
    Function(FunctionId),
    Global(GlobalId),
    Memory(MemoryId),
    Other,
    Table(TableId),
}

fn index(item: &ExportItem) -> Exported {
    match item {
        ExportItem::Function(id) => Exported::Function(*id),
        ExportItem::Global(id) => Exported::Global(*id),
        ExportItem::Memory(id) => Exported::Memory(*id),
        ExportItem::Table(id) => Exported::Table(*id),
        ExportItem::Tag(_) => Exported::Other,
    }
}

fn export(module: &mut Module, item: ExportItem, name: &str) {
    let wanted = index(&item);
    if !module.exports.iter().any(|export| index(&export.item) == wanted) {
        module.exports.add(name, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_its_own_bytes_and_no_zeros_it_need_not_have() {
        let bytes = [1, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 4];
        let mut of_deferred = [false; 13];
        of_deferred[2] = true;
        assert_eq!(runs(&bytes, &of_deferred, false), [(0, 1), (3, 4), (12, 13)]);
        assert_eq!(runs(&bytes, &of_deferred, true), [(2, 3)]);
        assert_eq!(runs(&bytes, &[false; 13], false), [(0, 4), (12, 13)], "a short gap is filled");
    }
}
