#!/bin/sh
# Redeems the coupon, in the way that is asked for, and says "redeemed".
case $1 in
look_then_update) lock= ;;
for_update) lock="FOR UPDATE" ;;
esac
exec psql -Xqt -v ON_ERROR_STOP=1 -v lock="$lock" <<'SQL'
BEGIN;
SELECT used FROM coupons WHERE id = 1 :lock \gset
\if :used
  ROLLBACK;
\else
  UPDATE coupons SET used = true WHERE id = 1;
  COMMIT;
  \echo redeemed
\endif
SQL
