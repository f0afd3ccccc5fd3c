//! The plan of a split: which functions and constants load first.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail, ensure};
use walrus::ir::{Value, Visitor, dfs_in_order};
use walrus::{
    ConstExpr, ElementItems, ElementKind, ExportItem, FunctionId, FunctionKind, Module, TableId,
};

use super::graph::{Constant, References, Target};

/// Functions of modules with this name are the split points.
const SPLIT_POINTS: &str = "deferred";

/// A function's index. All three modules are read from the same bytes, so an index is the same in
/// each.
pub(super) type FunctionIndex = usize;

/// The functions and constants that can be reached from the module's exports.
#[derive(Default)]
struct Reached {
    functions: BTreeSet<FunctionIndex>,
    constants: BTreeSet<Constant>,
    /// Split points, behind which the search did not go on.
    split_points: BTreeSet<FunctionIndex>,
}

/// The plan of a split.
pub(super) struct Plan {
    /// All functions that can be called. The table has more: functions that wasm-bindgen only used
    /// to describe types.
    pub(super) alive: BTreeSet<FunctionIndex>,
    /// Functions of the first part, including imports and split points.
    pub(super) startup: BTreeSet<FunctionIndex>,
    /// Split points that the first part calls, with the table slots that the deferred part fills.
    pub(super) split_points: BTreeMap<FunctionIndex, u32>,
    /// Functions of the first part that the deferred part calls, with their table slots.
    pub(super) shared: BTreeMap<FunctionIndex, u32>,
    /// Constants that the first part refers to.
    pub(super) startup_constants: BTreeSet<Constant>,
    /// Constants that only the deferred part refers to.
    pub(super) deferred_constants: BTreeSet<Constant>,
    /// Number of slots in the table.
    pub(super) slots: u32,
}

impl Plan {
    pub(super) fn make(module: &Module, references: &References) -> anyhow::Result<Self> {
        let ids: Vec<FunctionId> = module.funcs.iter().map(walrus::Function::id).collect();
        let index_of = indices(module);
        let name =
            |index: FunctionIndex| module.funcs.get(ids[index]).name.clone().unwrap_or_default();
        let mut named: BTreeMap<String, FunctionIndex> = BTreeMap::new();
        for index in 0..ids.len() {
            named.insert(name(index), index);
        }
        let calls = calls(module, &ids, &index_of);
        let is_split_point = |index: FunctionIndex| is_split_point(&name(index));
        let mut roots: Vec<FunctionIndex> = Vec::new();
        for export in module.exports.iter() {
            if let ExportItem::Function(id) = export.item {
                roots.push(index_of[&id]);
            }
        }
        roots.extend(module.start.map(|id| index_of[&id]));
        let (table, elements) = elements(module)?;
        for (_, id) in &elements {
            let index = index_of[id];
            // A function whose address is never taken was put into the table by wasm-bindgen
            // itself.
            if !references.addressed.contains(&name(index)) {
                roots.push(index);
            }
        }

        // Follows calls and references from the roots, but not past a function for which `stop` is
        // true.
        let reach = |stop: &dyn Fn(FunctionIndex) -> bool| {
            let mut reached = Reached::default();
            let mut open = roots.clone();
            let mut ways: Vec<Target> = Vec::new();
            loop {
                if let Some(index) = open.pop() {
                    if stop(index) {
                        reached.split_points.insert(index);
                    } else if reached.functions.insert(index) {
                        open.extend(&calls[index]);
                        let targets = references.of_functions.get(&name(index));
                        ways.extend(targets.into_iter().flatten().cloned());
                    }
                } else if let Some(way) = ways.pop() {
                    match way {
                        Target::Function(name) => open.extend(named.get(&name)),
                        Target::Constant(constant) => {
                            let targets = references.of_constants.get(&constant);
                            if reached.constants.insert(constant) {
                                ways.extend(targets.into_iter().flatten().cloned());
                            }
                        }
                    }
                } else {
                    return reached;
                }
            }
        };
        let Reached { functions: startup, constants, split_points: entered } =
            reach(&is_split_point);
        let alive = reach(&|_| false).functions;
        ensure!(
            !entered.is_empty(),
            "nothing is called through a module named `{SPLIT_POINTS}`: there is nothing to split"
        );
        for split_point in &entered {
            let addressed =
                references.of_functions.values().chain(references.of_constants.values()).flatten();
            let mut addressed =
                addressed.filter(|target| **target == Target::Function(name(*split_point)));
            ensure!(
                addressed.next().is_none(),
                "{} is a split point, so nothing may take its address",
                name(*split_point)
            );
        }

        let mut slots = u32::try_from(module.tables.get(table).initial)?;
        let mut slot = || {
            slots += 1;
            slots - 1
        };
        let split_points = entered.iter().map(|index| (*index, slot())).collect();
        let mut wanted = BTreeSet::new();
        for index in alive.difference(&startup) {
            wanted.extend(calls[*index].iter().filter(|called| {
                // Imports from outside are passed on, so that the deferred part imports only from
                // the first.
                let imported =
                    matches!(module.funcs.get(ids[**called]).kind, FunctionKind::Import(_));
                imported || startup.contains(called)
            }));
        }
        let shared = wanted.into_iter().map(|index| (index, slot())).collect();
        let deferred_constants = references.constants.difference(&constants).cloned().collect();
        Ok(Self {
            alive,
            startup,
            split_points,
            shared,
            startup_constants: constants,
            deferred_constants,
            slots,
        })
    }
}

