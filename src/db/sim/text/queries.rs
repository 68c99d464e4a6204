//! First floor, `db`: queries of SQL text. Imports its neighbours in `text`.

use sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, JoinConstraint,
    JoinOperator, LimitClause, LockType, NonBlock, OrderByKind, OrderBySort, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, ValueWithSpan,
};

use super::expressions::{Names, Type};
use super::{Compiler, Compiles, folded, not_simulated, plain, wrong};
use crate::db::SqlState;
use crate::db::schema::Kind;
use crate::db::sim::advisory::{Advisory, Mode};
use crate::db::sim::expr::Expr;
use crate::db::sim::plan::{Act, Asked, Order, Query, WhileHeld};

/// One of the things that a query answers of each row.
pub(super) struct Item {
    /// The name under which it is answered, if it has one.
    name: Option<String>,
    pub(super) answer: Expr,
    of: Type,
}

impl Item {
    /// Its name as PostgreSQL answers it, and its type.
    pub(super) fn named(&self) -> (String, Type) {
        (self.name.clone().unwrap_or_else(|| "?column?".to_owned()), self.of)
    }
}

/// The name of what an expression answers, where it has none of its own: PostgreSQL takes the column's or the
/// function's.
fn own_name(of: &ast::Expr) -> Option<String> {
    match of {
        ast::Expr::Identifier(it) => Some(folded(it)),
        ast::Expr::CompoundIdentifier(parts) => parts.last().map(folded),
        ast::Expr::Function(it) => it.name.0.last().and_then(|part| part.as_ident()).map(folded),
        ast::Expr::Exists { .. } => Some("exists".to_owned()),
        ast::Expr::Case { .. } => Some("case".to_owned()),
        ast::Expr::Nested(it) => own_name(it),
        ast::Expr::Cast { expr, .. } => own_name(expr),
        _ => None,
    }
}

