//! First floor, `db`: expressions of SQL text. Imports its neighbours in `text`.

use sqlparser::ast::{
    self, BinaryOperator, CastKind, DataType, FunctionArg, FunctionArgExpr, FunctionArguments,
    InTarget, UnaryOperator, ValueWithSpan,
};

use super::{At, Compiler, Compiles, folded, not_simulated, wrong};
use crate::db::SqlState;
use crate::db::schema::{Kind, Table, Value};
use crate::db::sim::expr::{Expr, Operator, Width};
use crate::db::sim::plan::{Aggregate, Function};

/// What is known of the type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Is(Kind),
    /// `NULL`: whichever is asked for.
    Unknown,
    /// The sum of a `BIGINT`, which is only compared or cast.
    Numeric,
}

/// The names that an expression may use.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    tables: Vec<Named>,
    has_excluded: bool,
    is_insert: bool,
    /// Aggregate functions may be used here, and these are.
    pub(super) aggregates: Option<Vec<Aggregate>>,
    /// Of the queries round this one, whose columns are not to be seen here.
    pub(super) outer: Vec<String>,
}

#[derive(Clone, Debug)]
struct Named {
    name: String,
    definition: &'static Table,
    /// The place of its first column.
    first: usize,
}

impl Names {
    pub(super) fn of(alias: Option<String>, definition: &'static Table) -> Self {
        let mut names = Names::default();
        names.add(alias, definition);
        names
    }

    pub(super) fn add(&mut self, alias: Option<String>, definition: &'static Table) {
        let first = self.width();
        let name = alias.unwrap_or_else(|| definition.name.to_owned());
        self.tables.push(Named { name, definition, first });
    }

    fn width(&self) -> usize {
        self.tables.iter().map(|it| it.definition.columns.len()).sum()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.tables.iter().any(|it| it.name == name)
    }

    pub(super) fn with_excluded(&self) -> Self {
        Names { has_excluded: true, ..self.clone() }
    }

    pub(super) fn of_insert(&self) -> Self {
        Names { is_insert: true, ..self.clone() }
    }

    /// Its columns: their places, names and kinds; of one table, or of all.
    pub(super) fn columns(&self, of: Option<&str>) -> Vec<(usize, &'static str, Kind)> {
        let tables = self.tables.iter().filter(|it| of.is_none_or(|name| it.name == name));
        let columns = tables.flat_map(|it| {
            let columns = it.definition.columns.iter().enumerate();
            columns.map(|(index, column)| (it.first + index, column.name, column.kind))
        });
        columns.collect()
    }

    fn column(&self, of: Option<&str>, name: &ast::Ident) -> Compiles<(Expr, Type)> {
        let said = folded(name);
        if let (Some("excluded"), true, [table]) = (of, self.has_excluded, &self.tables[..])
            && let Some(place) = table.definition.column(&said)
        {
            let kind = table.definition.columns[place].kind;
            return Ok((Expr::Excluded(place), Type::Is(kind)));
        }
        let found: Vec<_> =
            self.columns(of).into_iter().filter(|(_, column, _)| *column == said).collect();
        match found[..] {
            [(place, _, kind)] => Ok((Expr::Column(place), Type::Is(kind))),
            [] if self.outer.contains(&said)
                || of.is_some_and(|of| self.outer.contains(&of.to_owned())) =>
            {
                Err(not_simulated(format!("`{said}` of the query round this one"), &At(name.span)))
            }
            [] => {
                let said = match of {
                    Some(table) if self.has(table) => format!("`{table}` has no column `{said}`"),
                    Some(table) => format!("there is no table `{table}` here"),
                    None => format!("there is no column `{said}` here"),
                };
                Err(wrong(SqlState::UNDEFINED_COLUMN, said, &At(name.span)))
            }
            _ => Err(wrong(
                SqlState::AMBIGUOUS,
                format!("`{said}` is in several tables"),
                &At(name.span),
            )),
        }
    }

    /// The names that a query inside of this one must not use.
    pub(super) fn hidden(&self) -> Vec<String> {
        let own = self.tables.iter().map(|it| it.name.clone());
        let columns = self.columns(None).into_iter().map(|(_, name, _)| name.to_owned());
        own.chain(columns).chain(self.outer.iter().cloned()).collect()
    }
}

