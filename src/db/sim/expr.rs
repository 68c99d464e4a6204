//! First floor, `db`: expressions of SQL over a row, by PostgreSQL's three-valued logic. Imports its
//! neighbours in `db`.

use std::cmp::Ordering;

use crate::db::SqlState;
use crate::db::schema::Value;

/// An expression whose columns are known by their places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Expr {
    Value(Value),
    /// `$1` has the number 0.
    Parameter(usize),
    Column(usize),
    /// The same of the row that an `INSERT` could not put in: `EXCLUDED.column`.
    Excluded(usize),
    /// The answer of one of the statement's subqueries.
    Subquery(usize),
    /// The answer of an aggregate function, over the rows of its group.
    Aggregate(usize),
    /// `RETURNING (xmax = 0)`: whether the row is new.
    IsNew,
    Not(Box<Expr>),
    Minus(Width, Box<Expr>),
    IsNull(Box<Expr>),
    Binary(Operator, Box<[Expr; 2]>),
    In(Box<Expr>, Vec<Expr>),
    /// `CASE WHEN … THEN … ELSE …`.
    Case(Vec<[Expr; 2]>, Box<Expr>),
    Coalesce(Vec<Expr>),
}

/// How many bytes a number has, and so which results are out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Width {
    /// `INTEGER`.
    Four,
    /// `BIGINT`.
    Eight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operator {
    Plus(Width),
    Minus(Width),
    Times(Width),
    Divided(Width),
    Modulo(Width),
    Concatenated,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    /// `IS DISTINCT FROM`.
    Distinct,
    And,
    Or,
}

/// What an expression is about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scope<'a> {
    pub(super) row: &'a [Value],
    pub(super) excluded: &'a [Value],
    pub(super) parameters: &'a [Value],
    pub(super) subqueries: &'a [Value],
    pub(super) aggregates: &'a [Value],
    pub(super) is_new: bool,
}

impl Width {
    /// A number of this width, if it is one.
    pub(super) fn fits(self, number: i128) -> Result<Value, SqlState> {
        let fits = match self {
            Width::Four => i32::try_from(number).is_ok(),
            Width::Eight => true,
        };
        let number = i64::try_from(number).ok().filter(|_| fits);
        number.map(Value::Int).ok_or(SqlState::NUMERIC_OUT_OF_RANGE)
    }
}

impl Expr {
    /// This column compared with this value.
    pub(super) fn compares(column: usize, operator: Operator, value: Value) -> Self {
        Expr::Binary(operator, Box::new([Expr::Column(column), Expr::Value(value)]))
    }

    /// Both of them, where there are two.
    pub(super) fn and(one: Option<Expr>, other: Expr) -> Option<Expr> {
        Some(match one {
            Some(one) => Expr::Binary(Operator::And, Box::new([one, other])),
            None => other,
        })
    }

    /// Its value.
    ///
    /// # Errors
    ///
    /// Of class 22: a number out of range, a division by zero.
    pub(super) fn value(&self, of: Scope<'_>) -> Result<Value, SqlState> {
        let at = |values: &[Value], place: &usize| {
            values.get(*place).cloned().ok_or(SqlState::INTERNAL_ERROR)
        };
        Ok(match self {
            Expr::Value(value) => value.clone(),
            Expr::Parameter(number) => at(of.parameters, number)?,
            Expr::Column(place) => at(of.row, place)?,
            Expr::Excluded(place) => at(of.excluded, place)?,
            Expr::Subquery(number) => at(of.subqueries, number)?,
            Expr::Aggregate(number) => at(of.aggregates, number)?,
            Expr::IsNew => Value::Bool(of.is_new),
            Expr::Not(of_this) => match of_this.value(of)? {
                Value::Bool(truth) => Value::Bool(!truth),
                _ => Value::Null,
            },
            Expr::Minus(width, of_this) => match of_this.value(of)? {
                Value::Int(number) => width.fits(-i128::from(number))?,
                _ => Value::Null,
            },
            Expr::IsNull(of_this) => Value::Bool(of_this.value(of)? == Value::Null),
            Expr::Binary(operator, both) => operator.value(both, of)?,
            Expr::In(what, among) => {
                let what = what.value(of)?;
                let mut is_known = what != Value::Null;
                for it in among {
                    match it.value(of)? {
                        Value::Null => is_known = false,
                        it if it == what => return Ok(Value::Bool(what != Value::Null)),
                        _ => {}
                    }
                }
                if is_known { Value::Bool(false) } else { Value::Null }
            }
            Expr::Case(arms, otherwise) => {
                for [when, then] in arms {
                    if when.holds(of)? {
                        return then.value(of);
                    }
                }
                otherwise.value(of)?
            }
            Expr::Coalesce(several) => {
                for it in several {
                    let value = it.value(of)?;
                    if value != Value::Null {
                        return Ok(value);
                    }
                }
                Value::Null
            }
        })
    }