impl Compiler<'_> {
    /// A `SELECT` that is a statement by itself.
    pub(super) fn select(&mut self, query: &ast::Query) -> Compiles<Act> {
        if let Some(advisory) = self.advisory(query)? {
            return Ok(Act::Advisory(advisory));
        }
        let Some(lock) = query.locks.first() else {
            let (query, _) = self.query(query, &[])?;
            return Ok(Act::Select(query));
        };
        if query.locks.len() > 1 || lock.of.is_some() || lock.lock_type == LockType::Share {
            let said = "FOR SHARE, FOR UPDATE OF, and several of them (FOR UPDATE is)";
            return Err(not_simulated(said, query));
        }
        let while_held = match lock.nonblock {
            None => WhileHeld::Waits,
            Some(NonBlock::Nowait) => WhileHeld::Fails,
            Some(NonBlock::SkipLocked) => WhileHeld::Skips,
        };
        let unlocked = ast::Query { locks: Vec::new(), ..query.clone() };
        let compiled = self.named_query(&unlocked, &[], true)?;
        if compiled.tables.len() != 1 || compiled.what != Asked::Rows {
            let said = "FOR UPDATE of anything but the rows of one table";
            return Err(not_simulated(said, query));
        }
        if !compiled.order.is_empty() && !self.is_total(&compiled) {
            let said =
                "FOR UPDATE in an order that leaves open which row is first (add a unique column)";
            return Err(not_simulated(said, query));
        }
        Ok(Act::Lock(compiled, while_held))
    }

    /// `SELECT pg_advisory_lock(…)` and its like, if that is all that is asked.
    fn advisory(&mut self, query: &ast::Query) -> Compiles<Option<Advisory>> {
        let SetExpr::Select(select) = &*query.body else { return Ok(None) };
        let [SelectItem::UnnamedExpr(asked) | SelectItem::ExprWithAlias { expr: asked, .. }] =
            &select.projection[..]
        else {
            return Ok(None);
        };
        let ast::Expr::Function(function) = asked else { return Ok(None) };
        let name = function.name.to_string().to_ascii_lowercase();
        let Some(words) = name.strip_prefix("pg_").filter(|name| name.contains("advisory")) else {
            return Ok(None);
        };
        let alone = ast::Select { from: Vec::new(), selection: None, ..(**select).clone() };
        if **select != alone || query.order_by.is_some() || query.limit_clause.is_some() {
            let said = format!("`{name}` with FROM, WHERE, ORDER BY or LIMIT (alone it is)");
            return Err(not_simulated(said, asked));
        }
        let unknown = || not_simulated(format!("`{name}`"), asked);
        let FunctionArguments::List(list) = &function.args else { return Err(unknown()) };
        let mut of = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(it)) = argument else {
                return Err(unknown());
            };
            let kind = (list.args.len() == 1).then_some(Kind::Int);
            let (number, found) = self.expression(it, &Names::default(), kind)?;
            let wanted = kind.unwrap_or(Kind::Integer);
            if !(found == Type::Is(wanted) || (kind.is_some() && found.goes_into(wanted))) {
                let said = format!("`{name}` takes a BIGINT, or two INTEGER");
                return Err(wrong(SqlState::DATATYPE_MISMATCH, said, asked));
            }
            of.push(number);
        }
        if !self.subqueries.is_empty() {
            return Err(not_simulated(format!("a subquery in `{name}`"), asked));
        }
        let (words, mode) = match words.strip_suffix("_shared") {
            Some(words) => (words, Mode::Shared),
            None => (words, Mode::Exclusive),
        };
        let lock = |of, for_transaction, tries| Advisory::Lock { of, mode, for_transaction, tries };
        let found = match (words, of.len()) {
            ("advisory_lock", 1 | 2) => lock(of, false, false),
            ("advisory_xact_lock", 1 | 2) => lock(of, true, false),
            ("try_advisory_lock", 1 | 2) => lock(of, false, true),
            ("try_advisory_xact_lock", 1 | 2) => lock(of, true, true),
            ("advisory_unlock", 1 | 2) => Advisory::Unlock { of, mode },
            ("advisory_unlock_all", 0) if mode == Mode::Exclusive => Advisory::UnlockAll,
            _ => return Err(unknown()),
        };
        let answers = match &found {
            Advisory::Lock { tries: false, .. } | Advisory::UnlockAll => Type::Unknown,
            Advisory::Lock { .. } | Advisory::Unlock { .. } => Type::Is(Kind::Bool),
        };
        let alias = match &select.projection[0] {
            SelectItem::ExprWithAlias { alias, .. } => folded(alias),
            _ => name,
        };
        self.answered = vec![(alias, answers)];
        Ok(Some(found))
    }

    /// A query that locks nothing, and the types of what it answers. `asked`: the kinds that parameters have
    /// in its answers, where nothing else says.
    pub(super) fn query(
        &mut self,
        query: &ast::Query,
        asked: &[Kind],
    ) -> Compiles<(Query, Vec<Type>)> {
        if !query.locks.is_empty() {
            return Err(not_simulated("FOR UPDATE inside of a statement", query));
        }
        let compiled = self.named_query(query, asked, false)?;
        Ok((compiled, self.answered.iter().map(|(_, of)| *of).collect()))
    }

    /// Whether a query answers anything, as a subquery; its number.
    pub(super) fn whether(&mut self, query: &ast::Query, names: &Names) -> Compiles<usize> {
        let (mut compiled, _) = self.below(query, names, &[])?;
        if compiled.what != Asked::Rows {
            return Err(not_simulated("EXISTS of groups", query));
        }
        compiled.what = Asked::Whether;
        compiled.order.clear();
        self.subqueries.push(compiled);
        Ok(self.subqueries.len() - 1)
    }

    /// A query that answers one value.
    pub(super) fn scalar(
        &mut self,
        query: &ast::Query,
        names: &Names,
        asked: Option<Kind>,
    ) -> Compiles<(Expr, Type)> {
        let asked: Vec<Kind> = asked.into_iter().collect();
        let (compiled, types) = self.below(query, names, &asked)?;
        let [of] = types[..] else {
            return Err(wrong(SqlState::SYNTAX_ERROR, "a subquery answers one column here", query));
        };
        self.subqueries.push(compiled);
        Ok((Expr::Subquery(self.subqueries.len() - 1), of))
    }

    fn below(
        &mut self,
        query: &ast::Query,
        names: &Names,
        asked: &[Kind],
    ) -> Compiles<(Query, Vec<Type>)> {
        let outer = std::mem::replace(&mut self.outer, names.hidden());
        let compiled = self.query(query, asked);
        self.outer = outer;
        compiled
    }

    fn named_query(&mut self, query: &ast::Query, asked: &[Kind], locks: bool) -> Compiles<Query> {
        let plain_query = ast::Query {
            with: None,
            fetch: None,
            for_clause: None,
            settings: None,
            format_clause: None,
            pipe_operators: Vec::new(),
            ..query.clone()
        };
        if *query != plain_query {
            let what = if query.with.is_some() { "WITH" } else { "this form of SELECT" };
            return Err(not_simulated(what, query));
        }
        let SetExpr::Select(select) = &*query.body else {
            let what = match &*query.body {
                SetExpr::SetOperation { op, .. } => op.to_string(),
                SetExpr::Values(_) => "VALUES by itself".to_owned(),
                _ => "this form of a query".to_owned(),
            };
            return Err(not_simulated(what, query));
        };
        let plain_select = ast::Select {
            optimizer_hints: Vec::new(),
            distinct: None,
            select_modifiers: None,
            top: None,
            exclude: None,
            into: None,
            lateral_views: Vec::new(),
            prewhere: None,
            connect_by: Vec::new(),
            cluster_by: Vec::new(),
            distribute_by: Vec::new(),
            sort_by: Vec::new(),
            named_window: Vec::new(),
            qualify: None,
            value_table_mode: None,
            ..(**select).clone()
        };
        if **select != plain_select {
            let what = if select.distinct.is_some() { "DISTINCT" } else { "this form of SELECT" };
            return Err(not_simulated(what, &**select));
        }
        let mut names = Names::default();
        names.outer.clone_from(&self.outer);
        let mut tables = Vec::new();
        let mut filter = None;
        for from in &select.from {
            self.joined(from, &mut names, &mut tables, &mut filter)?;
        }
        if let Some(condition) = &select.selection {
            filter = Expr::and(filter, self.truth(condition, &names)?);
        }
        let GroupByExpr::Expressions(by, modifiers) = &select.group_by else {
            return Err(not_simulated("GROUP BY ALL", &**select));
        };
        if !modifiers.is_empty() {
            return Err(not_simulated("GROUP BY with ROLLUP or the like", &**select));
        }
        let by = by.iter().map(|it| self.expression(it, &names, None).map(|(it, _)| it));
        let by = by.collect::<Compiles<Vec<_>>>()?;
        names.aggregates = Some(Vec::new());
        let items = self.noted_items(&select.projection, &mut names, asked)?;
        let having = match &select.having {
            Some(having) => {
                let (truth, found) = self.inner(having, &mut names, Some(Kind::Bool))?;
                if found != Type::Is(Kind::Bool) && found != Type::Unknown {
                    let said = "HAVING needs a truth value";
                    return Err(wrong(SqlState::DATATYPE_MISMATCH, said, having));
                }
                Some(truth)
            }
            None => None,
        };
        let order = self.order(query, &items, &mut names)?;
        let limit = self.limit(query)?;
        let aggregates = names.aggregates.take().unwrap_or_default();
        let is_grouped = !by.is_empty() || !aggregates.is_empty() || having.is_some();
        if is_grouped {
            let sees = |it: &Expr| it.columns_are(&|column| by.contains(&Expr::Column(column)));
            let orders = order.iter().map(|order| &order.by);
            let all = items.iter().map(|item| &item.answer).chain(&having).chain(orders);
            if !all.clone().all(sees) {
                let said = "a column is neither in GROUP BY nor in an aggregate function";
                return Err(wrong(SqlState::GROUPING_ERROR, said, &**select));
            }
        }
        let compiled = Query {
            tables,
            filter,
            what: match is_grouped {
                true => Asked::Groups { by, aggregates, having },
                false => Asked::Rows,
            },
            answers: items.iter().map(|item| item.answer.clone()).collect(),
            order,
            limit,
        };
        if compiled.limit.is_some() && !is_grouped && !self.is_total(&compiled) {
            // A lock without an order takes its rows in each.
            let is_open = locks && compiled.order.is_empty();
            if !is_open && !compiled.tables.is_empty() {
                let said =
                    "LIMIT in an order that leaves open which rows are first (add a unique column)";
                return Err(not_simulated(said, query));
            }
        }
        self.answered = items.iter().map(Item::named).collect();
        Ok(compiled)
    }

    fn joined(
        &mut self,
        from: &TableWithJoins,
        names: &mut Names,
        tables: &mut Vec<usize>,
        filter: &mut Option<Expr>,
    ) -> Compiles<()> {
        self.add_table(&from.relation, names, tables)?;
        for join in &from.joins {
            self.add_table(&join.relation, names, tables)?;
            let on = match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on) => {
                    on
                }
                _ => return Err(not_simulated("an outer join", &join.relation)),
            };
            match on {
                JoinConstraint::On(condition) => {
                    let condition = self.truth(condition, names)?;
                    *filter = Expr::and(filter.take(), condition);
                }
                JoinConstraint::None => {}
                _ => return Err(not_simulated("JOIN … USING (ON is)", &join.relation)),
            }
        }
        Ok(())
    }

    fn add_table(
        &mut self,
        factor: &TableFactor,
        names: &mut Names,
        tables: &mut Vec<usize>,
    ) -> Compiles<()> {
        let (table, alias) = self.named_table(factor)?;
        let definition = self.definition(table);
        let name = alias.clone().unwrap_or_else(|| definition.name.to_owned());
        if names.has(&name) {
            let said = format!("there are two tables `{name}` here: give one another name");
            return Err(wrong(SqlState::AMBIGUOUS, said, factor));
        }
        names.add(alias, definition);
        tables.push(table);
        Ok(())
    }

    /// A table and its alias.
    fn named_table(&mut self, factor: &TableFactor) -> Compiles<(usize, Option<String>)> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_directives,
            inheritance: None,
        } = factor
        else {
            return Err(not_simulated("anything but a table in FROM", factor));
        };
        if !with_hints.is_empty() || !partitions.is_empty() || !index_directives.is_empty() {
            return Err(not_simulated("this form of a table in FROM", factor));
        }
        if alias.as_ref().is_some_and(|alias| !alias.columns.is_empty()) {
            return Err(not_simulated("an alias with names of columns", factor));
        }
        let table = self.table(name)?;
        Ok((table, alias.as_ref().map(|alias| folded(&alias.name))))
    }

    /// The one table that a statement changes.
    pub(super) fn only_table(
        &mut self,
        from: &TableWithJoins,
    ) -> Compiles<(usize, Option<String>)> {
        if !from.joins.is_empty() {
            return Err(not_simulated("a join in a change", &from.relation));
        }
        self.named_table(&from.relation)
    }

    /// What is answered of each row.
    pub(super) fn items(
        &mut self,
        items: &[SelectItem],
        names: &Names,
        asked: &[Kind],
    ) -> Compiles<Vec<Item>> {
        self.noted_items(items, &mut names.clone(), asked)
    }

    fn noted_items(
        &mut self,
        items: &[SelectItem],
        names: &mut Names,
        asked: &[Kind],
    ) -> Compiles<Vec<Item>> {
        let mut answers = Vec::with_capacity(items.len());
        let all = |names: &Names, of: Option<&str>| {
            let columns = names.columns(of).into_iter().map(|(place, name, kind)| Item {
                name: Some(name.to_owned()),
                answer: Expr::Column(place),
                of: Type::Is(kind),
            });
            columns.collect::<Vec<_>>()
        };
        for item in items {
            let (expr, name) = match item {
                SelectItem::UnnamedExpr(expr) => (expr, None),
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(folded(alias))),
                SelectItem::Wildcard(more)
                    if *more == ast::WildcardAdditionalOptions::default() =>
                {
                    answers.extend(all(names, None));
                    continue;
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(of),
                    _,
                ) => {
                    let table = plain(of)?;
                    if !names.has(&table) {
                        let said = format!("there is no table `{table}` here");
                        return Err(wrong(SqlState::UNDEFINED_TABLE, said, of));
                    }
                    answers.extend(all(names, Some(&table)));
                    continue;
                }
                other => return Err(not_simulated(format!("`{other}`"), other)),
            };
            let asked = asked.get(answers.len()).copied();
            let (answer, of) = self.inner(expr, names, asked)?;
            answers.push(Item { name: name.or_else(|| own_name(expr)), answer, of });
        }
        for (item, of) in answers.iter().zip(items) {
            if item.of == Type::Numeric {
                let said =
                    "the sum of a BIGINT as an answer, which is a NUMERIC (cast it AS BIGINT)";
                return Err(not_simulated(said, of));
            }
        }
        Ok(answers)
    }

    fn order(
        &mut self,
        query: &ast::Query,
        items: &[Item],
        names: &mut Names,
    ) -> Compiles<Vec<Order>> {
        let Some(order) = &query.order_by else { return Ok(Vec::new()) };
        let OrderByKind::Expressions(by) = &order.kind else {
            return Err(not_simulated("ORDER BY ALL", query));
        };
        let mut all = Vec::with_capacity(by.len());
        for it in by {
            let by = match &it.expr {
                ast::Expr::Value(ValueWithSpan {
                    value: ast::Value::Number(number, _), ..
                }) => {
                    let item =
                        number.parse::<usize>().ok().and_then(|it| items.get(it.checked_sub(1)?));
                    let Some(item) = item else {
                        let said = format!("ORDER BY {number}: there is no such column");
                        return Err(wrong(SqlState::INVALID_COLUMN_REFERENCE, said, &it.expr));
                    };
                    item.answer.clone()
                }
                // The name of an answer comes before that of a column.
                ast::Expr::Identifier(name)
                    if items.iter().any(|item| item.name.as_ref() == Some(&folded(name))) =>
                {
                    let named = items.iter().find(|item| item.name.as_ref() == Some(&folded(name)));
                    named.map_or(Expr::IsNew, |item| item.answer.clone())
                }
                other => self.inner(other, names, None)?.0,
            };
            let descending = match &it.options.sort {
                None | Some(OrderBySort::Asc) => false,
                Some(OrderBySort::Desc) => true,
                Some(OrderBySort::Using(_)) => {
                    return Err(not_simulated("ORDER BY … USING", &it.expr));
                }
            };
            let nulls_first = it.options.nulls_first.unwrap_or(descending);
            all.push(Order { by, descending, nulls_first });
        }
        Ok(all)
    }

    fn limit(&mut self, query: &ast::Query) -> Compiles<Option<usize>> {
        let limit = match &query.limit_clause {
            None => return Ok(None),
            Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by })
                if limit_by.is_empty() =>
            {
                limit
            }
            Some(_) => return Err(not_simulated("OFFSET", query)),
        };
        match limit {
            ast::Expr::Value(ValueWithSpan { value: ast::Value::Number(number, _), .. }) => {
                let number = number.parse().map_err(|_| not_simulated("so wide a LIMIT", limit))?;
                Ok(Some(number))
            }
            other => Err(not_simulated("a LIMIT that is not a number", other)),
        }
    }

    /// Whether its order leaves nothing open.
    fn is_total(&self, query: &Query) -> bool {
        let [table] = query.tables[..] else { return false };
        let definition = self.definition(table);
        let orders = |column: &usize| query.order.iter().any(|it| it.by == Expr::Column(*column));
        let mut keys = self.db.keys(table).iter().filter(|key| key.is_total(definition));
        keys.any(|key| key.columns.iter().all(orders))
    }
}
