-- A lock that stands for the coupon, since there is no row to lock yet. It holds at READ COMMITTED. At
-- REPEATABLE READ what a transaction sees is chosen by its first statement, which is the one that waits for the
-- lock: so it does not see what was committed meanwhile, and the coupon is redeemed twice.

setup {
  CREATE TABLE redemption (coupon BIGINT NOT NULL, client BIGINT NOT NULL);
}

session redeem * 2 {
  BEGIN;
  SELECT pg_advisory_xact_lock(1);
  SELECT count(*) = 0 AS free FROM redemption WHERE coupon = 1 \gset
  \if :free
    INSERT INTO redemption VALUES (1, 7);
  \endif
  COMMIT;
}

never: SELECT coupon FROM redemption GROUP BY coupon HAVING count(*) > 1
finally: SELECT * FROM redemption WHERE coupon = 1