    /// Whether it is true: not false, and not unknown.
    pub(super) fn holds(&self, of: Scope<'_>) -> Result<bool, SqlState> {
        Ok(self.value(of)? == Value::Bool(true))
    }

    /// Whether it holds for one value of this column at most.
    pub(super) fn is_of_one(&self, column: usize) -> bool {
        let is_it = |it: &Expr| *it == Expr::Column(column);
        let is_known = |it: &Expr| matches!(it, Expr::Value(_) | Expr::Parameter(_));
        match self {
            Expr::Binary(Operator::And, both) => both.iter().any(|it| it.is_of_one(column)),
            Expr::Binary(Operator::Equal, both) => {
                let [left, right] = &**both;
                (is_it(left) && is_known(right)) || (is_known(left) && is_it(right))
            }
            _ => false,
        }
    }

    /// Whether the other one holds where this one does, as far as their words tell.
    pub(super) fn implies(&self, other: &Expr) -> bool {
        match (self, other) {
            (one, other) if one == other => true,
            (_, Expr::Binary(Operator::And, both)) => both.iter().all(|it| self.implies(it)),
            (Expr::Binary(Operator::And, both), _) => both.iter().any(|it| it.implies(other)),
            _ => false,
        }
    }

    /// Whether each of its columns is one of these.
    pub(super) fn columns_are(&self, these: &impl Fn(usize) -> bool) -> bool {
        let are = |it: &Expr| it.columns_are(these);
        match self {
            Expr::Column(place) => these(*place),
            Expr::Not(it) | Expr::Minus(_, it) | Expr::IsNull(it) => are(it),
            Expr::Binary(_, both) => both.iter().all(are),
            Expr::In(it, among) => are(it) && among.iter().all(are),
            Expr::Case(arms, otherwise) => arms.iter().flatten().all(are) && are(otherwise),
            Expr::Coalesce(several) => several.iter().all(are),
            _ => true,
        }
    }

    /// The same expression, with the values that are known before any row is.
    pub(super) fn closed(&self, of: Scope<'_>) -> Self {
        let closed = |it: &Expr| it.closed(of);
        match self {
            Expr::Parameter(number) if *number < of.parameters.len() => {
                Expr::Value(of.parameters[*number].clone())
            }
            Expr::Subquery(number) if *number < of.subqueries.len() => {
                Expr::Value(of.subqueries[*number].clone())
            }
            Expr::Not(it) => Expr::Not(Box::new(closed(it))),
            Expr::Minus(width, it) => Expr::Minus(*width, Box::new(closed(it))),
            Expr::IsNull(it) => Expr::IsNull(Box::new(closed(it))),
            Expr::Binary(operator, both) => {
                Expr::Binary(*operator, Box::new([closed(&both[0]), closed(&both[1])]))
            }
            Expr::In(it, among) => {
                Expr::In(Box::new(closed(it)), among.iter().map(closed).collect())
            }
            Expr::Case(arms, otherwise) => Expr::Case(
                arms.iter().map(|[when, then]| [closed(when), closed(then)]).collect(),
                Box::new(closed(otherwise)),
            ),
            Expr::Coalesce(several) => Expr::Coalesce(several.iter().map(closed).collect()),
            _ => self.clone(),
        }
    }
}