/// `DEFAULT`, in place of a value.
pub(super) fn is_default(value: &ast::Expr) -> bool {
    matches!(value, ast::Expr::Identifier(it) if it.quote_style.is_none() && it.value.eq_ignore_ascii_case("default"))
}

/// `$1`, in however many parentheses.
fn parameter(value: &ast::Expr) -> Option<&str> {
    match value {
        ast::Expr::Nested(inner) => parameter(inner),
        ast::Expr::Value(ValueWithSpan { value: ast::Value::Placeholder(name), .. }) => Some(name),
        _ => None,
    }
}

/// A column's type.
pub(super) fn kind(of: &DataType) -> Result<Kind, String> {
    match of {
        DataType::BigInt(None) | DataType::Int8(None) => Ok(Kind::Int),
        DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => Ok(Kind::Integer),
        DataType::Text | DataType::Varchar(None) | DataType::CharacterVarying(None) => {
            Ok(Kind::Text)
        }
        DataType::Bool | DataType::Boolean => Ok(Kind::Bool),
        other => Err(format!("the type {other} (there are BIGINT, INTEGER, TEXT and BOOLEAN)")),
    }
}

impl Compiler<'_> {
    /// An expression, and its type. `asked`: the kind that a parameter has where nothing else says.
    pub(super) fn expression(
        &mut self,
        of: &ast::Expr,
        names: &Names,
        asked: Option<Kind>,
    ) -> Compiles<(Expr, Type)> {
        let mut names = names.clone();
        self.inner(of, &mut names, asked)
    }

    /// The same, with a note of the aggregate functions that it uses.
    pub(super) fn inner(
        &mut self,
        of: &ast::Expr,
        names: &mut Names,
        asked: Option<Kind>,
    ) -> Compiles<(Expr, Type)> {
        let truth = Type::Is(Kind::Bool);
        let not = |it: Expr, negated: bool| if negated { Expr::Not(Box::new(it)) } else { it };
        Ok(match of {
            ast::Expr::Nested(inner) => self.inner(inner, names, asked)?,
            ast::Expr::Identifier(name) => names.column(None, name)?,
            ast::Expr::CompoundIdentifier(parts) => match &parts[..] {
                [table, name] => names.column(Some(&folded(table)), name)?,
                _ => return Err(not_simulated("a name of three parts", of)),
            },
            ast::Expr::Value(value) => self.value(value, asked)?,
            ast::Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                let (inner, found) = self.inner(expr, names, Some(Kind::Bool))?;
                self.must_be(Kind::Bool, found, expr)?;
                (Expr::Not(Box::new(inner)), truth)
            }
            ast::Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
                self.minus(expr, names, asked)?
            }
            ast::Expr::UnaryOp { op: UnaryOperator::Plus, expr } => {
                let (inner, found) = self.inner(expr, names, asked)?;
                self.width(found, expr)?;
                (inner, found)
            }
            ast::Expr::BinaryOp { left, op, right } => {
                self.binary(of, left, op, right, names, asked)?
            }
            ast::Expr::IsNull(inner) | ast::Expr::IsUnknown(inner) => {
                (Expr::IsNull(Box::new(self.inner(inner, names, None)?.0)), truth)
            }
            ast::Expr::IsNotNull(inner) | ast::Expr::IsNotUnknown(inner) => {
                (not(Expr::IsNull(Box::new(self.inner(inner, names, None)?.0)), true), truth)
            }
            ast::Expr::IsTrue(inner) => (self.is_exactly(inner, true, names)?, truth),
            ast::Expr::IsNotTrue(inner) => (not(self.is_exactly(inner, true, names)?, true), truth),
            ast::Expr::IsFalse(inner) => (self.is_exactly(inner, false, names)?, truth),
            ast::Expr::IsNotFalse(inner) => {
                (not(self.is_exactly(inner, false, names)?, true), truth)
            }
            ast::Expr::IsDistinctFrom(left, right) => {
                let both = self.both(of, left, right, names)?.0;
                (Expr::Binary(Operator::Distinct, Box::new(both)), truth)
            }
            ast::Expr::IsNotDistinctFrom(left, right) => {
                let both = self.both(of, left, right, names)?.0;
                (not(Expr::Binary(Operator::Distinct, Box::new(both)), true), truth)
            }
            ast::Expr::Between { expr, negated, low, high } => {
                let from = self.both(of, expr, low, names)?.0;
                let to = self.both(of, expr, high, names)?.0;
                let from = Expr::Binary(Operator::AtLeast, Box::new(from));
                let to = Expr::Binary(Operator::AtMost, Box::new(to));
                (not(Expr::Binary(Operator::And, Box::new([from, to])), *negated), truth)
            }
            ast::Expr::In { expr, target: InTarget::List(list), negated, global: false } => {
                let mut what = None;
                let mut among = Vec::with_capacity(list.len());
                for it in list {
                    let [left, right] = self.both(of, expr, it, names)?.0;
                    what = Some(left);
                    among.push(right);
                }
                let Some(what) = what else {
                    return Err(wrong(SqlState::SYNTAX_ERROR, "IN of nothing", of));
                };
                (not(Expr::In(Box::new(what), among), *negated), truth)
            }
            ast::Expr::In { target: InTarget::Subquery(_), .. } => {
                return Err(not_simulated("IN of a subquery (EXISTS is)", of));
            }
            ast::Expr::Case { operand, conditions, else_result, .. } => {
                self.case(of, operand.as_deref(), conditions, else_result.as_deref(), names, asked)?
            }
            ast::Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                format: None,
            } => {
                let to = kind(data_type).map_err(|what| not_simulated(what, of))?;
                let (inner, found) = self.inner(expr, names, Some(to))?;
                (cast(inner, found, to).map_err(|what| not_simulated(what, of))?, Type::Is(to))
            }
            ast::Expr::Exists { subquery, negated } => {
                let number = self.whether(subquery, names)?;
                (not(Expr::Subquery(number), *negated), truth)
            }
            ast::Expr::Subquery(query) => self.scalar(query, names, asked)?,
            ast::Expr::Function(function) => self.function(function, of, names, asked)?,
            other => {
                let said = other.to_string();
                return Err(not_simulated(format!("`{said}`"), other));
            }
        })
    }

    fn value(&mut self, value: &ValueWithSpan, asked: Option<Kind>) -> Compiles<(Expr, Type)> {
        let typed = |value: Value, kind: Kind| (Expr::Value(value), Type::Is(kind));
        Ok(match &value.value {
            ast::Value::Number(digits, _) => {
                let number: i64 = digits.parse().map_err(|_| {
                    not_simulated(format!("the number {digits} (BIGINT is the widest)"), value)
                })?;
                let fits = i32::try_from(number).is_ok();
                typed(Value::Int(number), if fits { Kind::Integer } else { Kind::Int })
            }
            ast::Value::SingleQuotedString(text) => match asked {
                // A text in quotes has the type that is asked for.
                Some(kind) if kind != Kind::Text => match kind.read(text) {
                    Some(read) => typed(read, kind),
                    None => {
                        let said = format!("{text:?} is no value of type {}", kind.sql());
                        return Err(wrong(SqlState::INVALID_TEXT, said, value));
                    }
                },
                _ if text.contains('\0') => {
                    return Err(wrong(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "a zero byte", value));
                }
                _ => typed(Value::from(text.as_str()), Kind::Text),
            },
            ast::Value::Boolean(truth) => typed(Value::Bool(*truth), Kind::Bool),
            ast::Value::Null => (Expr::Value(Value::Null), Type::Unknown),
            ast::Value::Placeholder(name) => {
                let number: Option<usize> = name.strip_prefix('$').and_then(|it| it.parse().ok());
                let Some(number) = number.filter(|number| (1..=1000).contains(number)) else {
                    let said =
                        format!("`{name}` is no parameter: they are called $1, $2 and so on");
                    return Err(wrong(SqlState::SYNTAX_ERROR, said, value));
                };
                if self.parameters.len() < number {
                    self.parameters.resize(number, None);
                    self.inferred.resize(number, None);
                }
                let inferred = &mut self.inferred[number - 1];
                *inferred = inferred.or(asked);
                let known = &mut self.parameters[number - 1];
                // Numbers are sent as BIGINT.
                let asked = asked.map(|kind| if kind == Kind::Integer { Kind::Int } else { kind });
                *known = known.or(asked);
                let of = known.map_or(Type::Unknown, Type::Is);
                (Expr::Parameter(number - 1), of)
            }
            other => return Err(not_simulated(format!("`{other}`"), value)),
        })
    }

    fn minus(
        &mut self,
        of: &ast::Expr,
        names: &mut Names,
        asked: Option<Kind>,
    ) -> Compiles<(Expr, Type)> {
        // The least number is one that has no positive counterpart.
        if let ast::Expr::Value(ValueWithSpan { value: ast::Value::Number(digits, _), .. }) = of
            && let Ok(number) = format!("-{digits}").parse::<i64>()
        {
            // PostgreSQL reads the digits first: what does not fit without the sign is wider.
            let is_narrow = digits.parse::<i32>().is_ok();
            let kind = if is_narrow { Kind::Integer } else { Kind::Int };
            if digits.parse::<i64>().is_ok() {
                return Ok((Expr::Value(Value::Int(number)), Type::Is(kind)));
            }
        }
        let (inner, found) = self.inner(of, names, asked)?;
        let width = self.width(found, of)?;
        Ok((Expr::Minus(width, Box::new(inner)), found))
    }

    /// Two expressions of one type.
    fn both(
        &mut self,
        of: &ast::Expr,
        left: &ast::Expr,
        right: &ast::Expr,
        names: &mut Names,
    ) -> Compiles<([Expr; 2], Type)> {
        let kind = |of: Type| match of {
            Type::Is(kind) => Some(kind),
            Type::Unknown | Type::Numeric => None,
        };
        // What is known says what a parameter is.
        let (left, one, right, other) = if parameter(left).is_some() {
            let (right, other) = self.inner(right, names, None)?;
            let (left, one) = self.inner(left, names, kind(other))?;
            (left, one, right, other)
        } else {
            let (left, one) = self.inner(left, names, None)?;
            let (right, other) = self.inner(right, names, kind(one))?;
            (left, one, right, other)
        };
        let common = self.common(&[one, other], of)?;
        Ok(([left, right], common))
    }

    fn binary(
        &mut self,
        of: &ast::Expr,
        left: &ast::Expr,
        operator: &BinaryOperator,
        right: &ast::Expr,
        names: &mut Names,
        asked: Option<Kind>,
    ) -> Compiles<(Expr, Type)> {
        if names_it(left, "xmax") && names.is_insert {
            let is_zero = matches!(right, ast::Expr::Value(ValueWithSpan { value: ast::Value::Number(zero, _), .. }) if zero == "0");
            return match (operator, is_zero) {
                (BinaryOperator::Eq, true) => Ok((Expr::IsNew, Type::Is(Kind::Bool))),
                _ => Err(not_simulated("xmax, but for `xmax = 0`", of)),
            };
        }
        if let BinaryOperator::And | BinaryOperator::Or = operator {
            let mut sides = Vec::with_capacity(2);
            for side in [left, right] {
                let (inner, found) = self.inner(side, names, Some(Kind::Bool))?;
                self.must_be(Kind::Bool, found, side)?;
                sides.push(inner);
            }
            let both: [Expr; 2] = sides.try_into().map_err(|_| not_simulated("this", of))?;
            let operator =
                if *operator == BinaryOperator::And { Operator::And } else { Operator::Or };
            return Ok((Expr::Binary(operator, Box::new(both)), Type::Is(Kind::Bool)));
        }
        // Of two parameters, and of `NULL`, what is asked for says it.
        let (both, common) = if parameter(left).is_some() && parameter(right).is_some() {
            let (left, one) = self.inner(left, names, asked)?;
            let (right, _) = self.inner(right, names, asked)?;
            ([left, right], one)
        } else {
            self.both(of, left, right, names)?
        };
        let compared =
            |operator| Ok((Expr::Binary(operator, Box::new(both.clone())), Type::Is(Kind::Bool)));
        match operator {
            BinaryOperator::Eq => return compared(Operator::Equal),
            BinaryOperator::NotEq => return compared(Operator::NotEqual),
            BinaryOperator::Lt => return compared(Operator::Less),
            BinaryOperator::LtEq => return compared(Operator::AtMost),
            BinaryOperator::Gt => return compared(Operator::Greater),
            BinaryOperator::GtEq => return compared(Operator::AtLeast),
            BinaryOperator::StringConcat => {
                self.must_be(Kind::Text, common, of)?;
                return Ok((
                    Expr::Binary(Operator::Concatenated, Box::new(both)),
                    Type::Is(Kind::Text),
                ));
            }
            _ => {}
        }
        let width = self.width(common, of)?;
        let operator = match operator {
            BinaryOperator::Plus => Operator::Plus(width),
            BinaryOperator::Minus => Operator::Minus(width),
            BinaryOperator::Multiply => Operator::Times(width),
            BinaryOperator::Divide => Operator::Divided(width),
            BinaryOperator::Modulo => Operator::Modulo(width),
            other => return Err(not_simulated(format!("the operator {other}"), of)),
        };
        Ok((Expr::Binary(operator, Box::new(both)), common))
    }

    /// How wide a number is.
    fn width(&self, of: Type, at: &ast::Expr) -> Compiles<Width> {
        match of {
            Type::Is(kind) => kind.width().ok_or_else(|| {
                let said = format!("a number is needed, and this is a {}", kind.sql());
                wrong(SqlState::DATATYPE_MISMATCH, said, at)
            }),
            Type::Unknown => {
                Err(not_simulated("a calculation whose type is not known (cast it)", at))
            }
            Type::Numeric => {
                let said = "a calculation with the sum of a BIGINT, which is a NUMERIC (cast it AS BIGINT)";
                Err(not_simulated(said, at))
            }
        }
    }

    fn must_be(&self, kind: Kind, found: Type, at: &ast::Expr) -> Compiles<()> {
        if found.is_kind(kind) {
            return Ok(());
        }
        let said = format!("a {} is needed, and this is a {}", kind.sql(), found.said());
        Err(wrong(SqlState::DATATYPE_MISMATCH, said, at))
    }

    fn is_exactly(&mut self, of: &ast::Expr, truth: bool, names: &mut Names) -> Compiles<Expr> {
        let (inner, found) = self.inner(of, names, Some(Kind::Bool))?;
        self.must_be(Kind::Bool, found, of)?;
        let both = [inner, Expr::Value(Value::Bool(truth))];
        Ok(Expr::Not(Box::new(Expr::Binary(Operator::Distinct, Box::new(both)))))
    }

    /// The type of several expressions that stand for one another.
    fn common(&self, types: &[Type], at: &ast::Expr) -> Compiles<Type> {
        let mut common = Type::Unknown;
        for of in types {
            common = match (common, *of) {
                (Type::Unknown, known) | (known, Type::Unknown) => known,
                (one, other) if one == other => one,
                (Type::Is(one), Type::Is(other))
                    if one.width().is_some() && other.width().is_some() =>
                {
                    Type::Is(Kind::Int)
                }
                (Type::Numeric, other) | (other, Type::Numeric) if other.is_number() => {
                    Type::Numeric
                }
                (one, other) => {
                    let said = format!("{} and {} do not go together", one.said(), other.said());
                    return Err(wrong(SqlState::DATATYPE_MISMATCH, said, at));
                }
            };
        }
        Ok(common)
    }

    fn case(
        &mut self,
        of: &ast::Expr,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        names: &mut Names,
        asked: Option<Kind>,
    ) -> Compiles<(Expr, Type)> {
        let mut arms = Vec::with_capacity(conditions.len());
        let mut types = Vec::new();
        for ast::CaseWhen { condition, result } in conditions {
            let when = match operand {
                Some(operand) => {
                    let both = self.both(of, operand, condition, names)?.0;
                    Expr::Binary(Operator::Equal, Box::new(both))
                }
                None => {
                    let (when, found) = self.inner(condition, names, Some(Kind::Bool))?;
                    self.must_be(Kind::Bool, found, condition)?;
                    when
                }
            };
            let (then, found) = self.inner(result, names, asked)?;
            arms.push([when, then]);
            types.push(found);
        }
        let otherwise = match otherwise {
            Some(otherwise) => {
                let (inner, found) = self.inner(otherwise, names, asked)?;
                types.push(found);
                inner
            }
            None => Expr::Value(Value::Null),
        };
        let common = self.common(&types, of)?;
        Ok((Expr::Case(arms, Box::new(otherwise)), common))
    }

    fn function(
        &mut self,
        function: &ast::Function,
        of: &ast::Expr,
        names: &mut Names,
        asked: Option<Kind>,
    ) -> Compiles<(Expr, Type)> {
        let name = function.name.to_string().to_ascii_lowercase();
        let refused = |what: &str| not_simulated(what, of);
        let FunctionArguments::List(list) = &function.args else {
            return Err(refused(&format!("`{name}`")));
        };
        if function.filter.is_some() || function.over.is_some() || !function.within_group.is_empty()
        {
            return Err(refused(&format!("FILTER, OVER or WITHIN GROUP of `{name}`")));
        }
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return Err(refused(&format!("DISTINCT or ORDER BY in `{name}`")));
        }
        let mut arguments = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(it)) => arguments.push(it),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if name == "count" => {}
                _ => return Err(refused(&format!("an argument of `{name}`"))),
            }
        }
        if name == "coalesce" && !arguments.is_empty() {
            let mut several = Vec::with_capacity(arguments.len());
            let mut types = Vec::with_capacity(arguments.len());
            for argument in arguments {
                let (inner, found) = self.inner(argument, names, asked)?;
                several.push(inner);
                types.push(found);
            }
            let common = self.common(&types, of)?;
            return Ok((Expr::Coalesce(several), common));
        }
        let function = match (&name[..], arguments.len()) {
            ("count", 0 | 1) => Function::Count,
            ("sum", 1) => Function::Sum,
            ("min", 1) => Function::Least,
            ("max", 1) => Function::Greatest,
            _ => return Err(refused(&format!("the function `{name}`"))),
        };
        if names.aggregates.is_none() {
            let said = format!("`{name}` stands where there is no group of rows");
            return Err(wrong(SqlState::GROUPING_ERROR, said, of));
        }
        // Inside of one there is no other.
        let mut within = Names { aggregates: None, ..names.clone() };
        let (inner, found) = match arguments.first() {
            Some(argument) => self.inner(argument, &mut within, None)?,
            None => (Expr::Value(Value::Int(1)), Type::Is(Kind::Int)),
        };
        let found = match function {
            Function::Count => Type::Is(Kind::Int),
            Function::Sum => match self.width(found, of)? {
                Width::Four => Type::Is(Kind::Int),
                Width::Eight => Type::Numeric,
            },
            Function::Least | Function::Greatest if found == Type::Is(Kind::Bool) => {
                return Err(refused(&format!("`{name}` of truth values")));
            }
            Function::Least | Function::Greatest => found,
        };
        let aggregates = names.aggregates.get_or_insert_default();
        let aggregate = Aggregate { function, of: inner };
        let number = aggregates.iter().position(|it| *it == aggregate).unwrap_or_else(|| {
            aggregates.push(aggregate);
            aggregates.len() - 1
        });
        Ok((Expr::Aggregate(number), found))
    }
}

impl Type {
    fn said(self) -> &'static str {
        match self {
            Type::Is(kind) => kind.sql(),
            Type::Unknown => "NULL",
            Type::Numeric => "NUMERIC",
        }
    }
}

/// The same value as another type.
fn cast(inner: Expr, from: Type, to: Kind) -> Result<Expr, String> {
    match (from, to) {
        (Type::Is(from), to) if from == to => Ok(inner),
        (Type::Unknown, _) | (Type::Numeric | Type::Is(Kind::Integer), Kind::Int) => Ok(inner),
        (Type::Numeric | Type::Is(Kind::Int), Kind::Integer) => {
            let both = [inner, Expr::Value(Value::Int(0))];
            Ok(Expr::Binary(Operator::Plus(Width::Four), Box::new(both)))
        }
        (from, to) => Err(format!("a cast from {} to {}", from.said(), to.sql())),
    }
}

/// Whether an expression is this name.
fn names_it(of: &ast::Expr, name: &str) -> bool {
    matches!(of, ast::Expr::Identifier(it) if folded(it) == name)
}