/// Whether a function belongs to a module named `deferred`: `crate::deferred::f` or
/// `<crate::deferred::T>::f`.
fn is_split_point(name: &str) -> bool {
    let readable = format!("{:#}", rustc_demangle::demangle(name));
    let path = readable.trim_start_matches('<');
    let end = path.find(['<', '>', ' ', '(']).unwrap_or(path.len());
    let (module, _) = path[..end].rsplit_once("::").unwrap_or_default();
    module.split("::").skip(1).any(|part| part == SPLIT_POINTS)
}

pub(super) fn indices(module: &Module) -> BTreeMap<FunctionId, FunctionIndex> {
    module.funcs.iter().enumerate().map(|(index, function)| (function.id(), index)).collect()
}

/// The functions that each function calls.
fn calls(
    module: &Module,
    ids: &[FunctionId],
    index_of: &BTreeMap<FunctionId, FunctionIndex>,
) -> Vec<BTreeSet<FunctionIndex>> {
    struct Look<'a> {
        index_of: &'a BTreeMap<FunctionId, FunctionIndex>,
        calls: BTreeSet<FunctionIndex>,
    }
    impl Visitor<'_> for Look<'_> {
        fn visit_function_id(&mut self, id: &FunctionId) {
            self.calls.insert(self.index_of[id]);
        }
    }
    ids.iter()
        .map(|id| {
            let mut look = Look { index_of, calls: BTreeSet::new() };
            if let FunctionKind::Local(function) = &module.funcs.get(*id).kind {
                dfs_in_order(&mut look, function, function.entry_block());
            }
            look.calls
        })
        .collect()
}

/// The function table, and its contents by slot.
pub(super) fn elements(module: &Module) -> anyhow::Result<(TableId, Vec<(u32, FunctionId)>)> {
    let mut found = None;
    let mut all = Vec::new();
    for element in module.elements.iter() {
        let (
            ElementKind::Active { table, offset: ConstExpr::Value(Value::I32(start)) },
            ElementItems::Functions(items),
        ) = (&element.kind, &element.items)
        else {
            bail!("an element segment that is no list of functions at a number");
        };
        ensure!(found.is_none_or(|found| found == *table), "functions in two tables");
        found = Some(*table);
        for (index, id) in items.iter().enumerate() {
            all.push((start.cast_unsigned() + u32::try_from(index)?, *id));
        }
    }
    Ok((found.context("no table of functions")?, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_points_are_functions_of_modules_of_that_name() {
        for (name, split_point) in [
            ("_RNvNtCs1_19tidings_client_core8deferred6handle", true),
            ("_RNvNtNtCs1_19tidings_client_core5inbox8deferred5tally", true),
            ("_RNvNtCs1_19tidings_client_core7startup8deferred", false),
            ("_RNvCs1_8deferred6handle", false),
            ("core_run", false),
        ] {
            assert_eq!(is_split_point(name), split_point, "{name}");
        }
    }
}