impl Operator {
    fn value(self, [left, right]: &[Expr; 2], of: Scope<'_>) -> Result<Value, SqlState> {
        let left = left.value(of)?;
        match (self, &left) {
            // The other one is not looked at, and so cannot fail.
            (Operator::And, Value::Bool(false)) | (Operator::Or, Value::Bool(true)) => {
                return Ok(left);
            }
            _ => {}
        }
        let right = right.value(of)?;
        let compared = |is: fn(Ordering) -> bool| match (&left, &right) {
            (Value::Null, _) | (_, Value::Null) => Value::Null,
            (left, right) => Value::Bool(is(left.cmp(right))),
        };
        let counted = |width: Width, result: fn(i128, i128) -> Option<i128>| {
            let (Value::Int(left), Value::Int(right)) = (&left, &right) else {
                return Ok(Value::Null);
            };
            let result = result((*left).into(), (*right).into());
            width.fits(result.ok_or(SqlState::DIVISION_BY_ZERO)?)
        };
        Ok(match self {
            Operator::Plus(width) => counted(width, |left, right| Some(left + right))?,
            Operator::Minus(width) => counted(width, |left, right| Some(left - right))?,
            Operator::Times(width) => counted(width, |left, right| Some(left * right))?,
            Operator::Divided(width) => counted(width, i128::checked_div)?,
            Operator::Modulo(width) => counted(width, i128::checked_rem)?,
            Operator::Concatenated => match (left.text(), right.text()) {
                (Some(left), Some(right)) => Value::from(format!("{left}{right}").as_str()),
                _ => Value::Null,
            },
            Operator::Equal => compared(Ordering::is_eq),
            Operator::NotEqual => compared(Ordering::is_ne),
            Operator::Less => compared(Ordering::is_lt),
            Operator::AtMost => compared(Ordering::is_le),
            Operator::Greater => compared(Ordering::is_gt),
            Operator::AtLeast => compared(Ordering::is_ge),
            Operator::Distinct => Value::Bool(left != right),
            Operator::And => match (&left, &right) {
                (_, Value::Bool(false)) => Value::Bool(false),
                (Value::Bool(true), Value::Bool(true)) => Value::Bool(true),
                _ => Value::Null,
            },
            Operator::Or => match (&left, &right) {
                (_, Value::Bool(true)) => Value::Bool(true),
                (Value::Bool(false), Value::Bool(false)) => Value::Bool(false),
                _ => Value::Null,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Value; 3] = [Value::Bool(true), Value::Bool(false), Value::Null];

    #[test]
    fn and_or_and_not_know_three_truths() {
        let told = |operator: Operator| {
            let pairs = ALL.iter().flat_map(|left| ALL.iter().map(move |right| (left, right)));
            let results = pairs.map(|(left, right)| {
                let both = [Expr::Value(left.clone()), Expr::Value(right.clone())];
                Expr::Binary(operator, Box::new(both)).value(Scope::default()).unwrap().to_string()
            });
            results
                .map(|it| it.replace("true", "t").replace("false", "f").replace("NULL", "?"))
                .collect::<String>()
        };
        assert_eq!(told(Operator::And), "tf?fff?f?");
        assert_eq!(told(Operator::Or), "ttttf?t??");
        let not = |it: &Value| Expr::Not(Box::new(Expr::Value(it.clone()))).value(Scope::default());
        assert_eq!(
            ALL.map(|it| not(&it).unwrap()),
            [Value::Bool(false), Value::Bool(true), Value::Null]
        );
    }

    #[test]
    fn numbers_keep_to_their_width_and_what_is_unknown_stays_so() {
        let of = |operator: Operator, left: Value, right: Value| {
            let both = [Expr::Value(left), Expr::Value(right)];
            Expr::Binary(operator, Box::new(both)).value(Scope::default())
        };
        let (four, eight) = (Width::Four, Width::Eight);
        let most = Value::Int(i32::MAX.into());
        let out = Err(SqlState::NUMERIC_OUT_OF_RANGE);
        assert_eq!(of(Operator::Plus(four), most.clone(), 1.into()), out);
        assert_eq!(of(Operator::Plus(eight), most, 1.into()), Ok(2_147_483_648.into()));
        assert_eq!(of(Operator::Divided(eight), i64::MIN.into(), (-1).into()), out);
        assert_eq!(of(Operator::Modulo(eight), i64::MIN.into(), (-1).into()), Ok(0.into()));
        assert_eq!(of(Operator::Divided(four), (-7).into(), 2.into()), Ok((-3).into()));
        assert_eq!(of(Operator::Modulo(four), (-7).into(), 2.into()), Ok((-1).into()));
        assert_eq!(of(Operator::Modulo(four), 7.into(), 0.into()), Err(SqlState::DIVISION_BY_ZERO));
        assert_eq!(of(Operator::Divided(four), Value::Null, 0.into()), Ok(Value::Null));
        assert_eq!(of(Operator::Equal, Value::Null, Value::Null), Ok(Value::Null));
        assert_eq!(of(Operator::Distinct, Value::Null, Value::Null), Ok(Value::Bool(false)));
        let among = |what: Value, among: [Value; 2]| {
            let among = among.map(Expr::Value).to_vec();
            Expr::In(Box::new(Expr::Value(what)), among).value(Scope::default()).unwrap()
        };
        assert_eq!(among(1.into(), [Value::Null, 1.into()]), Value::Bool(true));
        assert_eq!(among(2.into(), [Value::Null, 1.into()]), Value::Null);
        assert_eq!(among(Value::Null, [2.into(), 1.into()]), Value::Null);
        assert_eq!(among(2.into(), [3.into(), 1.into()]), Value::Bool(false));
    }
}
